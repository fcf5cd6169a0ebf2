"""What a fibre reads on its own connection, and what becomes of that when PostgreSQL is slow, silent or gone."""

import gc
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import SynchronousOnlyOperation
from django.db import DataError, OperationalError, connection
from psycopg2.extensions import set_wait_callback

from makerlog.accounts.models import Maker
from makerlog.api import waiting
from makerlog.api.prepared import WORTH, fetched
from makerlog.api.reader import rows_of
from makerlog.api.statements import Template
from makerlog.gate import deadline
from tests.fibres import THREAD, Loop, run

pytestmark = pytest.mark.django_db(transaction=True)
PID = "SELECT pg_backend_pid()"
SQUARE = Template("SELECT %s::int * %s::int", ((0, 0), (0, 0)))


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    waiting.install()
    yield
    set_wait_callback(None)
    gc.collect()  # connections that an error's frames still held


def rows(sql: str, *params: Any) -> list[Any]:
    return rows_of(sql, params)


def raised(sql: str, seconds: float = 5.0) -> str:
    try:
        with deadline.until(time.monotonic() + seconds):
            rows(sql)
    except (OperationalError, DataError) as error:
        return type(error).__name__
    return "nothing"


def test_it_reads_on_a_connection_of_its_own_without_holding_the_loop_up() -> None:
    async def scenario(loop: Loop) -> tuple[Any, Any, float]:
        first = await loop.in_fibre(lambda: rows(PID))
        loop.longest = 0.0
        slow = await loop.once(lambda: rows("SELECT pg_backend_pid() FROM pg_sleep(0.5)"))
        return first, slow, loop.longest

    first, slow, longest = run(scenario)
    assert first == slow != rows(PID)
    assert longest < 0.3


def test_what_comes_again_is_prepared_on_it(settings: Any) -> None:
    settings.PREPARED_STATEMENTS = True

    def read() -> Any:
        for number in range(WORTH + 1):
            assert fetched(SQUARE, [number]) == [(number * number,)]
        return rows("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%%$1::int'")

    async def scenario(loop: Loop) -> Any:
        return await loop.in_fibre(read)

    assert run(scenario) == [(1,)]


def test_an_error_is_django_s_and_costs_no_connection() -> None:
    async def scenario(loop: Loop) -> Any:
        first = await loop.in_fibre(lambda: rows(PID))
        assert await loop.once(lambda: raised("SELECT 1 / 0")) == "DataError"
        assert (
            await loop.once(lambda: raised("SET LOCAL statement_timeout = 1; SELECT pg_sleep(5)")) == "OperationalError"
        )
        return first, await loop.once(lambda: rows(PID))

    first, after = run(scenario)
    assert first == after


def test_one_that_died_is_opened_anew_by_a_thread() -> None:
    async def scenario(loop: Loop) -> Any:
        ((pid,),) = await loop.in_fibre(lambda: rows(PID))
        rows_killed = await loop.once(lambda: None, lambda: rows("SELECT pg_terminate_backend(%s)", pid))
        assert rows_killed == [(True,)]
        assert await loop.once(lambda: raised(PID)) == "OperationalError"
        assert await loop.once(lambda: rows(PID)) == THREAD
        return pid, await loop.in_fibre(lambda: rows(PID))

    pid, ((after,),) = run(scenario)
    assert pid != after


def test_an_answer_given_up_is_never_taken_for_the_next_one() -> None:
    async def scenario(loop: Loop) -> Any:
        await loop.in_fibre(lambda: rows(PID))
        assert await loop.once(lambda: raised("SELECT 'late' FROM pg_sleep(1)", seconds=0.2)) == "OperationalError"
        return await loop.in_fibre(lambda: rows("SELECT 'next'"))

    assert run(scenario) == [("next",)]


def test_what_only_django_s_connection_can_is_refused_in_a_fibre() -> None:
    def ask() -> str:
        try:
            return str(Maker.objects.count())
        except SynchronousOnlyOperation:
            return "refused"

    async def scenario(loop: Loop) -> Any:
        return await loop.once(ask)

    assert run(scenario) == "refused"
    assert connection.connection is None or not connection.connection.closed
