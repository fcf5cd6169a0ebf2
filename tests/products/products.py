"""Products and projects for tests, made as the API makes them."""

from typing import Any

from makerlog.accounts.models import Maker
from products import actions
from products.models import Product, Project


def make_product(author: Maker, name: str = "Honey", **values: Any) -> Product:
    return actions.create_product(author=author, name=name, **values)


def make_project(author: Maker, name: str = "makerlog", **values: Any) -> Project:
    return Project.objects.create(author=author, name=name, **values)
