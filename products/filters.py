"""The parameters of /products/ and the indexes that serve them."""

from makerlog.accounts.filters import MakerFilter
from makerlog.api.filters import BooleanFilter, Index, KeysetFilterSet, SearchFilter, UpdatedSinceFilter
from products.models import Product


class ProductFilter(KeysetFilterSet):
    user = MakerFilter()
    launched = BooleanFilter()
    search = SearchFilter("name", "description", help_text="In the name or the description.")
    updated_since = UpdatedSinceFilter(
        help_text="What changed since, oldest change first. `/products/deleted/` tells what is gone."
    )

    indexes = (
        Index(),
        Index(frozenset({"updated_since"}), key=("updated_at", "id"), ascending=True),
        Index(frozenset({"user"}), within=("author",)),
        Index(frozenset({"launched"}), within=("launched",)),
    )

    class Meta:
        model = Product
        fields: list[str] = []
