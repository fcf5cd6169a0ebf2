"""The worker as a process of its own: it is killed, stopped, cut off from the database, and no job is lost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from makerlog.jobs import worker as worker_module
from makerlog.jobs.models import MAX_ATTEMPTS, DueChore, Job
from makerlog.jobs.status import status
from makerlog.jobs.worker import ABANDONED, Worker
from tests.gate.serving import until
from tests.jobs import acts
from tests.jobs.queue import run_jobs

DEADLINE_S = 20.0
WORKERS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'test worker' AND datname = current_database()"


def database_url() -> str:
    """The test database's, for another process."""
    address, _, parameters = settings.DATABASE_URL.partition("?")
    return f"{address.rpartition('/')[0]}/{connection.settings_dict['NAME']}?{parameters}"


Start = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a worker on the test database. All of them are gone in the end."""
    started: list[subprocess.Popen[bytes]] = []
    variables = {
        **{name: value for name, value in os.environ.items() if name != "PROCESS"},
        "DATABASE_URL": database_url(),
        "SECRET_KEY": settings.SECRET_KEY,
        "TOKEN_PEPPERS": settings.TOKEN_PEPPERS,
        "PGAPPNAME": "test worker",
    }

    def starting() -> "subprocess.Popen[bytes]":
        command = [sys.executable, "manage.py", "worker"]
        started.append(subprocess.Popen(command, cwd=settings.BASE_DIR, env=variables, stderr=subprocess.DEVNULL))
        return started[-1]

    DueChore.objects.all().delete()
    yield starting
    for process in started:
        process.kill()
        process.wait(5)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def wait(true: Callable[[], object]) -> None:
    until(true, DEADLINE_S)


def workers() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(WORKERS)
        return [pid for (pid,) in cursor.fetchall()]


@pytest.mark.django_db(transaction=True)
def test_a_job_is_run_and_sigterm_ends_an_idle_worker(start: Start, tmp_path: Path) -> None:
    worker = start()
    acts.write.enqueue(str(tmp_path / "out"), "hello")
    wait(lambda: lines(tmp_path / "out") == ["hello"])
    wait(lambda: len(workers()) == 1)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(5) == 0
    wait(lambda: not workers())


@pytest.mark.django_db(transaction=True)
def test_a_job_whose_worker_is_killed_in_the_middle_runs_again(start: Start, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = start()
    acts.write_slowly.enqueue(str(out), 1.0)
    wait(lambda: lines(out) == ["begun"])
    first.kill()
    first.wait(5)
    start()
    wait(lambda: Job.objects.put_off().exists())  # known as abandoned at once, not after a time-out
    job = Job.objects.put_off().get(task_path="tests.jobs.acts.write_slowly")
    assert job.exception_class_path.endswith("WorkerDied")
    Job.objects.put_off().update(run_after=timezone.now())
    wait(lambda: lines(out) == ["begun", "begun", "done"])


@pytest.mark.django_db(transaction=True)
def test_sigterm_lets_the_job_under_way_finish_and_begins_no_other(start: Start, tmp_path: Path) -> None:
    out = tmp_path / "out"
    worker = start()
    acts.write_slowly.enqueue(str(out), 1.0)
    acts.write.enqueue(str(out), "second")
    wait(lambda: lines(out) == ["begun"])
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(10) == 0
    assert lines(out) == ["begun", "done"]
    assert Job.objects.waiting().filter(task_path="tests.jobs.acts.write").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_worker_outlives_its_database_connection(start: Start, tmp_path: Path) -> None:
    start()
    wait(workers)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test worker'")
    acts.write.enqueue(str(tmp_path / "out"), "hello")
    wait(lambda: lines(tmp_path / "out") == ["hello"])


@pytest.mark.django_db(transaction=True)
def test_two_workers_share_the_queue_and_the_chores(start: Start, tmp_path: Path) -> None:
    for number in range(40):
        acts.write.enqueue(str(tmp_path / "out"), str(number))
    start()
    start()
    wait(
        lambda: len(lines(tmp_path / "out")) >= 40 and Job.objects.done().count() >= 40 + DueChore.objects.count() > 40
    )
    assert sorted(map(int, lines(tmp_path / "out"))) == list(range(40))
    chores = Job.objects.filter(task_path="makerlog.jobs.schedule.do_chore")
    assert chores.count() == DueChore.objects.count(), "each once"


# --- One step at a time ---


@pytest.mark.django_db(transaction=True)
def test_a_job_comes_and_goes_with_the_transaction_that_enqueues_it(tmp_path: Path) -> None:
    with transaction.atomic():
        acts.write.enqueue(str(tmp_path / "out"), "never")
        transaction.set_rollback(True)
    assert run_jobs() == 0
    with transaction.atomic():
        acts.write.enqueue(str(tmp_path / "out"), "kept")
    assert run_jobs() == 1
    assert lines(tmp_path / "out") == ["kept"]


@pytest.mark.django_db
def test_a_failing_job_is_put_off_longer_each_time_and_given_up_in_the_end(time_machine: Any) -> None:
    time_machine.move_to("2026-11-22 12:00Z", tick=False)
    acts.fail.enqueue("no luck")
    waits = []
    while run_jobs() and not Job.objects.failed().exists():
        job = Job.objects.get()
        waits.append((job.run_after - timezone.now()).total_seconds())
        assert run_jobs() == 0
        time_machine.move_to(job.run_after, tick=False)
    assert len(waits) == MAX_ATTEMPTS - 1
    assert all(later > earlier * 2 for earlier, later in pairwise(waits[:7]))
    assert max(waits) <= 1.1 * 6 * 3600
    job = Job.objects.failed().get()
    assert (job.attempts, job.exception_class_path) == (MAX_ATTEMPTS, "builtins.ValueError")
    assert "no luck" in job.traceback


@pytest.mark.django_db
def test_a_job_that_hangs_is_cut_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(worker_module, "JOB_S", 0.2)
    acts.write_slowly.enqueue(str(tmp_path / "out"), 10.0)
    began = time.monotonic()
    assert run_jobs() == 1
    assert time.monotonic() - began < 5
    assert Job.objects.get().exception_class_path.endswith("JobTooLong")


@pytest.mark.django_db
def test_a_job_that_is_no_longer_in_the_code_fails_by_itself() -> None:
    acts.write.enqueue("a", "b")
    Job.objects.update(task_path="tests.jobs.acts.gone")
    assert run_jobs() == 1
    assert Job.objects.put_off().get().exception_class_path == "builtins.ImportError"


@pytest.mark.django_db
def test_a_job_that_kills_every_worker_is_given_up() -> None:
    acts.write.enqueue("a", "b")
    for _ in range(MAX_ATTEMPTS):
        Job.objects.update(run_after=timezone.now())
        job = Worker().claimed()
        assert job is not None
        Worker().take_back_abandoned()
    assert Job.objects.failed().get().exception_class_path.endswith("WorkerDied")


@pytest.mark.django_db
def test_a_job_of_a_living_worker_is_left_alone_until_it_cannot_be_true(time_machine: Any) -> None:
    acts.write.enqueue("a", "b")
    other = Worker()
    other.sign_on()
    other.claimed()
    Worker().take_back_abandoned()
    assert Job.objects.running().count() == 1
    time_machine.move_to(timezone.now() + ABANDONED + timedelta(seconds=1), tick=False)
    Worker().take_back_abandoned()
    assert Job.objects.running().count() == 0


@pytest.mark.django_db
def test_workers_that_a_pooler_gives_one_session_do_not_take_each_others_jobs(settings: Any, time_machine: Any) -> None:
    settings.DATABASE_POOLED = True
    acts.write.enqueue("a", "b")
    first, second = Worker(), Worker()
    for each in (first, second):
        each.sign_on()
    assert first.claimed() is not None
    second.take_back_abandoned()
    assert Job.objects.running().count() == 1
    first.take_back_abandoned()  # it is in the middle of none
    assert Job.objects.running().count() == 0


@pytest.mark.django_db
def test_a_job_begun_while_the_clock_was_ahead_is_taken_back(settings: Any, time_machine: Any) -> None:
    settings.DATABASE_POOLED = True
    acts.write.enqueue("a", "b")
    now = timezone.now()
    time_machine.move_to(now + timedelta(days=700), tick=False)
    first = Worker()
    first.sign_on()
    assert first.claimed() is not None
    time_machine.move_to(now, tick=False)
    Worker().take_back_abandoned()
    assert Job.objects.running().count() == 0


@pytest.mark.django_db
def test_the_next_job_is_found_behind_ten_thousand_that_were_put_off(tmp_path: Path) -> None:
    acts.write.enqueue(str(tmp_path / "out"), "put off")
    job = Job.objects.get()
    later = timezone.now() + timedelta(hours=1)
    rows = [Job(args_kwargs=job.args_kwargs, task_path=job.task_path, run_after=later, exception_class_path="",
                traceback="", backend_name="default") for _ in range(10_000)]  # fmt: skip
    Job.objects.bulk_create(rows)
    waiting = Job.objects.waiting().select_for_update(skip_locked=True)[:1]
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE django_tasks_database_dbtaskresult")
    assert "tasks_db_new_ordering_idx" in waiting.explain()
    found = status()
    assert (found.waiting, found.put_off, found.running, found.failed) == (1, 10_000, 0, 0)
