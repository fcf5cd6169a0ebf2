"""Keeps ``listed`` true to privacy, on products and on the places of their teams. Set by set, never row by row."""

from django.db.models import Exists, OuterRef, Q, Subquery

from makerlog.accounts.models import Maker
from products.models import Membership, Product, ProductQuerySet


def relist(makers: list[int], projects: list[int]) -> None:
    """Brings up to date what these makers launched. Projects do not make a product private; it makes its tasks so."""
    keep_listed(Product.objects.filter(author__in=makers))


def keep_listed(products: ProductQuerySet) -> None:
    private = Exists(Maker.objects.filter(pk=OuterRef("author"), private=True))
    listable = Q(~private, hidden=False, private=False)
    products.filter(listable, listed=False).change(listed=True)
    products.filter(~listable, listed=True).change(listed=False)
    listed = Subquery(Product.objects.filter(pk=OuterRef("product")).values("listed"))
    Membership.objects.filter(product__in=products.values("pk")).exclude(listed=listed).update(listed=listed)
