"""Whether a migration may run while the code before it serves. Pure: it looks at operations, not at a database.

A deploy migrates first; for a minute or more the old code reads and writes the new tables. So a migration may neither take
away or forbid what the old code uses, nor lock a table for as long as it takes to read it. What cannot be judged, or is
right for once, is declared with the reason: ``reviewed = {"AddIndex": "the table has a row an hour"}`` in the migration.
"""

from collections.abc import Iterator
from typing import Any

from django.db.migrations import Migration
from django.db.migrations.state import ProjectState

TWO_RELEASES = "the old code still uses it: stop using it in one release, remove it in the next, and declare that"
JUDGED_BY_EYE = "nobody can tell from here: declare what it locks, for how long, and that the old code runs on it"
CONCURRENTLY = (
    "it locks out writers while it reads the table: django.contrib.postgres.operations.{}, with atomic = False"
)

REFUSED = {
    "RemoveField": TWO_RELEASES,
    "DeleteModel": TWO_RELEASES,
    "RenameField": "the old code knows the old name: add the new one, copy, then remove the old one two releases later",
    "RenameModel": "the old code knows the old name of the table: set Meta.db_table instead",
    "AlterModelTable": "the old code knows the old name of the table",
    "AlterUniqueTogether": "a unique index is built while writers wait: CREATE UNIQUE INDEX CONCURRENTLY, by RunSQL",
    "AddIndex": CONCURRENTLY.format("AddIndexConcurrently"),
    "RemoveIndex": CONCURRENTLY.format("RemoveIndexConcurrently"),
    "RunSQL": JUDGED_BY_EYE,
    "RunPython": JUDGED_BY_EYE,
    "SeparateDatabaseAndState": JUDGED_BY_EYE,
}
HARMLESS = {
    "AlterModelOptions",
    "AlterModelManagers",
    "AlterModelTableComment",
    "AlterOrderWithRespectTo",
    "CreateModel",
}
HARMLESS |= {
    "AddIndexConcurrently",
    "RemoveIndexConcurrently",
    "AddConstraintNotValid",
    "RenameIndex",
    "RemoveConstraint",
}
TAKEN_CARELESSLY = "{} is not known here: add it to makerlog/api/upgrades.py, or declare it"


def objections(migration: Migration, state: ProjectState) -> list[str]:
    """Sentences; none: it may run. ``state``: before it; it is moved on."""
    reviewed: dict[str, str] = getattr(migration, "reviewed", {})
    created: set[str] = set()
    found = []
    for operation in migration.operations:
        kind, model = type(operation).__name__, model_of(operation)
        told = () if model in created else objection(migration, operation, state)
        found += [f"{kind} ({operation.describe()}): {why}." for why in told if not reviewed.get(kind)]
        if kind == "CreateModel":
            created.add(model)  # nobody uses it yet, and it is empty
        operation.state_forwards(migration.app_label, state)
    return found


def model_of(operation: Any) -> str:
    return str(getattr(operation, "model_name", None) or getattr(operation, "name", "")).lower()


def objection(migration: Migration, operation: Any, state: ProjectState) -> Iterator[str]:
    kind = type(operation).__name__
    if kind in REFUSED:
        yield REFUSED[kind]
    elif kind == "AddField":
        yield from about_new(operation.field)
    elif kind == "AlterField":
        yield from about_changed(
            state.models[migration.app_label, model_of(operation)].fields[operation.name], operation.field
        )
    elif kind == "AddConstraint":
        yield "it reads the table while writers wait: AddConstraintNotValid, then ValidateConstraint, with atomic = False"
    elif kind == "ValidateConstraint":
        yield from ["in one transaction with others it keeps their locks: atomic = False"] * bool(migration.atomic)
    elif kind not in HARMLESS:
        yield TAKEN_CARELESSLY.format(kind)


def about_new(field: Any) -> Iterator[str]:
    if field.many_to_many:
        return
    if not field.null and not field.has_db_default():
        yield "the old code writes rows without it, which PostgreSQL refuses: give it a db_default, or null=True"
    if field.db_index or field.unique:
        yield "its index is built while writers wait: db_index=False, and AddIndexConcurrently after it"


def about_changed(before: Any, after: Any) -> Iterator[str]:
    """Words, validators and defaults of Python's are nobody's business here, and a longer limit is no work."""
    old, new = in_database(before), in_database(after)
    if {**old, "max_length": None, "db_default": None} != {**new, "max_length": None, "db_default": None}:
        yield "its column, index or constraint changes: add another column, write to both, switch, remove the first"
    elif (new["max_length"] or 0) < (old["max_length"] or 0):
        yield "the old code writes longer ones"


def in_database(field: Any) -> dict[str, Any]:
    """What of a field the database knows."""
    _, path, arguments, values = field.deconstruct()
    known = {name: value for name, value in values.items() if name not in (*field.non_db_attrs, "default")}
    return {"max_length": None, "db_default": None, **known, "path": path, "arguments": arguments}
