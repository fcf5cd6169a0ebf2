"""Filters that name a maker."""

from typing import Any

import django_filters
from django.db.models import Q

from makerlog.accounts.models import Maker
from makerlog.api.columns import by
from makerlog.api.filters import ConditionFilter
from makerlog.api.prepared import looked_up

MAKERS = Maker.objects.all()


class MakerFilter(ConditionFilter, django_filters.CharFilter):
    """Rows of one maker, by numeric id or username."""

    def __init__(self, field_name: str = "author", **kwargs: Any) -> None:
        super().__init__(field_name=field_name, max_length=150, help_text="Numeric id or username.", **kwargs)

    def values(self, value: str) -> tuple[int]:
        return (self.pin(value),)

    def condition(self, pk: int) -> Q:
        return Q(**{self.field_name: pk})

    def pin(self, value: str) -> int:
        """The maker's id; 0, which is nobody's, where there is no such maker."""
        return next((pk for (pk,) in looked_up(MAKERS, by(**Maker.objects.look_up(value)), "pk")), 0)
