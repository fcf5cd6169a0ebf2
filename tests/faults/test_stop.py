"""How the service stops, and goes on: what was accepted is kept, what is in flight is finished, what dies is replaced."""

import signal
import threading
import time
from collections.abc import Iterator

import psutil
import pytest

from deploy.embedded import wait_until
from tests.attack.machines.load import words
from tests.faults.service import Database, Service, running

WRITERS = 6


@pytest.fixture
def both() -> Iterator[tuple[Service, Database]]:
    with running() as both:
        yield both


def write_until_refused(service: Service, writer: int, accepted: list[str], odd: list[object]) -> None:
    """Posts tasks, each once; notes what was answered 201."""
    for number in range(2_000):
        name = f"{writer}-{number}"
        reply = service.ask("POST", "/tasks/", {"content": words(), "external_id": name}, token=True)
        if reply.status == 201:
            accepted.append(name)
        elif reply.status not in (429, 503):
            odd.extend([reply.status, reply.body] if reply.status else [])
            return


def test_no_accepted_write_is_lost_at_a_graceful_stop(both: tuple[Service, Database]) -> None:
    service, database = both
    accepted: list[str] = []
    odd: list[object] = []
    writers = [
        threading.Thread(target=write_until_refused, args=(service, each, accepted, odd)) for each in range(WRITERS)
    ]
    for writer in writers:
        writer.start()
    assert wait_until(lambda: len(accepted) > 40, seconds=20)
    service.process.terminate()
    assert service.process.wait(35) == 0
    for writer in writers:
        writer.join(40)
    assert odd == []
    with database.session() as cursor:
        cursor.execute("SELECT external_id FROM tasks_task WHERE external_id IS NOT NULL")
        kept = {name for (name,) in cursor.fetchall()}
    assert set(accepted) <= kept
    assert "Traceback" not in service.output()


def test_what_is_in_flight_is_finished(both: tuple[Service, Database]) -> None:
    service, database = both
    with database.locked("tasks_task"):
        asked = service.all_at_once(2)
        assert wait_until(lambda: sum(state == "active" for state in database.sessions()) >= 2, seconds=10)
        service.process.send_signal(signal.SIGTERM)
        assert wait_until(lambda: service.get("/health").status == 0, seconds=10)
    assert [each.reply.status for each in asked] == [200, 200]
    assert service.process.wait(35) == 0


def test_a_worker_that_is_killed_is_replaced(both: tuple[Service, Database]) -> None:
    service, _ = both
    master = psutil.Process(service.process.pid)
    [killed] = master.children()
    killed.kill()
    began = time.monotonic()
    assert wait_until(lambda: service.get("/tasks/", token=True).status == 200, seconds=20)
    assert [each.pid for each in master.children()] != [killed.pid]
    assert time.monotonic() - began < 20


def test_the_workers_measure_together(both: tuple[Service, Database]) -> None:
    service, _ = both
    for _ in range(3):
        assert service.get("/tasks/", token=True).status == 200
    served = 'makerlog_requests_total{lane="token",outcome="served"}'
    assert wait_until(
        lambda: float(measured(service).get(served, 0)) == 3, seconds=5
    )  # an answer leaves before it counts
    [worker] = psutil.Process(service.process.pid).children()
    worker.kill()
    assert wait_until(lambda: service.get("/tasks/").status == 200, seconds=20)
    assert float(measured(service)[served]) == 3
    assert wait_until(lambda: measured(service).get("makerlog_threads") == "8.0", seconds=10)
    assert "makerlog_database_connections" in measured(service)


def measured(service: Service) -> dict[str, str]:
    lines = service.get("/metrics").body.decode().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
