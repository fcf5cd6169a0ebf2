"""Reading a list by an index: from a position on, in the index's own order, as many rows as are shown and one.

Where filters are combined that no one index serves, a page looks at ``WINDOW`` rows of the best index and hands out what it
found, with a position to go on from. Where texts are searched, at fewer rows if these hold more than ``WINDOW_BYTES``.
"""

import itertools
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import reduce
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple

from django.db.models import DateTimeField, F, Field, Lookup, Q, QuerySet
from django.db.models.expressions import Combinable
from django.db.models.fields.tuple_lookups import (
    Tuple,
    TupleGreaterThan,
    TupleGreaterThanOrEqual,
    TupleLessThan,
    TupleLessThanOrEqual,
)

from makerlog.api.columns import Asked, Condition, Number, Octets, UtcText
from makerlog.api.prepared import fetched
from makerlog.api.reader import rows_of
from makerlog.api.statements import ANY_LIMIT, NO_ROWS, Written, statements, union_all, written
from makerlog.api.window import read_from

WINDOW = 2_000
WINDOW_BYTES = 1024 * 1024  # of the texts that are searched for up to ORDINARY_TEXT letters, fewer for longer ones:
ORDINARY_TEXT = 10  # what nearly matches everywhere, PostgreSQL compares letter by letter at each place

Row = tuple[Any, ...]
Position = Sequence[Any]


class Bounds(NamedTuple):
    """Where a walk over the first column of its key begins and ends; None for no bound. The floor belongs to the walk."""

    floor: Any = None
    ceiling: Any = None
    to_ceiling: bool = False  # whether the ceiling belongs to it, too

    def __and__(self, other: "Bounds") -> "Bounds":
        floors = [each.floor for each in (self, other) if each.floor is not None]
        ceilings = [each for each in (self, other) if each.ceiling is not None]
        lowest = min(ceilings, key=lambda each: (each.ceiling, each.to_ceiling), default=Bounds())
        return Bounds(max(floors, default=None), lowest.ceiling, lowest.to_ceiling)


class Branch(NamedTuple):
    """One part of what the reader may see: rows of ``condition``, and of one ``author`` where it names one. ``narrow``: it
    has an index of its own, of one maker's rows, in which filters are looked up; elsewhere their values are pinned as the
    columns that the list's index begins with."""

    condition: Q = Q()
    narrow: bool = False
    author: int | None = None

    @property
    def where(self) -> Q:
        return self.condition if self.author is None else self.condition & Q(author=self.author)


class Reading(NamedTuple):
    """One list as one request asks for it.

    ``served``: the filters that the index serves, beside ``pins``: the values of the columns that it begins with.
    ``sought``: those that no index serves: rows are looked through for them, a window at a time.
    ``key``: fields of the row whose order is total, each with "-" or none. ``columns``: where the index keeps them.
    ``branches``: disjoint; together, what the reader may see.
    """

    rows: QuerySet[Any]
    key: tuple[str, ...]
    served: tuple[Condition, ...] = ()
    sought: tuple[Condition, ...] = ()
    pins: Mapping[str, Any] = MappingProxyType({})
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
        """What reads the values of the key; of a generated column, the field of what is generated."""
        found: list[Any] = [self.rows.model._meta.get_field(name) for name in self.names]
        return [field.output_field if field.generated else field for field in found]

    @property
    def texts(self) -> list[str]:
        """The columns that are searched."""
        return [text for each in self.sought for text in each.texts]

    def reversed(self) -> "Reading":
        flipped = tuple(name[1:] if name.startswith("-") else f"-{name}" for name in self.key)
        return self._replace(key=flipped)

    def within(self, branch: Branch) -> "Reading":
        """This list, of one branch alone."""
        pins, looked_up = ({}, Q(**self.pins)) if branch.narrow else (self.pins, Q())
        own = Condition("branch", lambda: branch.where & looked_up)
        return self._replace(pins=pins, served=(*self.served, own), branches=())

    @property
    def where(self) -> Q:
        """All that the index serves beside the pins."""
        return reduce(Q.__and__, (each.where for each in self.served), Q())

    @property
    def found(self) -> QuerySet[Any]:
        """Of ``rows``, those that are sought. One call of filter for each: a row must meet each with a link of its own."""
        return reduce(lambda rows, each: rows.filter(each.where), self.sought, self.rows)

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

    def step_past(self, position: Position) -> Position:
        """The position right behind ``position`` in reading order: a walk that turns back there begins with the row at
        ``position``, if there still is one. A key ends with a whole number, so no row can lie between the two."""
        *leading, number = position
        return (*leading, number - 1 if self.descending else number + 1)

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

    # --- As a statement that is written once ---

    @property
    def values(self) -> list[Any]:
        """What differs between two requests for the same list, if its rows are ``fixed``."""
        owners = [branch.author for branch in self.branches]
        filters = [value for each in (*self.served, *self.sought) for value in each.values]
        return [*self.pins.values(), self.bounds.floor, self.bounds.ceiling, *owners, *filters]

    def refilled(self, values: Iterable[Any]) -> "Reading":
        """The same list with other ``values``."""
        left = iter(values)
        return self._replace(
            pins={name: next(left) for name in self.pins},
            bounds=self.bounds._replace(floor=next(left), ceiling=next(left)),
            branches=tuple(branch._replace(author=next(left)) for branch in self.branches),
            served=tuple(each._replace(values=tuple(islice(left, len(each.values)))) for each in self.served),
            sought=tuple(each._replace(values=tuple(islice(left, len(each.values)))) for each in self.sought),
        )

    @property
    def shape(self) -> Hashable | None:
        """All that its statement depends on beside its values; None where nothing but the ORM can tell."""
        if not is_fixed(self.rows):
            return None
        branches = tuple([(branch.condition, branch.narrow) for branch in self.branches])
        filters = [tuple([each.name for each in some]) for some in (self.served, self.sought)]
        window = (WINDOW, WINDOW_BYTES)
        return (self.rows, self.key, *self.pins, self.columns, self.bounds.to_ceiling, branches, *filters, *window)


def fixed(rows: QuerySet[Any]) -> QuerySet[Any]:
    """``rows``, declared once and for all requests: what is read of them need be written as SQL only once. Whatever is made
    of them by filtering is fixed no more."""
    rows.fixed = True  # type: ignore[attr-defined]
    return rows


def is_fixed(rows: QuerySet[Any]) -> bool:
    return getattr(rows, "fixed", False)


class Slice(NamedTuple):
    """``rows`` in reading order, tuples of the columns asked for; ``first`` and ``last``: the positions of these two, None
    where there are none; ``rest``: the position to go on from, None at the end."""

    rows: list[Row]
    first: Row | None
    last: Row | None
    rest: Row | None


def read(reading: Reading, position: Position | None, limit: int, asked: Asked) -> Slice:
    """At most ``limit`` rows behind ``position``, in one statement, and one more for the ends of windows."""
    ends = window_ends(reading, position) if reading.sought else [None] * len(reading.branches)
    # Behind the first place where a branch has more, rows of that branch are missing: the page ends there.
    near = [end for end in ends if end is not None]
    end = (max(near) if reading.descending else min(near)) if near else None
    key = key_in(reading, asked)
    found = page_rows(reading, position, ends, limit, asked)
    rows = found if end is None else list(itertools.takewhile(until(reading, key, end), found))
    page = rows[:limit]
    first, last = (key.of(page[0]), key.of(page[-1])) if page else (None, None)
    return Slice(key.without(page), first, last, last if len(rows) > limit else end)


class KeyPlaces(NamedTuple):
    """Where in a row the columns of its key stand: among the ``width`` that are asked for, or behind them."""

    places: tuple[int, ...]
    width: int

    def of(self, row: Row) -> Row:
        return tuple([row[place] for place in self.places])

    def without(self, rows: list[Row]) -> list[Row]:
        """What was asked for."""
        return rows if max(self.places) < self.width else [row[: self.width] for row in rows]


key_places: dict[Hashable, KeyPlaces] = {}  # of each list in each order, to each kind of reader


def key_in(reading: Reading, asked: Asked) -> KeyPlaces:
    kind = (reading.rows.model, reading.key, asked.key)
    found = key_places.get(kind)
    if found is None:
        columns = asked.columns
        whole = with_key(reading, columns)
        places = tuple(place_of(column, whole) for column in said(reading))
        found = key_places[kind] = KeyPlaces(places, len(columns))  # type: ignore[arg-type]
    return found


def with_key(reading: Reading, columns: Sequence[Any]) -> list[Any]:
    """``columns``, and behind them what they lack of the key."""
    return [*columns, *(column for column in said(reading) if place_of(column, columns) is None)]


def place_of(column: Any, columns: Sequence[Any]) -> int | None:
    return next((place for place, each in enumerate(columns) if type(each) is type(column) and each == column), None)


def until(reading: Reading, key: KeyPlaces, end: Row) -> Callable[[Row], bool]:
    """Whether a row lies before ``end``, or at it."""
    return (lambda row: key.of(row) >= end) if reading.descending else (lambda row: key.of(row) <= end)


def moments_read(reading: Reading, end: Row | None) -> Row | None:
    """``end`` in the values of the key's fields."""
    return end and tuple(field.to_python(value) for field, value in zip(reading.fields, end, strict=True))


def said(reading: Reading) -> list[Any]:
    """The key as a position says it: moments as text, which orders them as well."""
    pairs = zip(reading.names, reading.fields, strict=True)
    return [UtcText(F(name)) if isinstance(field, DateTimeField) else F(name) for name, field in pairs]


# --- Statements ---


Write = Callable[[Reading, Position | None, int, list[Any]], Written]  # the number is the most rows


def page_rows(
    reading: Reading, position: Position | None, ends: Sequence[Row | None], limit: int, asked: Asked
) -> list[Row]:
    ends = [moments_read(reading, end) for end in ends]

    def write(reading: Reading, position: Position | None, most: int, more: list[Any]) -> Written:
        *others, pk = more
        left = iter(others)
        again = [end and tuple(islice(left, len(end))) for end in ends]
        return list_written(reading, position, again, most, asked.to(pk))

    key = ("page", asked.key, *(end is None for end in ends))
    values = [*(value for end in ends for value in end or ()), asked.pk]
    return rows_read(reading, position, limit + 1, key, values, write)


def rows_read(
    reading: Reading, position: Position | None, most: int, key: Hashable, more: list[Any], write: Write
) -> list[Row]:
    """``most`` rows of what is written of a reading, a position and ``more`` values: once for all readings of one shape,
    under ``key``, and filled in from then on."""
    shape, values, behind = reading.shape, reading.values, position or ()
    if shape is None:
        return rows_of(*write(reading, position, most, more))

    def write_once(values: Sequence[Any]) -> Written:
        left = iter(values)
        again, place = reading.refilled(islice(left, known)), tuple(islice(left, len(behind)))
        return write(again, place or None, ANY_LIMIT, list(left))

    known, given = len(values), [*values, *behind, *more]
    template = statements.template((key, shape), given, write_once).at_most(most)
    # Of a plan that is made for any maker or any discussion, PostgreSQL expects few rows, and may choose to sort them.
    flips = reading.pins or reading.served or reading.sought
    return rows_of(*template.filled(given)) if flips else fetched(template, given)


def list_written(
    reading: Reading, position: Position | None, ends: Sequence[Row | None], most: int, columns: Sequence[Any]
) -> Written:
    """The rows of all branches, each read by its own index, in the list's order."""
    pieces = [
        branch_rows(reading.within(branch), position, end, most)
        for branch, end in zip(reading.branches, ends, strict=True)
    ]
    answered = with_key(reading, columns)
    if len(pieces) == 1:
        return written(pieces[0].values_list(*answered))
    return merged(
        reading, [piece.values_list(*map(F, reading.names), *answered) for piece in pieces], len(answered), most
    )


def merged(reading: Reading, pieces: Sequence[QuerySet[Any]], width: int, most: int) -> Written:
    """Each piece begins with the key, which orders the whole and is not answered."""
    sql, params = union_all(map(written, pieces))
    if (sql, params) == NO_ROWS:
        return NO_ROWS
    keys = [f"k{number}" for number in range(len(reading.key))]
    answered = [f"c{number}" for number in range(width)]
    way = " DESC" if reading.descending else ""
    order = ", ".join(key + way for key in keys)
    names = ", ".join([*keys, *answered])
    outer = f"SELECT {', '.join(answered)} FROM ({sql}) page ({names}) ORDER BY {order} LIMIT {most}"  # noqa: S608
    return outer, params


def branch_rows(reading: Reading, position: Position | None, end: Row | None, most: int) -> QuerySet[Any]:
    if not reading.sought:
        return reading.after(position, reading.rows)[:most]
    # What is read is all up to the window's end, not what was in the window a moment ago: rows come and go. Twice the
    # window leaves room for those that come.
    window = reading.after(position, reading.rows, end)[: 2 * WINDOW]
    # In the window's own order, the pinned columns first: it is read in order then, and only as far as the page goes.
    pins = [f"-{name}" if reading.descending else name for name in reading.pins]
    return read_from(reading.found, window).order_by(*pins, *reading.key)[:most]


def window_ends(reading: Reading, position: Position | None) -> list[Row | None]:
    """Where the window of each branch ends; None where the branch does before that."""
    most = [window_bytes(reading)] if reading.texts else []
    found = {number: tuple(end) for number, *end in rows_read(reading, position, 1, "ends", most, ends_written)}
    return [found.get(number) for number in range(len(reading.branches))]


def window_bytes(reading: Reading) -> int:
    """How many bytes of text a page looks at."""
    longest = max(len(value) for each in reading.sought if each.texts for value in each.values)
    return WINDOW_BYTES * ORDINARY_TEXT // max(ORDINARY_TEXT, longest)


def ends_written(reading: Reading, position: Position | None, most: int, more: list[Any]) -> Written:
    """One row of each branch. ``more``: how many bytes a window of texts may have."""
    write = end_by_bytes if reading.texts else end_by_rows
    parts = enumerate(map(reading.within, reading.branches))
    return union_all([write(part, position, number, *more) for number, part in parts])


def end_by_rows(part: Reading, position: Position | None, number: int) -> Written:
    rows = part.after(position, part.rows)[WINDOW - 1 : WINDOW]
    return written(rows.values_list(Number(number), *said(part)))


def end_by_bytes(part: Reading, position: Position | None, number: int, most: int) -> Written:
    """The last of ``WINDOW`` rows, or the first with which their texts are ``most`` bytes long."""
    size: Any = reduce(Combinable.__add__, map(Octets, part.texts))  # type: ignore[arg-type]
    sql, params = written(part.after(position, part.rows)[:WINDOW].values_list(*said(part), size))
    if (sql, params) == NO_ROWS:
        return NO_ROWS
    keys = ", ".join(f"k{place}" for place in range(len(part.key)))
    totals = "row_number() OVER () AS place, sum(size) OVER (ROWS UNBOUNDED PRECEDING) AS total"
    summed = f"SELECT {keys}, {totals} FROM ({sql}) looked ({keys}, size)"  # noqa: S608
    ends = f"place = {WINDOW} OR total >= %s"
    sql = f"SELECT {number}, {keys} FROM ({summed}) summed WHERE {ends} ORDER BY place LIMIT 1"  # noqa: S608
    return sql, [*params, most]
