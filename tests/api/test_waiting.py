"""PostgreSQL is waited for with a deadline; tests/faults has the same with a frozen one under the whole service."""

import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing

import psycopg2
import pytest
from django.db import OperationalError, connection
from psycopg2.extensions import set_wait_callback

from deploy.embedded import wait_until
from makerlog.api import waiting
from makerlog.gate import deadline


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    waiting.install()
    yield
    set_wait_callback(None)


def rows(sql: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def in_time(seconds: float) -> AbstractContextManager[None]:
    return deadline.until(time.monotonic() + seconds)


def test_a_host_that_accepts_and_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with in_time(0.3), pytest.raises(waiting.Silent):
            psycopg2.connect(host="127.0.0.1", port=silent.getsockname()[1], dbname="x")
        assert 0.25 < time.monotonic() - began < 2


@pytest.mark.django_db(transaction=True)
def test_an_answer_given_up_is_never_taken_for_the_next_one() -> None:
    (pid,) = rows("SELECT pg_backend_pid()")[0]
    with in_time(0.3), pytest.raises(OperationalError):
        rows("SELECT 'late' FROM pg_sleep(30)")
    with pytest.raises(Exception, match="closed"):
        rows("SELECT 'next'")
    connection.close_if_unusable_or_obsolete()  # as Django does after every request
    assert rows("SELECT 'next'") == [("next",)]
    # And PostgreSQL does not work on for nobody.
    assert wait_until(lambda: rows(f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid}") == [], seconds=5)


@pytest.mark.django_db(transaction=True)
def test_a_large_answer_comes_whole() -> None:
    assert len(rows("SELECT repeat('x', 1000) FROM generate_series(1, 20000)")) == 20_000


@pytest.mark.django_db(transaction=True)
def test_rows_in_portions_come_whole() -> None:
    with closing(connection.chunked_cursor()) as cursor:
        connection.set_autocommit(False)
        cursor.execute("SELECT generate_series(1, 5000)")
        assert sum(len(part) for part in iter(lambda: cursor.fetchmany(2000), [])) == 5_000
    connection.rollback()
    connection.set_autocommit(True)
