"""Products and projects for tests, made as the API makes them."""

from typing import Any

from django.utils.text import slugify

from makerlog.accounts.models import Maker
from products import actions
from products.models import Product, Project


def make_product(author: Maker, name: str = "Honey", **values: Any) -> Product:
    """With whoever is invited on its team, and under the slug that its name makes, also where it is private."""
    product = actions.create_product(author=author, name=name, **values)
    for invitation in product.invitations.select_related("maker"):
        actions.accept_invitation(invitation=invitation, maker=invitation.maker)
    if not product.listed:
        product.slug = slugify(name)
        product.save(update_fields=["slug"])
    return product


def make_project(author: Maker, name: str = "makerlog", **values: Any) -> Project:
    return Project.objects.create(author=author, name=name, **values)
