"""SQL that is written once for each kind of read, and filled in from then on.

The ORM stays the one place where SQL is said: it takes a millisecond to write what PostgreSQL answers in less. A writer is
run twice with values of our own making, and what differs between the two is what is to be filled in.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import QuerySet
from django.utils.functional import cached_property

MOST = 500  # statements of some 5 KB: those last used
LARGE = 2**62
ANY_LIMIT = 1_000_000  # with which a statement is written for any limit; PostgreSQL plans each for its own
USUAL = frozenset({11, 21, 26, 31, 51, 101})  # a page that is often asked for, and one row: kept of each statement
LATE = datetime(2190, 1, 1, tzinfo=UTC)

Written = tuple[str, Sequence[Any]]
Writer = Callable[[Sequence[Any]], Written]


@dataclass(frozen=True, eq=False)
class Template:
    """``places``: for each parameter the number of the value that it is, or None and the parameter itself. One is only ever
    equal to itself: it has to be found fast."""

    sql: str
    places: tuple[tuple[int | None, Any], ...]

    @cached_property
    def values(self) -> list[int]:
        """The numbers of the values that are filled in."""
        return sorted({place for place, _ in self.places if place is not None})

    def at_most(self, limit: int) -> "Template":
        """The same with ``limit`` in place of ANY_LIMIT; of each usual one there is one."""
        if limit in self.limited:
            return self.limited[limit]
        made = Template(self.sql.replace(f"LIMIT {ANY_LIMIT}", f"LIMIT {limit}"), self.places)
        return self.limited.setdefault(limit, made) if limit in USUAL else made

    @cached_property
    def limited(self) -> dict[int, "Template"]:
        return {}

    def filled(self, values: Sequence[Any]) -> Written:
        return self.sql, [fixed if place is None else values[place] for place, fixed in self.places]


class Statements:
    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._templates: OrderedDict[Hashable, Template] = OrderedDict()
        self._lock = Lock()

    def template(self, key: Hashable, values: Sequence[Any], write: Writer) -> Template:
        """What ``write`` writes, to be filled in. ``key`` is all that the writer depends on beside the values: of those,
        it may look at what is None, True or False, and at no others."""
        whole = (key, *map(kind, values))
        with self._lock:
            template = self._templates.get(whole)
            if template is not None:
                self._templates.move_to_end(whole)
        return template or self._keep(whole, template_of(values, write))

    def _keep(self, key: Hashable, template: Template) -> Template:
        with self._lock:
            self._templates[key] = template
            if len(self._templates) > self.most:
                self._templates.popitem(last=False)
        return template


def kind(value: Any) -> Any:
    return value if value is None or isinstance(value, bool) else type(value)


def template_of(values: Sequence[Any], write: Writer) -> Template:
    """ValueError where the writer looks at a value itself."""
    one, other = stand_ins(values, 1), stand_ins(values, 2)
    (sql, params), (other_sql, other_params) = write(one), write(other)
    places = tuple((place_of(param, one), param) for param in params)
    expected = [fixed if place is None else other[place] for place, fixed in places]
    if sql != other_sql or expected != list(other_params):
        raise ValueError(f"This SQL depends on a value beyond its being there: {sql[:500]}")
    return Template(sql, places)


def stand_ins(values: Sequence[Any], salt: int) -> list[Any]:
    return [stand_in(value, 1_000 * salt + number) for number, value in enumerate(values)]


def stand_in(value: Any, number: int) -> Any:
    """A value of the same kind that stands nowhere else."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, list):
        return [LARGE + number]
    if isinstance(value, int):
        return LARGE + number
    if isinstance(value, datetime):
        return LATE.replace(microsecond=number)
    if isinstance(value, str):
        return f"\ue000{number}"
    raise TypeError(f"No statement is written for values such as {value!r}.")


def place_of(param: Any, values: Sequence[Any]) -> int | None:
    if param is None or isinstance(param, bool):
        return None
    return next((place for place, value in enumerate(values) if type(value) is type(param) and value == param), None)


NO_ROWS: Written = ("SELECT NULL WHERE false", ())


def written(queryset: QuerySet[Any]) -> Written:
    """As the ORM says it; NO_ROWS where it knows that there are none."""
    try:
        return queryset.query.sql_with_params()
    except EmptyResultSet:
        return NO_ROWS


def union_all(pieces: Iterable[Written]) -> Written:
    """All rows of ``pieces``, in one statement."""
    some = [piece for piece in pieces if piece is not NO_ROWS]
    if len(some) <= 1:
        return some[0] if some else NO_ROWS
    sql = " UNION ALL ".join(f"({sql})" for sql, _ in some)
    return f"SELECT * FROM ({sql}) pieces", [param for _, params in some for param in params]  # noqa: S608


statements = Statements()
