"""Reading a list by an index: from a position on, in the index's own order, as many rows as are shown and one.

Where filters are combined that no one index serves, a page looks at ``WINDOW`` rows of the best index and hands out what it
found, with a position to go on from.
"""

import heapq
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import F, Field, Lookup, Model, Q, QuerySet, prefetch_related_objects
from django.db.models.fields.tuple_lookups import (
    Tuple,
    TupleGreaterThan,
    TupleGreaterThanOrEqual,
    TupleLessThan,
    TupleLessThanOrEqual,
)

from makerlog.api.window import read_from

WINDOW = 2_000


@dataclass(frozen=True)
class Bounds:
    """Where a walk over the first column of its key begins and ends; None for no bound. The floor belongs to the walk."""

    floor: Any = None
    ceiling: Any = None
    to_ceiling: bool = False  # whether the ceiling belongs to it, too

    def __and__(self, other: "Bounds") -> "Bounds":
        floors = [each.floor for each in (self, other) if each.floor is not None]
        ceilings = [each for each in (self, other) if each.ceiling is not None]
        lowest = min(ceilings, key=lambda each: (each.ceiling, each.to_ceiling), default=Bounds())
        return Bounds(max(floors, default=None), lowest.ceiling, lowest.to_ceiling)


@dataclass(frozen=True)
class Branch:
    """One part of what the reader may see. ``narrow``: it has an index of its own, of one maker's rows, in which filters are
    looked up; elsewhere their values are pinned as the columns that the list's index begins with."""

    condition: Q = Q()
    narrow: bool = False


@dataclass(frozen=True)
class Reading:
    """One list as one request asks for it.

    ``rows``: the filters applied that no index serves. ``scan``: where there are such, the rows without them.
    ``where``: the filters that the index serves, beside ``pins``: the values of the columns that it begins with.
    ``key``: fields of the row whose order is total, each with "-" or none. ``columns``: where the index keeps them.
    ``branches``: disjoint; together, what the reader may see.
    """

    rows: QuerySet[Any]
    key: tuple[str, ...]
    scan: QuerySet[Any] | None = None
    where: Q = Q()
    pins: Mapping[str, Any] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    branches: tuple[Branch, ...] = (Branch(),)
    bounds: Bounds = Bounds()

    @property
    def descending(self) -> bool:
        return self.key[0].startswith("-")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name.removeprefix("-") for name in self.key)

    @property
    def fields(self) -> list[Field]:
        return [self.rows.model._meta.get_field(name) for name in self.names]

    def reversed(self) -> "Reading":
        flipped = tuple(name[1:] if name.startswith("-") else f"-{name}" for name in self.key)
        return replace(self, key=flipped)

    def within(self, branch: Branch) -> "Reading":
        """This list, of one branch alone: the bare rows."""
        pins = {} if branch.narrow else self.pins
        looked_up = Q(**self.pins) if branch.narrow else Q()
        where = self.where & branch.condition & looked_up
        return replace(self, rows=self.rows.prefetch_related(None), pins=pins, where=where, branches=())

    @property
    def order(self) -> list[str]:
        """The columns of the index, pinned ones included: were the order of the key alone asked for, the planner could walk
        another index of that order and throw away whatever is not of the pinned maker."""
        return [*self.pins, *(self.columns or self.names)]

    def after(
        self,
        position: Sequence[Any] | None,
        queryset: QuerySet[Any],
        end: Sequence[Any] | None = None,
    ) -> QuerySet[Any]:
        """``queryset`` in order, from behind ``position``, up to and with ``end``.

        A position takes the place of the bound that the walk sets out from. Were both said, PostgreSQL would set out from
        the bound and read past all that lies between the two.
        """
        start, stop = self.lowest(), self.highest()
        behind: type[Lookup] = TupleGreaterThan
        up_to: type[Lookup] = TupleLessThanOrEqual
        if self.descending:
            start, stop, behind, up_to = stop, start, TupleLessThan, TupleGreaterThanOrEqual
        if position is not None:
            start = self.compared(behind, position)
        if end is not None:
            stop = self.compared(up_to, end)
        sign = "-" if self.descending else ""
        # One call of filter: each further one would join a link table anew, and list a row once for each of its links.
        queryset = queryset.filter(self.where & start & stop)
        return queryset.order_by(*(sign + column for column in self.order))

    def lowest(self) -> Q:
        return self.compared(TupleGreaterThanOrEqual, () if self.bounds.floor is None else (self.bounds.floor,))

    def highest(self) -> Q:
        if self.bounds.ceiling is None:
            return self.compared(TupleLessThanOrEqual, ())
        comparison = TupleLessThanOrEqual if self.bounds.to_ceiling else TupleLessThan
        return self.compared(comparison, (self.bounds.ceiling,))

    def compared(self, comparison: type[Lookup], position: Sequence[Any]) -> Q:
        """The first columns of the index, as a row, against the pinned values and ``position``."""
        values = (*self.pins.values(), *position)
        return Q(comparison(Tuple(*map(F, self.order[: len(values)])), values)) if values else Q()

    def position(self, row: Model) -> tuple[Any, ...]:
        return tuple(getattr(row, name) for name in self.names)


@dataclass(frozen=True)
class Slice:
    """``rows`` in reading order; ``rest``: the position to go on from, None at the end."""

    rows: list[Any]
    rest: tuple[Any, ...] | None


def read(reading: Reading, position: Sequence[Any] | None, limit: int) -> Slice:
    """At most ``limit`` rows behind ``position``. One query a branch, and one more for the end of a window; what the rows
    are shown with is fetched for the page, once for all branches."""
    found = [read_branch(reading.within(branch), position, limit) for branch in reading.branches]
    merged = heapq.merge(*(piece.rows for piece in found), key=reading.position, reverse=reading.descending)
    # Behind the first place where a branch has more, rows of that branch are missing: the page ends there.
    ends = [piece.rest for piece in found if piece.rest is not None]
    end = (max(ends) if reading.descending else min(ends)) if ends else None
    rows = list(itertools.islice(itertools.takewhile(until(reading, end), merged), limit + 1))
    piece = Slice(rows[:limit], reading.position(rows[limit - 1])) if len(rows) > limit else Slice(rows, end)
    prefetch_related_objects(piece.rows, *reading.rows._prefetch_related_lookups)  # type: ignore[attr-defined]
    return piece


def until(reading: Reading, end: tuple[Any, ...] | None) -> Callable[[Any], bool]:
    """Whether a row lies before ``end``, or at it."""
    if end is None:
        return lambda row: True
    if reading.descending:
        return lambda row: reading.position(row) >= end
    return lambda row: reading.position(row) <= end


def read_branch(reading: Reading, position: Sequence[Any] | None, limit: int) -> Slice:
    if reading.scan is None:
        rows = list(reading.after(position, reading.rows)[: limit + 1])
        return Slice(rows[:limit], reading.position(rows[limit - 1]) if len(rows) > limit else None)
    # What is read is all up to the window's end, not what was in the window a moment ago: rows come and go. Twice the
    # window leaves room for those that come.
    ends = reading.after(position, reading.scan).values_list(*reading.names)[WINDOW - 1 : WINDOW]
    end = next(iter(ends), None)
    window = reading.after(position, reading.scan, end)[: 2 * WINDOW]
    # In the window's own order, the pinned columns first: it is read in order then, and only as far as the page goes.
    pins = [f"-{name}" if reading.descending else name for name in reading.pins]
    rows = list(read_from(reading.rows, window).order_by(*pins, *reading.key)[: limit + 1])
    return Slice(rows[:limit], reading.position(rows[limit - 1]) if len(rows) > limit else end)
