"""Many rows at once: COPY, ids set aside beforehand, names that are free."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from django.db import connection, models

from makerlog.demo.sentences import Dice


def batches(count: int, size: int) -> Iterator[int]:
    """How many each batch holds, ``count`` in all."""
    for start in range(0, count, size):
        yield min(size, count - start)


def moments(start: datetime, end: datetime, count: int, dice: Dice) -> Iterator[datetime]:
    """``count`` moments in order, denser towards the end, as in a community that grows."""
    span = end - start
    for place in range(count):
        yield start + span * ((place + dice.random()) / count) ** 0.7


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def reserve_ids(model: type[models.Model], count: int) -> list[int]:
    """Ids that nobody else gets, so that rows which refer to each other can be sent at once."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [model._meta.db_table, count],
        )
        return [row[0] for row in cursor.fetchall()]


def copy_in(model: type[models.Model], names: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    """Sends ``rows`` with the values of the fields ``names``; the other fields get their defaults."""
    defaults = default_values(model, names)
    buffer = io.StringIO()
    csv.writer(buffer).writerows((*row, *defaults.values()) for row in rows)
    buffer.seek(0)
    statement = copy_statement(model, (*names, *defaults))
    with connection.wrap_database_errors, connection.cursor() as cursor:
        cursor.copy_expert(statement, buffer)


def default_values(model: type[models.Model], names: tuple[str, ...]) -> dict[str, Any]:
    """What Django would send for the fields that are not in ``names``; not what the database fills in by itself."""
    left = [field for field in model._meta.concrete_fields if field.attname not in names]
    ours = [field for field in left if not (field.generated or field.has_db_default() or field.primary_key)]
    return {field.attname: field.get_db_prep_save(field.get_default(), connection) for field in ours}


def copy_statement(model: type[models.Model], names: tuple[str, ...]) -> str:
    """In CSV nothing means NULL; where a column takes none, it means an empty text."""
    fields = {field.attname: field for field in model._meta.concrete_fields}
    columns = ", ".join(f"{fields[name].column}" for name in names)
    never_null = ", ".join(f"{fields[name].column}" for name in names if not fields[name].null)
    return f"COPY {model._meta.db_table} ({columns}) FROM STDIN WITH (FORMAT csv, FORCE_NOT_NULL ({never_null}))"


Taken = Callable[[list[str]], Iterable[str]]


def free_names(wanted: list[str], taken: Taken, joint: str = "") -> list[str]:
    """``wanted``, numbered from 2 where a name is taken: by an earlier run, by somebody else, or in the same list."""
    names: dict[int, str] = {}
    number = 1
    while len(names) < len(wanted):
        tail = f"{joint}{number}" if number > 1 else ""
        tried = {place: f"{name}{tail}" for place, name in enumerate(wanted) if place not in names}
        gone = {*taken(list(tried.values())), *names.values()}
        for place, name in tried.items():
            if name not in gone:
                names[place] = name
                gone.add(name)
        number += 1
    return [names[place] for place in range(len(wanted))]
