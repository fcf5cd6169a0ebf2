"""The parameters of /products/ and the indexes that serve them."""

import django_filters
from django.db.models import Q, QuerySet

from makerlog.accounts.filters import MakerFilter
from makerlog.api.filters import BooleanFilter, Index, KeysetFilterSet, UpdatedSinceFilter
from products.models import Product


class ProductFilter(KeysetFilterSet):
    user = MakerFilter()
    launched = BooleanFilter()
    search = django_filters.CharFilter(method="saying", max_length=100, help_text="In the name or the description.")
    updated_since = UpdatedSinceFilter(help_text="What changed since, oldest change first.")

    indexes = (
        Index(),
        Index(frozenset({"updated_since"}), key=("updated_at", "id"), ascending=True),
        Index(frozenset({"user"}), within=("author",)),
        Index(frozenset({"launched"}), within=("launched",)),
    )

    class Meta:
        model = Product
        fields: list[str] = []

    def saying(self, queryset: QuerySet[Product], name: str, value: str) -> QuerySet[Product]:
        return queryset.filter(Q(name__icontains=value) | Q(description__icontains=value))
