"""Query parameters: declared in FilterSets, together with the index that serves them."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any, ClassVar

import django_filters
from django import forms
from django.db import connection
from django.db.models import Model, Q, QuerySet
from django.utils import timezone
from django_filters.rest_framework import DjangoFilterBackend
from django_filters.utils import translate_validation
from rest_framework.request import Request

from makerlog.api.columns import Condition, Says
from makerlog.api.exceptions import BadParameter
from makerlog.api.fields import MAX_ID
from makerlog.api.keyset import Bounds, Branch, Reading
from makerlog.api.reader import rows_of
from makerlog.api.text import is_blank, to_nfc
from makerlog.api.timezones import midnight, moment_said

MAX_ID_DIGITS = 20  # one more than any id has
COMMIT_HORIZON = timedelta(seconds=1)
ORDERINGS = [("created_at", "Oldest first"), ("-created_at", "Newest first")]


@dataclass(frozen=True)
class Index:
    """Parameters that one database index serves together, and how it orders their rows.

    Asked for are ``all_of`` and, where there are any, some of ``any_of``. ``within``: the columns they pin down, which the
    index begins with. ``key``: the row's fields that follow, in a total order. Where the index is on another table,
    ``model`` is that table's and ``columns`` are the key's fields there, as the row's queryset names them.
    """

    all_of: frozenset[str] = frozenset()
    any_of: frozenset[str] = frozenset()
    within: tuple[str, ...] = ()
    key: tuple[str, ...] = ("created_at", "id")
    model: type[Model] | None = None
    columns: tuple[str, ...] = ()
    ascending: bool = False  # oldest first, whatever ``ordering`` says

    def serves(self, given: set[str]) -> set[str]:
        """Those of the ``given`` parameters that this index serves; none where it cannot be used."""
        usable = self.all_of <= given and (not self.any_of or self.any_of & given)
        return given & (self.all_of | self.any_of) if usable else set()


class KeysetFilterSet(django_filters.FilterSet):
    """Filters of one list. ``indexes`` says which of them an index serves; what is left is looked for in a window."""

    base_filters: Any  # by name: of the class, all; of one request's, those that it names
    indexes: ClassVar[tuple[Index, ...]] = (Index(),)
    ordering = django_filters.ChoiceFilter(choices=ORDERINGS, method="unchanged", help_text="Default: `-created_at`.")

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        """Of the filters, with only those that ``data`` names: they are copied for each request, and made a form of."""
        self.base_filters = {name: each for name, each in self.base_filters.items() if name in (data or {})}
        super().__init__(data, *args, **kwargs)

    def reading(self, queryset: QuerySet[Any], branches: tuple[Branch, ...]) -> Reading:
        """How the list is to be read; a ValidationError for parameters that say nothing sensible."""
        if not self.form.is_valid():
            raise translate_validation(self.form.errors)
        given = self.asked_for()
        index = self.best_index(given)
        served = index.serves(given)
        rest = given - served
        bounding = {name for name in served if self.in_order(name, index)}
        pinning = {name for name in served if index.model is None and self.filter(name).field_name in index.within}
        return Reading(
            rows=queryset,
            served=self.conditions(served - bounding - pinning),
            sought=self.conditions(rest),
            pins={self.filter(name).field_name: self.values(name)[0] for name in pinning},
            bounds=reduce(Bounds.__and__, (self.bounds(name) for name in sorted(bounding)), Bounds()),
            key=self.directed(index),
            columns=index.columns,
            branches=self.branches(index, branches),
        )

    @classmethod
    def unfiltered(cls, queryset: QuerySet[Any], branches: tuple[Branch, ...]) -> Reading:
        """How the list is read where no parameter says anything: by its first index, the newest first."""
        key = tuple(f"-{name}" for name in cls.indexes[0].key)
        return Reading(rows=queryset, key=key, branches=branches)

    def asked_for(self) -> set[str]:
        """The names of the filters that this request uses."""
        return {name for name in self.filters if self.given(name)} - {"ordering"}

    def best_index(self, given: set[str]) -> Index:
        """The index that serves the most of what is asked for; of equals, the one declared first."""
        return max(self.indexes, key=lambda index: len(index.serves(given)))

    def given(self, name: str) -> bool:
        return self.value(name) not in (None, "", [])

    def value(self, name: str) -> Any:
        return self.form.cleaned_data.get(name)

    def filter(self, name: str) -> Any:
        return type(self).base_filters[name]

    def conditions(self, names: set[str]) -> tuple[Condition, ...]:
        """In one order, however they were asked for."""
        return tuple(self.condition(name) for name in sorted(names))

    def condition(self, name: str) -> Condition:
        each = self.filter(name)
        return Condition((type(self), name), each.condition, self.values(name), each.texts)

    def values(self, name: str) -> tuple[Any, ...]:
        """What the condition of a filter is made of; of one that pins down a column, the value of that alone."""
        return self.filter(name).values(self.value(name))

    def bounds(self, name: str) -> Bounds:
        return self.filter(name).bounds(self.value(name))

    def in_order(self, name: str, index: Index) -> bool:
        """Whether a filter bounds the very column that the index is in the order of."""
        each = self.filter(name)
        return isinstance(each, RangeFilter) and each.field_name == index.key[0]

    def directed(self, index: Index) -> tuple[str, ...]:
        ascending = index.ascending or self.form.cleaned_data.get("ordering") == "created_at"
        return index.key if ascending else tuple(f"-{name}" for name in index.key)

    def branches(self, index: Index, branches: tuple[Branch, ...]) -> tuple[Branch, ...]:
        """What the reader may see, in the terms of ``index``. Lists read by way of a link table say it their way."""
        return branches

    def unchanged(self, queryset: QuerySet[Any], name: str, value: Any) -> QuerySet[Any]:
        return queryset


class FilterBackend(DjangoFilterBackend):
    """Filters apply to lists, where they choose the index; a detail is found by its key alone."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        return queryset


OLDEST_WRITER = (
    "SELECT least(min(xact_start), statement_timestamp()) FROM pg_stat_activity"
    " WHERE backend_xid IS NOT NULL AND datname = current_database() AND pid <> pg_backend_pid()"
)


def commit_horizon() -> datetime:
    """Everything older than this is committed or never will be."""
    ((oldest,),) = rows_of(OLDEST_WRITER, [])
    return oldest - COMMIT_HORIZON


class FlexibleDateTimeField(forms.DateTimeField):
    """ISO 8601, or ``YYYY-MM-DD H:MM``, or a day; without an offset in the request's zone. A "+" that reached us as a
    space (an unencoded query) is put back."""

    default_error_messages = {
        "invalid": "Write a moment as 2026-05-20T12:00:00Z, as 2026-05-20 12:00, or as 2026-05-20.",
    }
    UNENCODED = re.compile(r"(T\d\d:\d\d\S{0,20}) (\d\d:?\d\d)$")  # bounded: what repeats "T00:00" would take seconds
    FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

    def to_python(self, value: Any) -> datetime | None:
        if isinstance(value, str):
            value = moment_said(self.UNENCODED.sub(r"\1+\2", value.strip()))
        moment = super().to_python(value)
        # Nothing was logged before or after; and the day around the year 1 or 9999 has no end.
        return moment and min(max(moment, self.FIRST), self.LAST)


class LastMomentField(FlexibleDateTimeField):
    """The same, as an end: a bare day is all of it, up to its last microsecond, of which PostgreSQL knows none shorter."""

    def to_python(self, value: Any) -> datetime | None:
        moment = super().to_python(value)
        if moment is None or not is_bare_day(str(value)):
            return moment
        return day_around(moment)[1] - timedelta(microseconds=1)


def is_bare_day(text: str) -> bool:
    """Of text that names a moment, whether it names a day alone."""
    return not set(text.strip()) & set(":Tt ")


def moment_named(request: Request, name: str) -> datetime | None:
    """The moment a query parameter names, for views that are no list; None where it is not given."""
    try:
        return FlexibleDateTimeField(required=False).clean(request.query_params.get(name))
    except forms.ValidationError as error:
        raise BadParameter(f"{name}: {' '.join(error.messages)}") from error


class ConditionFilter(django_filters.Filter):
    """A filter that is one condition; each of a list's is one. ``texts``: columns that it reads from end to end."""

    texts: tuple[str, ...] = ()

    def values(self, value: Any) -> tuple[Any, ...]:
        """What ``condition`` is made of: texts, whole numbers, moments, truths or None."""
        return (value,)

    def condition(self, *values: Any) -> Q:
        """Of ``values`` it may look at what is None, True or False: it is said once for all others (statements.py)."""
        return Q((f"{self.field_name}__{self.lookup_expr}", *values))


class ChoiceFilter(ConditionFilter, django_filters.ChoiceFilter):
    pass


class SearchField(forms.CharField):
    """What shows nothing is looked for nowhere, as if it were not given."""

    def to_python(self, value: Any) -> str:
        text = super().to_python(value) or ""
        return "" if is_blank(text) else to_nfc(text)


class SearchFilter(ConditionFilter, django_filters.CharFilter):
    """Rows that say a text in one of ``fields``, whatever its case."""

    field_class = SearchField

    def __init__(self, *fields: str, **kwargs: Any) -> None:
        super().__init__(max_length=100, **kwargs)
        self.texts = fields

    def values(self, value: str) -> tuple[str]:
        return (f"%{connection.ops.prep_for_like_query(value)}%",)

    def condition(self, pattern: str) -> Q:
        return reduce(Q.__or__, (Q(Says(field, pattern)) for field in self.texts))


class RangeFilter(ConditionFilter):
    """Rows between two values of one column. Where the list is in the order of that column, the bounds join the walk (see
    keyset.Bounds); elsewhere they are a filter like any other."""

    def bounds(self, value: Any) -> Bounds:
        raise NotImplementedError

    def values(self, value: Any) -> tuple[Any, ...]:
        return self.bounds(value)

    def condition(self, *values: Any) -> Q:
        floor, ceiling, to_ceiling = values
        found = Q() if floor is None else Q(**{f"{self.field_name}__gte": floor})
        if ceiling is None:
            return found
        return found & Q(**{f"{self.field_name}__{'lte' if to_ceiling else 'lt'}": ceiling})


class SinceFilter(RangeFilter):
    """Rows from a moment on."""

    field_class = FlexibleDateTimeField

    def bounds(self, value: datetime) -> Bounds:
        return Bounds(floor=value)


class UntilFilter(RangeFilter):
    """Rows up to a moment, or up to the end of a day."""

    field_class = LastMomentField

    def bounds(self, value: datetime) -> Bounds:
        return Bounds(ceiling=value, to_ceiling=True)


class DayFilter(RangeFilter):
    """Rows of the day, in the request's zone, that holds the moment given."""

    field_class = FlexibleDateTimeField

    def bounds(self, value: datetime) -> Bounds:
        return Bounds(*day_around(value))


class DaysFilter(RangeFilter):
    """Rows of the last days: one of ``PERIODS``, in the request's zone."""

    PERIODS: ClassVar[dict[str, tuple[int, int]]] = {  # first and last day, counted back from today
        "today": (0, 0),
        "yesterday": (1, 1),
        "week": (6, 0),
        "month": (29, 0),
        "year": (364, 0),
    }
    field_class = forms.ChoiceField

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=[(name, name) for name in self.PERIODS], **kwargs)

    def bounds(self, value: str) -> Bounds:
        zone, today = timezone.get_current_timezone(), timezone.localdate()
        first, last = self.PERIODS[value]
        start, end = today - timedelta(days=first), today - timedelta(days=last - 1)
        return Bounds(midnight(start, zone), midnight(end, zone))


class UpdatedSinceFilter(RangeFilter):
    """Rows changed at or after a moment, oldest change first, up to the commit horizon.

    A row's ``updated_at`` is set by the database inside its transaction and becomes visible at its commit. So nothing
    is handed out from after the start of the oldest transaction that is still writing: a reader who goes on from the
    last row it saw misses none.
    """

    field_class = FlexibleDateTimeField

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(field_name="updated_at", **kwargs)

    def bounds(self, value: datetime) -> Bounds:
        return Bounds(value, commit_horizon())


def day_around(moment: datetime) -> tuple[datetime, datetime]:
    """The day of the request's zone that holds ``moment``, as [start, end)."""
    zone = timezone.get_current_timezone()
    day = moment.astimezone(zone).date()
    return midnight(day, zone), midnight(day + timedelta(days=1), zone)


TRUTH = {"true": True, "1": True, "false": False, "0": False}


class TruthField(forms.TypedChoiceField):
    def to_python(self, value: Any) -> str:
        return super().to_python(value).strip().lower()


class BooleanFilter(ConditionFilter, django_filters.TypedChoiceFilter):
    """``true``, ``false``, ``1``, ``0``, in any case; anything else is a 400, not silence."""

    field_class = TruthField

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=[(word, word) for word in TRUTH], coerce=TRUTH.__getitem__, empty_value=None, **kwargs)


class IdField(forms.CharField):
    """Digits, and nothing else that Python or Django would read as a number: no 1.5, 1e3, +1 or ٣."""

    default_error_messages = {"invalid": "Write a whole number from 1."}

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value) or ""
        if not text:
            return None
        if not (text.isascii() and text.isdigit() and text.strip("0")):
            raise forms.ValidationError(self.error_messages["invalid"], "invalid")
        return min(int(text[:MAX_ID_DIGITS]), MAX_ID)


class IdFilter(ConditionFilter, django_filters.NumberFilter):
    """Rows that belong to one other, by its id. Beyond what an id can be there are none."""

    field_class = IdField
