"""Filters that name a maker."""

from typing import Any

import django_filters
from django.db.models import Q, Subquery

from makerlog.accounts.models import Maker
from makerlog.api.filters import ConditionFilter


class MakerFilter(ConditionFilter, django_filters.CharFilter):
    """Rows of one maker, by numeric id or username. A single value, so that an index in order can serve it."""

    def __init__(self, field_name: str = "author", **kwargs: Any) -> None:
        super().__init__(field_name=field_name, max_length=150, help_text="Numeric id or username.", **kwargs)

    def condition(self, value: str) -> Q:
        return Q(**{self.field_name: Subquery(Maker.objects.named(value).values("pk")[:1])})
