"""Filters that name a maker."""

from typing import Any

import django_filters
from django.db.models import Q

from makerlog.accounts.lookups import id_of
from makerlog.api.filters import ConditionFilter


class MakerFilter(ConditionFilter, django_filters.CharFilter):
    """Rows of one maker, by numeric id or username."""

    def __init__(self, field_name: str = "author", **kwargs: Any) -> None:
        super().__init__(field_name=field_name, max_length=150, help_text="Numeric id or username.", **kwargs)

    def values(self, value: str) -> tuple[int]:
        """The maker's id; 0, which is nobody's, where there is no such maker."""
        return (id_of(value) or 0,)

    def condition(self, pk: int) -> Q:
        return Q(**{self.field_name: pk})
