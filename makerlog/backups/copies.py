"""Rows to files and back, by COPY: every server version has it, and the driver brings TLS. One file a table, gzipped."""

import gzip
from pathlib import Path
from urllib.parse import quote

from django.db import connection, transaction

from makerlog.backups.contents import ONE_SPELLING, execute

FOLDER = "tables"
LEVEL = 6  # of gzip


def path_of(table: str) -> str:
    """Of the file of a table, in the folder of a backup."""
    return f"{FOLDER}/{quote(table, safe='')}.copy.gz"


@transaction.atomic
def copy_out(folder: Path, columns: dict[str, list[str]]) -> list[str]:
    """Write the rows of each table as the transaction sees them. Returns the paths in ``folder``."""
    execute(ONE_SPELLING)
    (folder / FOLDER).mkdir()
    for table, names in columns.items():
        with gzip.open(folder / path_of(table), "wb", compresslevel=LEVEL) as file:
            copy(f"COPY public.{table} ({', '.join(names)}) TO STDOUT", file)
    return [path_of(table) for table in columns]


@transaction.atomic
def copy_in(folder: Path, columns: dict[str, list[str]], schema: str) -> None:
    """Read the rows of each table into ``schema``, whose tables are emptied first."""
    execute(ONE_SPELLING, f"TRUNCATE {', '.join(f'{schema}.{table}' for table in columns)}")
    for table, names in columns.items():
        with gzip.open(folder / path_of(table), "rb") as file:
            copy(f"COPY {schema}.{table} ({', '.join(names)}) FROM STDIN", file)


def copy(sql: str, file: gzip.GzipFile) -> None:
    with connection.cursor() as cursor, connection.wrap_database_errors:
        cursor.copy_expert(sql, file)
