"""The parameters of /discussions/ and the indexes that serve them."""

import django_filters
from django.db.models import Q, QuerySet

from discussions.models import Discussion
from makerlog.accounts.filters import MakerFilter
from makerlog.api.filters import Index, KeysetFilterSet, UpdatedSinceFilter


class DiscussionFilter(KeysetFilterSet):
    type = django_filters.ChoiceFilter(choices=Discussion.Type.choices)
    owner = MakerFilter()
    user = MakerFilter()
    search = django_filters.CharFilter(method="saying", max_length=100, help_text="In the title or the body.")
    updated_since = UpdatedSinceFilter(help_text="What changed since, oldest change first.")

    indexes = (
        Index(),
        Index(frozenset({"updated_since"}), key=("updated_at", "id"), ascending=True),
        Index(frozenset({"owner"}), within=("author",)),
        Index(frozenset({"user"}), within=("author",)),
        Index(frozenset({"type"}), within=("type",)),
    )

    class Meta:
        model = Discussion
        fields: list[str] = []

    def saying(self, queryset: QuerySet[Discussion], name: str, value: str) -> QuerySet[Discussion]:
        return queryset.filter(Q(title__icontains=value) | Q(body__icontains=value))
