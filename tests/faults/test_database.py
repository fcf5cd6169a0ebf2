"""PostgreSQL is slow, frozen or gone: every thread comes free, every answer is clear, and what was is again by itself."""

import time
from collections.abc import Iterator

import pytest

from deploy.embedded import wait_until
from makerlog.gate.limits import Lane
from tests.faults.service import THREADS, Database, Reply, Service, running

DEADLINE_S = Lane.deadline
SUM = 2 * THREADS + 2  # the one worker's published connections: threads and as many fibres, watcher, teller


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[Service, Database]]:
    with running() as world:
        yield world


@pytest.fixture
def service(world: tuple[Service, Database]) -> Iterator[Service]:
    """As it was before and after every test: nothing broken, no traceback."""
    service, database = world
    assert service.get("/tasks/", token=True).status == 200
    yield service
    assert wait_until(lambda: {each.reply.status for each in service.all_at_once(THREADS)} == {200}, seconds=10)
    assert wait_until(lambda: set(database.sessions()) == {"idle"}, seconds=10), database.sessions()
    assert len(database.sessions()) <= SUM
    assert "Traceback" not in service.output()


@pytest.fixture
def database(world: tuple[Service, Database]) -> Database:
    return world[1]


def test_the_sum_is_printed_and_never_exceeded(service: Service, database: Database) -> None:
    assert "Database connections: " in service.output()
    assert "Makers at hand: " in service.output()
    most = 0
    for _ in range(6):
        asked = service.all_at_once(24)
        while any(each.is_alive() for each in asked):
            most = max(most, len(database.sessions()))
    assert THREADS - 3 <= most <= SUM


def test_a_lock_that_is_not_had_in_time_is_a_clear_503(service: Service, database: Database) -> None:
    ways = [("GET", "/tasks/", None), ("POST", "/tasks/", {"content": "x"})]
    with database.locked("tasks_task"):
        for method, path, body in ways:
            reply = service.ask(method, path, body, token=True, Idempotency_Key="lock")
            assert (reply.status, reply.code) == (503, "database_slow"), reply
            assert 1.5 < reply.seconds < 4
    # The key was not spent on what never happened.
    assert service.ask("POST", "/tasks/", {"content": "x"}, token=True, Idempotency_Key="lock").status == 201


def test_a_statement_that_is_cut_short_is_a_clear_503(service: Service, database: Database) -> None:
    with database.locked("tasks_task") as cursor:
        asked = service.all_at_once(1)[0]
        cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"

        def cancelled() -> bool:
            cursor.execute(cancel)
            return bool(cursor.rowcount)

        assert wait_until(cancelled, seconds=1.5)
    assert (asked.reply.status, asked.reply.code) == (503, "database_slow")


def test_the_admin_is_told_as_clearly(service: Service, database: Database) -> None:
    service.ask("GET", "/admin/login/")
    with database.locked("django_session"):
        reply = service.ask("GET", "/admin/", Cookie="sessionid=" + "a" * 32)
    assert (reply.status, reply.code) == (503, "database_slow"), reply
    assert reply.seconds < 4, "it waited twice"


def test_a_frozen_server_holds_no_thread_beyond_the_deadline(service: Service, database: Database) -> None:
    asked = service.all_at_once(THREADS)
    with database.frozen():
        asked += service.all_at_once(2 * THREADS)
        health = []
        end = time.monotonic() + DEADLINE_S + 3
        while any(each.is_alive() for each in asked) and time.monotonic() < end:
            health.append(service.get("/health"))
            time.sleep(0.05)
        replies = [each.reply for each in asked]
        assert {reply.status for reply in replies} <= {200, 503}
        assert "database_unavailable" in {reply.code for reply in replies}
        assert {reply.code for reply in replies} <= {"", "busy", "database_unavailable"}
        assert max(reply.seconds for reply in replies) < DEADLINE_S + 0.5
        assert {reply.status for reply in health} == {200}
        assert max(reply.seconds for reply in health) < 1
        # Free again: the next one is begun, not shed; and the watcher goes on looking.
        ready = service.get("/health/ready")
        assert (ready.status, ready.body["database"]) == (503, "does not answer")
        assert ready.seconds < 4
    assert wait_until(lambda: service.get("/tasks/", token=True).status == 200, seconds=3)
    assert wait_until(lambda: "The database answers again" in service.output(), seconds=5)


def test_after_a_crash_every_thread_finds_the_new_server_by_itself(service: Service, database: Database) -> None:
    assert {each.reply.status for each in service.all_at_once(THREADS)} == {200}
    database.die()
    gone = [each.reply for each in service.all_at_once(THREADS)]
    assert {(reply.status, reply.code) for reply in gone} == {(503, "database_unavailable")}
    database.start_again()
    codes = {each.reply.code for each in service.all_at_once(THREADS)}
    assert "" in codes
    assert codes <= {"", "busy"}  # new connections take their time on a machine that has other things to do


def test_connections_that_died_meanwhile_are_no_error(service: Service, database: Database) -> None:
    assert {each.reply.status for each in service.all_at_once(THREADS)} == {200}
    database.die()
    database.start_again()
    codes = {each.reply.code for each in service.all_at_once(THREADS)}
    assert "" in codes
    assert codes <= {"", "busy"}  # new connections take their time on a machine that has other things to do


def test_while_the_server_takes_no_writes_reads_go_on_and_writes_are_told_so(
    service: Service, database: Database
) -> None:
    def post() -> Reply:
        return service.ask("POST", "/tasks/", {"content": "Written again"}, token=True)

    assert {each.reply.status for each in service.all_at_once(THREADS)} == {200}
    with database.taking_no_writes():
        for _ in range(3):
            reply = post()
            assert (reply.status, reply.code) == (503, "database_unavailable"), reply
        assert wait_until(lambda: service.get("/tasks/", token=True).status == 200, seconds=3)
        assert wait_until(lambda: service.get("/health/ready").body["database"] == "takes no writes", seconds=5)
        assert service.get("/health/ready").status == 503
        assert {each.reply.status for each in service.all_at_once(THREADS)} == {200}
        answered = service.output().count("The database answers again")
    # Each thread has a connection that it keeps for ten minutes, but not beyond this.
    assert wait_until(lambda: service.output().count("The database answers again") > answered, seconds=5)
    assert [post().status for _ in range(2 * THREADS)] == [201] * 2 * THREADS
