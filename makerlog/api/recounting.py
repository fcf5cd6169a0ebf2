"""What is kept beside the facts that it follows from, and how the two are compared.

Each comparison is one statement, so one moment: whoever changes a fact changes what is kept of it in the same transaction,
and both are seen or neither. What is wrong is mended under the locks that writers take, by a statement that begins once
they are held.
"""

# ruff: noqa: S608  (the names of our own tables and columns, and nothing that anybody sends)

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from django.db import connection, transaction

BATCH = 10_000  # rows in one statement


class Difference(NamedTuple):
    """``pk``: of the row that keeps ``kept`` where ``fact`` is right; ``where``: which part of it, "" for the one it has."""

    pk: int
    kept: str
    fact: str
    where: str = ""


class Comparison(Protocol):
    """``name``: what is kept, of what; ``table``: whose rows are walked, so many at a time."""

    @property
    def name(self) -> str: ...
    @property
    def table(self) -> str: ...
    @property
    def batch(self) -> int: ...

    def wrong(self, low: int, high: int) -> list[Difference]:
        """Among the rows with ids from ``low`` to ``high``, both included."""

    def mend(self, ids: list[int]) -> None:
        """Within a transaction."""


@dataclass(frozen=True)
class Kept:
    """A comparison in SQL. ``value`` and ``fact``: expressions over one row, which is called ``kept``. ``owner``: the id of
    the maker who is locked before it, where writers do so. ``mends``: statements that take %(ids)s; where there are none, the
    column that ``value`` is becomes ``fact``."""

    name: str
    table: str
    value: str
    fact: str
    owner: str = ""
    mends: tuple[str, ...] = ()
    batch: int = BATCH

    def wrong(self, low: int, high: int) -> list[Difference]:
        sql = (
            f"SELECT kept.id, ({self.value})::text, ({self.fact})::text FROM {self.table} kept"
            f" WHERE kept.id BETWEEN %s AND %s AND ({self.value})::text IS DISTINCT FROM ({self.fact})::text ORDER BY kept.id"
        )
        return [Difference(pk, str(kept), str(fact)) for pk, kept, fact in rows(sql, [low, high])]

    def mend(self, ids: list[int]) -> None:
        if self.owner:
            owners = f"SELECT {self.owner} FROM {self.table} kept WHERE kept.id = ANY(%s)"
            rows(f"SELECT id FROM accounts_maker WHERE id IN ({owners}) ORDER BY id FOR NO KEY UPDATE", [ids])
        rows(f"SELECT id FROM {self.table} WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [ids])
        column = self.value.removeprefix("kept.")
        right = f"UPDATE {self.table} kept SET {column} = ({self.fact}) WHERE kept.id = ANY(%(ids)s)"
        for statement in self.mends or (right,):
            with connection.cursor() as cursor:
                cursor.execute(statement, {"ids": ids})


def rows(sql: str, values: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()


class Batch(NamedTuple):
    """``size``: rows that were looked at. ``left``: of the differences, those that are still there."""

    size: int
    differences: list[Difference]
    left: list[Difference]


def compare(comparison: Comparison, *, mend: bool = False) -> Iterator[Batch]:
    """Batch by batch, in the order of ids."""
    last = 0
    ahead = f"SELECT id FROM {comparison.table} WHERE id > %s ORDER BY id LIMIT {comparison.batch}"
    while True:
        [(size, low, high)] = rows(f"SELECT count(*), min(id), max(id) FROM ({ahead}) ahead", [last])
        if not size:
            return
        found = left = comparison.wrong(low, high)
        if found and mend:
            with transaction.atomic():
                comparison.mend(sorted({each.pk for each in found}))
            left = comparison.wrong(low, high)
        yield Batch(size, found, left)
        last = high


def size_of(table: str) -> int:
    [(size,)] = rows(f"SELECT count(*) FROM {table}", [])
    return size
