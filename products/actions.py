"""What may happen to projects and products. Keyword-only; each is one transaction."""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, Subquery
from django.utils import timezone
from django.utils.text import slugify

from makerlog import content
from makerlog.accounts.models import Maker
from makerlog.accounts.names import ROUTE_WORDS
from products.models import Membership, Product, Project


def get_or_create_project(*, author: Maker, name: str, **values: Any) -> Project:
    """The author's project of that name, whatever its case."""
    known = author.projects.filter(name__lower=name.lower()).first()
    if known:
        return known
    try:
        with transaction.atomic():
            return author.projects.create(name=name, **values)
    except IntegrityError:
        return author.projects.get(name__lower=name.lower())


def relist_products(makers: list[int], projects: list[int]) -> None:
    """Brings up to date what these makers launched. Projects do not make a product private; it makes its tasks so."""
    products = Product.objects.filter(author__in=makers)
    private = Exists(Maker.objects.filter(pk=OuterRef("author"), private=True))
    listable = Q(~private, hidden=False, private=False)
    products.filter(listable, listed=False).change(listed=True)
    products.filter(~listable, listed=True).change(listed=False)
    listed = Subquery(Product.objects.filter(pk=OuterRef("product")).values("listed"))
    Membership.objects.filter(product__in=products.values("pk")).exclude(listed=listed).update(listed=listed)
