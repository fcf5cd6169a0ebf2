"""Filters that name a maker."""

from typing import Any

import django_filters
from django.db.models import QuerySet, Subquery

from makerlog.accounts.models import Maker


class MakerFilter(django_filters.CharFilter):
    """Rows of one maker, by numeric id or username. A single value, so that an index in order can serve it."""

    def __init__(self, field_name: str = "author", **kwargs: Any) -> None:
        super().__init__(field_name=field_name, max_length=150, help_text="Numeric id or username.", **kwargs)

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        return qs.filter(**{self.field_name: Subquery(Maker.objects.named(value).values("pk")[:1])}) if value else qs
