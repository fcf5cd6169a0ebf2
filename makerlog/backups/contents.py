"""What a database holds, in numbers that are the same when it holds the same."""

from typing import Any, NamedTuple

from django.db import connection, transaction

TABLES = """
    SELECT quote_ident(relname) FROM pg_class
    WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace ORDER BY 1
"""
# A row as text, and half its MD5 as a number. Sums do not care for the order of the rows, and need no memory.
DIGEST = """
    SELECT count(*), coalesce(sum(('x' || left(md5(kept::text), 16))::bit(64)::bigint), 0)::text FROM public.{table} AS kept
"""
ONE_SPELLING = "SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'; SET LOCAL extra_float_digits = 1"


class Table(NamedTuple):
    rows: int
    digest: str


def tables() -> list[str]:
    return [name for (name,) in rows(TABLES)]


@transaction.atomic
def contents() -> dict[str, Table]:
    """Each table by its name, as the transaction sees it. Reads all rows: a second for some 200,000."""
    with connection.cursor() as cursor:
        cursor.execute(ONE_SPELLING)
    return {name: Table(*rows(DIGEST.format(table=name))[0]) for name in tables()}


def differences(wanted: dict[str, Table], found: dict[str, Table]) -> list[str]:
    """A sentence for each table that is not as it should be."""
    told = []
    for name in sorted({*wanted, *found}):
        before, now = wanted.get(name), found.get(name)
        if before is None or now is None:
            told.append(f"{name} is {'missing' if now is None else 'one too many'}")
        elif before.rows != now.rows:
            told.append(f"{name} has {now.rows} rows in place of {before.rows}")
        elif before != now:
            told.append(f"{name} has other rows than it had")
    return told


def rows(sql: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()
