"""A migration runs while the code before it serves: what would stop that code is refused."""

from typing import Any

import pytest
from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
from django.core.management import CommandError, call_command
from django.db import migrations, models
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ModelState, ProjectState

from makerlog.api.management.commands import check_migrations
from makerlog.api.upgrades import objections

FIELDS = {
    "id": models.BigAutoField(primary_key=True),
    "name": models.CharField(max_length=50),
    "size": models.IntegerField(null=True),
}
INDEX = models.Index(fields=["name"], name="by_name")
POSITIVE = models.CheckConstraint(condition=models.Q(size__gt=0), name="positive")


def add(field: Any) -> Any:
    return migrations.AddField("thing", "more", field)


def alter(field: Any) -> Any:
    return migrations.AlterField("thing", "name", field)


SAFE = {
    "a new table": migrations.CreateModel("Other", [("id", models.BigAutoField(primary_key=True))]),
    "a column that may be null": add(models.IntegerField(null=True)),
    "a column that PostgreSQL fills": add(models.IntegerField(db_default=0)),
    "a reference without an index": add(models.ForeignKey("shop.Thing", models.CASCADE, null=True, db_index=False)),
    "other words about a column": alter(models.CharField("Name", max_length=50, help_text="x", default="")),
    "a longer text": alter(models.CharField(max_length=80)),
    "an index, concurrently": AddIndexConcurrently("thing", INDEX),
    "a constraint that is checked later": AddConstraintNotValid("thing", POSITIVE),
}
UNSAFE = {
    "a column is dropped": (migrations.RemoveField("thing", "size"), "in the next"),
    "a table is dropped": (migrations.DeleteModel("Thing"), "in the next"),
    "a column gets another name": (migrations.RenameField("thing", "size", "width"), "old name"),
    "a table gets another name": (migrations.RenameModel("Thing", "Object"), "db_table"),
    "a column that old code does not fill": (add(models.IntegerField(default=0)), "db_default"),
    "a reference with its index": (add(models.ForeignKey("shop.Thing", models.CASCADE, null=True)), "db_index=False"),
    "a unique column": (add(models.IntegerField(null=True, unique=True)), "AddIndexConcurrently"),
    "another type": (alter(models.TextField()), "another column"),
    "a column that was null is not": (migrations.AlterField("thing", "size", models.IntegerField()), "another column"),
    "a column becomes unique": (alter(models.CharField(max_length=50, unique=True)), "another column"),
    "a shorter text": (alter(models.CharField(max_length=20)), "longer ones"),
    "an index": (migrations.AddIndex("thing", INDEX), "AddIndexConcurrently"),
    "a constraint": (migrations.AddConstraint("thing", POSITIVE), "AddConstraintNotValid"),
    "SQL": (migrations.RunSQL("SELECT 1"), "declare"),
    "Python": (migrations.RunPython(migrations.RunPython.noop), "declare"),
}


def told(*operations: Any, **more: Any) -> list[str]:
    state = ProjectState()
    state.add_model(ModelState("shop", "Thing", list(FIELDS.items()), options={"indexes": [], "constraints": []}))
    kind = type("Migration", (Migration,), {"operations": list(operations), **more})
    return objections(kind("0002_next", "shop"), state)


@pytest.mark.parametrize("operation", SAFE.values(), ids=SAFE)
def test_what_the_old_code_does_not_notice_may_run(operation: Any) -> None:
    assert told(operation) == []


@pytest.mark.parametrize(("operation", "way_out"), UNSAFE.values(), ids=UNSAFE)
def test_what_stops_the_old_code_is_refused_and_the_way_out_is_told(operation: Any, way_out: str) -> None:
    (sentence,) = told(operation)
    assert way_out in sentence


@pytest.mark.parametrize(("operation", "_"), UNSAFE.values(), ids=UNSAFE)
def test_it_may_be_declared_with_a_reason(operation: Any, _: str) -> None:
    assert told(operation, reviewed={type(operation).__name__: "ten rows"}) == []
    assert len(told(operation, reviewed={type(operation).__name__: "", "Other": "ten rows"})) == 1


def test_a_table_made_by_the_same_migration_is_nobodys_yet() -> None:
    made = migrations.CreateModel(
        "Other", [("id", models.BigAutoField(primary_key=True)), ("name", models.TextField())]
    )
    assert told(made, migrations.AddIndex("other", INDEX)) == []
    assert len(told(made, migrations.AddIndex("thing", INDEX))) == 1


def test_checking_a_constraint_holds_no_other_lock() -> None:
    both = (AddConstraintNotValid("thing", POSITIVE), ValidateConstraint("thing", "positive"))
    assert len(told(*both)) == 1
    assert told(*both, atomic=False) == []


def test_an_operation_that_is_not_known_is_refused() -> None:
    class Surprise(migrations.RunSQL):
        pass

    assert "not known here" in told(Surprise("SELECT 1"))[0]


def test_all_migrations_here_may_run(capsys: Any) -> None:
    call_command("check_migrations")
    assert "may run" in capsys.readouterr().out


def test_those_from_before_would_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the one above cannot pass by looking at nothing."""
    monkeypatch.setattr(check_migrations, "BEFORE", {})
    lines = check_migrations.refused(MigrationLoader(None))
    assert any(line.startswith("moderation.0007_incident_indexes: AddIndex (") for line in lines)
    assert any(line.startswith("tasks.0004_days_that_tasks_count_on: RunPython (") for line in lines)
    assert not any(line.startswith(("auth.", "tasks.0003_cleanups_indexes: AddIndexConcurrently")) for line in lines)
    with pytest.raises(CommandError, match=r"moderation\.0007"):
        call_command("check_migrations")
