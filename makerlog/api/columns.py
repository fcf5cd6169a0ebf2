"""What compiled reads ask PostgreSQL for, in the ORM's terms."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

from django.db.models import BigIntegerField, Expression, F, Func, Lookup, Q, TextField
from django.db.models.lookups import IContains, PatternLookup


class Asked(NamedTuple):
    """Columns that are asked for again and again, as one reader is told them. ``key``: all that their SQL depends on beside
    ``pk``, the reader's id, which is None where it counts for nothing. ``to``: the columns, to a reader of any id."""

    key: Hashable
    pk: int | None
    to: Callable[[int | None], Sequence[Any]]

    @property
    def columns(self) -> Sequence[Any]:
        return self.to(self.pk)


def asked_by_all(name: Hashable, columns: Sequence[Any]) -> Asked:
    """The same of every reader."""
    return Asked(name, None, lambda pk: columns)


class Condition(NamedTuple):
    """What is asked of a row. ``name``: all that ``made`` depends on beside the ``values`` that it takes; of those, it
    may look at what is None, True or False (see statements.py). ``texts``: columns that it reads from end to end."""

    name: Hashable
    made: Callable[..., Q]
    values: tuple[Any, ...] = ()
    texts: tuple[str, ...] = ()

    @property
    def where(self) -> Q:
        return self.made(*self.values)


def by(**look_up: Any) -> Condition:
    """Equal to all of these."""
    names = tuple(look_up)
    return Condition(names, lambda *values: Q(*zip(names, values, strict=True)), tuple(look_up.values()))


class UtcText(Func):
    """A moment as UtcDateTimeField writes it. Written here, it is neither parsed nor formatted in Python: 3 microseconds
    each, of which a page of tasks has eighty."""

    arity = 1
    template = """to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    output_field = TextField()


class RowVersion(Func):
    """Names one version of a row: which transaction wrote it, and where it lies. No two versions share both, for as long as
    somebody may still see the older one; so what was made of a row under this name is never stale.

    ``path``: any column of the row but its key, which the ORM would take from the row that refers to it.
    """

    arity = 1
    output_field = TextField()

    def as_sql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, tuple[()]]:  # type: ignore[override]
        column: Any = self.source_expressions[0]
        table = compiler.quote_name_unless_alias(column.alias)
        return f"({table}.xmin::text || {table}.ctid::text)", ()


class JsonArray(Func):
    """Some columns as the text of one JSON array, so that rows of several kinds fit into one statement."""

    function = "json_build_array"
    template = "%(function)s(%(expressions)s)::text"
    output_field = TextField()


class JsonRows(Func):
    """Some columns of all rows as the text of one JSON array of arrays; NULL of none. Unlike Django's aggregates it groups by
    nothing, so it stands in a subquery by itself."""

    template = "json_agg(json_build_array(%(expressions)s))::text"
    output_field = TextField()


class Number(Expression):
    """A whole number, as it is."""

    output_field = BigIntegerField()

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[()]]:
        return f"{self.number}", ()


class Octets(Func):
    """Bytes of a text; 0 of none. PostgreSQL knows them without reading the text."""

    template = "coalesce(octet_length(%(expressions)s), 0)"
    output_field = BigIntegerField()


class AnyOf(Lookup):
    """``column = ANY(list)``: one statement for however many there are in the list."""

    def __init__(self, path: str, values: list[Any]) -> None:
        super().__init__(F(path), values)

    def get_prep_lookup(self) -> Any:
        return self.rhs

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        sql, params = self.process_lhs(compiler, connection)
        return f"{sql} = ANY(%s)", (*params, self.rhs)


class Says(IContains):
    """``icontains`` of a pattern that is ready, percent signs and all: it can be filled into a statement as it is."""

    def __init__(self, path: str, pattern: str) -> None:
        super().__init__(F(path), pattern)

    def process_rhs(self, compiler: Any, connection: Any) -> Any:
        return super(PatternLookup, self).process_rhs(compiler, connection)
