"""What a database holds: its tables and sequences, and numbers that are the same when the rows are the same."""

from typing import Any, NamedTuple

from django.db import connection, transaction

# Relations of a schema that the role of this process owns and no extension does, with their columns. A generated column is
# left out: PostgreSQL computes it. Names are quoted as SQL needs them, and sorted in one order on every server.
RELATIONS = """
    SELECT quote_ident(relname), array_agg(quote_ident(attname) ORDER BY attname)
    FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
    WHERE relkind = ANY(%s) AND relnamespace = to_regnamespace(%s) AND pg_has_role(relowner, 'USAGE')
        AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
        AND NOT EXISTS (SELECT FROM pg_depend
            WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')
    GROUP BY relname ORDER BY relname
"""
# What a backup does not hold: the other tables and views, extensions, and what other roles may do.
LEFT_OUT = """
    SELECT 'extension ' || extname FROM pg_extension WHERE extname <> 'plpgsql'
    UNION
    SELECT CASE relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' ELSE 'table ' END
        || quote_ident(nspname) || '.' || quote_ident(relname)
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND nspname <> 'information_schema' AND nspname !~ '^pg_'
        AND NOT (relkind IN ('r', 'p') AND nspname = 'public' AND pg_has_role(relowner, 'USAGE'))
        AND NOT EXISTS (SELECT FROM pg_depend
            WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')
    UNION
    SELECT 'rights of the role ' || quote_ident(pg_get_userbyid(grantee))
    FROM pg_class, aclexplode(relacl) WHERE relnamespace = 'public'::regnamespace AND grantee NOT IN (0, relowner)
    ORDER BY 1
"""
# A row as text, and half its MD5 as a number. Sums do not depend on the order of the rows, and need no memory.
DIGEST = """
    SELECT count(*), coalesce(sum(('x' || left(md5(ROW({columns})::text), 16))::bit(64)::bigint), 0)::text
    FROM {schema}.{table}
"""
ONE_SPELLING = """
    SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'; SET LOCAL intervalstyle = 'postgres';
    SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex';
    SET LOCAL row_security = off
"""


class Table(NamedTuple):
    rows: int
    digest: str


def table_columns(schema: str = "public") -> dict[str, list[str]]:
    """The columns of each table that can be written."""
    return dict(rows(RELATIONS, [["r", "p"], schema]))


def next_numbers(schema: str = "public") -> dict[str, int]:
    """What each sequence gives next. No transaction holds a sequence: read them after the rows that they numbered."""
    names = [name for name, _ in rows(RELATIONS, [["S"], schema])]
    return {name: rows(f"SELECT last_value + is_called::int FROM {schema}.{name}")[0][0] for name in names}  # noqa: S608  (quoted)


def left_out() -> list[str]:
    return [name for (name,) in rows(LEFT_OUT)]


@transaction.atomic
def contents(columns: dict[str, list[str]], schema: str = "public") -> dict[str, Table]:
    """The rows of each table as the transaction sees them. Reads all rows: a second for some 200,000."""
    execute(ONE_SPELLING)
    return {
        table: Table(*rows(DIGEST.format(schema=schema, table=table, columns=", ".join(names)))[0])
        for table, names in columns.items()
    }


def differences(wanted: dict[str, Table], present: dict[str, Table]) -> list[str]:
    """A sentence for each table that is not as it should be."""
    sentences = []
    for name in sorted({*wanted, *present}):
        before, now = wanted.get(name), present.get(name)
        if before is None or now is None:
            sentences.append(f"{name} is {'missing' if now is None else 'one too many'}")
        elif before.rows != now.rows:
            sentences.append(f"{name} has {now.rows} rows in place of {before.rows}")
        elif before != now:
            sentences.append(f"{name} has other rows than it had")
    return sentences


def rows(sql: str, parameters: list[Any] | None = None) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
