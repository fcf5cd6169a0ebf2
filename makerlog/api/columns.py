"""What compiled reads ask PostgreSQL for, in the ORM's terms."""

from typing import Any

from django.db.models import BigIntegerField, Expression, F, Func, Lookup, TextField


class Asked(tuple[Any, ...]):
    """Columns that are asked for again and again: known by being the same object, so that nothing compares them."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


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


class Number(Expression):
    """A whole number, as it is."""

    output_field = BigIntegerField()

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[()]]:
        return f"{self.number}", ()


class AnyOf(Lookup):
    """``column = ANY(list)``: one statement for however many there are in the list."""

    def __init__(self, path: str, values: list[int]) -> None:
        super().__init__(F(path), values)

    def get_prep_lookup(self) -> Any:
        return self.rhs

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        sql, params = self.process_lhs(compiler, connection)
        return f"{sql} = ANY(%s)", (*params, self.rhs)
