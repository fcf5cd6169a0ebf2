"""What a clean-up of moderation hides, and shows again: see tasks/hiding.py. Tasks filed under a product stay as they are."""

from collections.abc import Collection

from django.db import transaction

from products.actions import lock_makers
from products.events import announce_refiling
from products.models import Membership, Product, ProductQuerySet
from products.visibility import keep_listed


@transaction.atomic
def hide_products(*, ids: Collection[int], cleanup: int | None) -> int:
    """How many of these were not hidden before."""
    products = held(Product.objects.filter(pk__in=ids, hidden=False))
    Membership.objects.filter(product__in=products.values("pk"), listed=True).update(listed=False)
    announce_refiling(products.values_list("pk", flat=True))
    return products.change(hidden=True, listed=False, cleanup=cleanup)


@transaction.atomic
def show_products(*, ids: Collection[int], cleanup: int | None) -> int:
    """How many of these the clean-up still held hidden."""
    products = held(Product.objects.filter(pk__in=ids, cleanup=cleanup, hidden=True))
    shown = products.change(hidden=False, cleanup=None)
    keep_listed(products)
    announce_refiling(products.values_list("pk", flat=True))
    return shown


def held(products: ProductQuerySet) -> ProductQuerySet:
    """These, locked after their owners, by their ids: so they are the same whatever becomes of them."""
    lock_makers(products.values_list("author", flat=True))
    rows = products.select_for_update(no_key=True).order_by("pk")
    return Product.objects.filter(pk__in=list(rows.values_list("pk", flat=True)))
