"""Every row of every table of ours, before and after: what a request really did."""

import json
from typing import Any, NamedTuple

from django.apps import apps
from django.db import connection
from django.db.models import Model

Snapshot = frozenset[tuple[str, str]]  # table and row, as text: quick to take and to compare


class Change(NamedTuple):
    """Of one row, the columns that changed with what they are now: all of a new row, none of one that is gone."""

    table: str
    key: Any
    new: bool
    columns: dict[str, Any]


NOT_OURS = ("django.", "django_tasks_db.", "makerlog.jobs.")  # a mail on its way changes nothing of anybody's


def models_of_ours() -> list[type[Model]]:
    """Links between them included."""
    models = apps.get_models(include_auto_created=True)
    return [model for model in models if not model.__module__.startswith(NOT_OURS)]


def taken() -> Snapshot:
    union = " UNION ALL ".join(
        f"SELECT '{table}', to_jsonb(kept)::text FROM {table} kept"
        for table in sorted(model._meta.db_table for model in models_of_ours())
    )
    with connection.cursor() as cursor:
        cursor.execute(union)
        return frozenset(cursor.fetchall())


def changes(before: Snapshot, after: Snapshot) -> list[Change]:
    old, new = rows(before - after), rows(after - before)
    gone = [Change(*place, new=False, columns={}) for place in old.keys() - new.keys()]
    return gone + [Change(*place, place not in old, differing(old.get(place, {}), row)) for place, row in new.items()]


def differing(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in new.items() if name not in old or old[name] != value}


def rows(kept: Snapshot) -> dict[tuple[str, Any], dict[str, Any]]:
    """By table and primary key."""
    keys = {model._meta.db_table: model._meta.pk.attname for model in models_of_ours()}
    return {(table, (row := json.loads(text))[keys[table]]): row for table, text in kept}
