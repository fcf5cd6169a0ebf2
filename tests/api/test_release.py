"""`manage.py release` waits for no lock as long as the requests behind it would."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, transaction

from makerlog.api.management.commands import release
from makerlog.api.management.commands.release import Patience
from tests.moderation.workers import database_url

pytestmark = pytest.mark.django_db(transaction=True)

CHANGE = "ALTER TABLE tasks_task ALTER COLUMN event DROP NOT NULL"  # as it is; it locks all the same
INDEX = "CREATE INDEX CONCURRENTLY released ON tasks_task (event)"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "LOCK_MS", 50)
    monkeypatch.setattr(release, "REST_S", 0.01)


@contextlib.contextmanager
def in_use(statement: str = "SELECT 1 FROM tasks_task") -> Iterator[Any]:
    """By a transaction of somebody else's, which is ended by its ``rollback``."""
    with contextlib.closing(psycopg2.connect(database_url())) as other:
        other.cursor().execute(statement)
        yield other


class Said(list[str]):
    """Ends the other's transaction when it was said for the third time that one waits for it."""

    def __init__(self, other: Any) -> None:
        self.other = other

    def __call__(self, line: str) -> None:
        self.append(line)
        if len(self) == 3:
            self.other.rollback()


def test_a_statement_that_cannot_lock_its_table_is_tried_again() -> None:
    with in_use() as other:
        said = Said(other)
        with connection.execute_wrapper(Patience(time.monotonic() + 10, said).execute), connection.cursor() as cursor:
            cursor.execute(CHANGE)
    assert len(said) == 3
    assert "A table is in use" in said[0]


def test_a_transaction_is_tried_again_as_a_whole() -> None:
    tried = []

    def migrate() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            tried.append(1)
            cursor.execute("CREATE TABLE released (id integer)")
            cursor.execute(CHANGE)
            cursor.execute("DROP TABLE released")

    with in_use() as other:
        patience = Patience(time.monotonic() + 10, Said(other))
        with connection.execute_wrapper(patience.execute):
            patience.wait_for(migrate)
    assert len(tried) == 4


def test_who_never_has_the_lock_is_told_so_and_nobody_waited_long() -> None:
    hurried = connection.execute_wrapper(Patience(time.monotonic(), print).execute)
    with in_use(), hurried, connection.cursor() as cursor, pytest.raises(CommandError, match="in use all the time"):
        cursor.execute(CHANGE)


def test_an_index_that_is_made_concurrently_is_not_cut_short() -> None:
    """It waits for the transactions that were there before it, and would stay behind as an invalid one."""
    limits = []

    def note(execute: Any, *arguments: Any) -> Any:
        with connection.connection.cursor() as own:
            own.execute("SHOW lock_timeout")
            limits.append(own.fetchone()[0])
        return execute(*arguments)

    patience = connection.execute_wrapper(Patience(time.monotonic(), print).execute)
    with connection.cursor() as cursor, patience, connection.execute_wrapper(note):
        cursor.execute(INDEX)
        cursor.execute("DROP INDEX released")
    assert limits == ["0", "50ms"]


def test_other_errors_are_not_tried_again() -> None:
    patience = Patience(time.monotonic() + 10, print)
    with connection.execute_wrapper(patience.execute), connection.cursor() as cursor, pytest.raises(ProgrammingError):
        cursor.execute("SELECT nothing FROM nowhere")


def test_it_migrates(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("release")
    assert "No migrations to apply" in capsys.readouterr().out
