"""Chores: due again and again, in small bites, and what must stay stays."""

import io
import socket
import threading
from contextlib import redirect_stdout
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from makerlog.accounts.actions import create_token, log_in
from makerlog.accounts.models import AccessToken, Maker
from makerlog.accounts.purges import purge_registrations, purge_sessions, purge_tokens
from makerlog.api import purging
from makerlog.api.idempotency import purge_keys
from makerlog.api.models import IdempotencyKey
from makerlog.jobs import schedule
from makerlog.jobs.heartbeat import beat
from makerlog.jobs.models import DueChore, Job
from makerlog.jobs.purges import purge_jobs
from makerlog.jobs.schedule import SCHEDULE, enqueue_due, know_all
from makerlog.jobs.status import status
from tasks.models import DeletedTask
from tasks.purges import purge_tombstones
from tests.jobs import acts
from tests.jobs.queue import run_jobs
from tests.makers import make_maker

pytestmark = pytest.mark.django_db


def ago(**parts: float) -> Any:
    return timezone.now() - timedelta(**parts)


def test_each_chore_is_due_once_in_its_time(time_machine: Any) -> None:
    time_machine.move_to("2026-11-22 12:00Z", tick=False)
    know_all()
    enqueue_due()
    enqueue_due()
    assert run_jobs() == len(SCHEDULE)
    assert Job.objects.done().count() == len(SCHEDULE)
    time_machine.move_to("2026-11-22 12:59Z", tick=False)
    know_all()
    enqueue_due()
    hourly = sum(chore.every == timedelta(hours=1) for chore in SCHEDULE)
    assert run_jobs() == len(SCHEDULE) - hourly


def test_a_chore_put_off_while_the_clock_was_ahead_is_due_now(time_machine: Any) -> None:
    time_machine.move_to("2028-11-22 12:00Z", tick=False)
    know_all()
    enqueue_due()
    time_machine.move_to("2026-11-22 12:00Z", tick=False)
    enqueue_due()
    assert run_jobs() == len(SCHEDULE)
    enqueue_due()
    assert run_jobs() == 0
    assert Job.objects.call_back() == len(SCHEDULE)  # those of 2028
    assert run_jobs() == len(SCHEDULE)


def test_a_chore_that_is_no_longer_in_the_table_is_left_alone() -> None:
    DueChore.objects.create(name="of an older release", at=ago(days=1))
    enqueue_due()
    assert run_jobs() == 0


def test_a_round_that_leaves_something_goes_on_in_another_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purging, "BATCH", 2)
    monkeypatch.setattr(purging, "ROUND", 4)
    monkeypatch.setattr(schedule, "ROUND", 4)
    keys(10, created_at=ago(hours=25))
    schedule.do_chore.enqueue("idempotency keys")
    assert run_jobs() == 3
    assert not IdempotencyKey.objects.exists()


# --- Purges ---


def keys(many: int, **values: Any) -> None:
    kept = {"caller": "token:1", "route": "POST /", "fingerprint": "", "status": 201, **values}
    IdempotencyKey.objects.bulk_create(
        IdempotencyKey(key=f"{number} {values['created_at']}", **kept) for number in range(many)
    )


def test_a_purge_deletes_in_bites_each_a_transaction_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purging, "BATCH", 3)
    keys(7, created_at=ago(hours=25))
    with CaptureQueriesContext(connection) as captured:
        assert purge_keys() == 7
    deletes = [query["sql"] for query in captured if query["sql"].startswith("DELETE")]
    assert len(deletes) == 3
    assert sum(query["sql"].startswith("SAVEPOINT") for query in captured) == 3


def test_keys_that_count_stay() -> None:
    keys(2, created_at=ago(hours=25))
    keys(3, created_at=ago(hours=23))
    assert purge_keys() == 2
    assert IdempotencyKey.objects.count() == 3


def test_tombstones_stay_for_30_days() -> None:
    alice = make_maker("alice")
    DeletedTask.objects.create(task_id=1, author=alice, deleted_at=ago(days=31))
    DeletedTask.objects.create(task_id=2, author=alice, deleted_at=ago(days=29))
    assert purge_tombstones() == 1
    assert DeletedTask.objects.get().task_id == 2


def test_tokens_go_30_days_after_they_ended() -> None:
    alice = make_maker("alice")
    made = {}
    for name, values in {
        "revoked long ago": {"revoked_at": ago(days=31)},
        "revoked": {"revoked_at": ago(days=29)},
        "expired long ago": {"expires_at": ago(days=31)},
        "expired": {"expires_at": ago(days=29)},
        "unused for ever": {"created_at": ago(days=1000)},
    }.items():
        made[name], _ = create_token(maker=alice, name=name)
        AccessToken.objects.filter(pk=made[name].pk).update(**values)
    for name, values in {
        "left long ago": {"created_at": ago(days=999), "last_used_at": ago(days=121)},
        "never used": {"created_at": ago(days=121)},
        "left": {"created_at": ago(days=999), "last_used_at": ago(days=119)},
        "in use": {"created_at": ago(days=999), "last_used_at": ago(days=1)},
    }.items():
        log_in(maker=alice)
        AccessToken.objects.filter(name="log-in").update(name=name, **values)
    assert purge_tokens() == 4
    assert set(AccessToken.objects.values_list("name", flat=True)) == {
        "revoked", "expired", "unused for ever", "left", "in use"
    }  # fmt: skip


def test_registrations_that_lapsed_go_and_closed_accounts_stay() -> None:
    make_maker("lapsed", awaiting_activation=True, is_active=False, date_joined=ago(days=4))
    make_maker("waiting", awaiting_activation=True, is_active=False, date_joined=ago(days=2))
    make_maker("closed", is_active=False, date_joined=ago(days=400))
    make_maker("active", date_joined=ago(days=400))
    assert purge_registrations() == 1
    assert set(Maker.objects.values_list("username", flat=True)) == {"waiting", "closed", "active"}


def test_sessions_go_when_they_expire() -> None:
    Session.objects.create(session_key="a", expire_date=ago(hours=1))
    Session.objects.create(session_key="b", expire_date=timezone.now() + timedelta(hours=1))
    assert purge_sessions() == 1
    assert Session.objects.get().session_key == "b"


def test_jobs_that_are_done_stay_for_a_day_and_those_given_up_for_thirty() -> None:
    for state, days in (("SUCCESSFUL", 2), ("SUCCESSFUL", 0), ("FAILED", 31), ("FAILED", 29), ("READY", 60)):
        acts.fail.enqueue(f"{state} {days}")
        newest = Job.objects.get(args_kwargs__args=[f"{state} {days}"])
        Job.objects.filter(pk=newest.pk).update(status=state, enqueued_at=ago(days=days))
    assert purge_jobs() == 2
    assert {job.args_kwargs["args"][0] for job in Job.objects.all()} == {"SUCCESSFUL 0", "FAILED 29", "READY 60"}


@pytest.mark.parametrize(
    ("purge", "index"),
    [
        (purge_keys, "idempotency_created"), (purge_tombstones, "tombstone_age"), (purge_tokens, "token_revoked"),
        (purge_tokens, "token_expired"), (purge_tokens, "token_idle"), (purge_registrations, "maker_awaiting"),
        (purge_sessions, "django_session_expire_date_a5c62663"), (purge_jobs, "job_by_status"),
        (schedule.watch.purge, "change_age"),
    ],
)  # fmt: skip
def test_old_rows_are_found_by_an_index(purge: Any, index: str) -> None:
    with CaptureQueriesContext(connection) as captured:
        purge()
    finds = [query["sql"] for query in captured if "FOR UPDATE" in query["sql"]]
    plans = []
    with connection.cursor() as cursor:
        for sql in finds:
            cursor.execute(f"EXPLAIN {sql}")
            plans.append("\n".join(row[0] for row in cursor.fetchall()))
    assert any(index in plan for plan in plans), plans
    assert not any("Sort" in plan or "Seq Scan" in plan for plan in plans), plans


# --- How it is doing ---


def test_the_status_is_printed() -> None:
    acts.fail.enqueue("x")
    acts.fail.enqueue("y")
    Job.objects.update(run_after=ago(seconds=90))
    with redirect_stdout(io.StringIO()) as printed:
        call_command("jobs")
    assert printed.getvalue().splitlines() == [
        "waiting  2 (the oldest for 90 s)", "put off  0", "running  0", "given up 0",
    ]  # fmt: skip


def test_the_status_costs_five_queries(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(5):
        status()


def test_the_admin_runs_again_what_was_given_up(client: Client) -> None:
    client.force_login(make_maker("root", is_staff=True, is_superuser=True))
    acts.fail.enqueue("x")
    Job.objects.update(status="FAILED", worker_ids=["a"] * 10)
    url = reverse("admin:jobs_job_changelist")
    assert "tests.jobs.acts.fail" in client.get(url, {"status__exact": "FAILED"}).content.decode()
    client.post(url, {"action": "run_again", "_selected_action": [Job.objects.get().pk]})
    assert (Job.objects.waiting().count(), Job.objects.get().attempts) == (1, 0)
    assert client.get(reverse("admin:jobs_job_change", args=[Job.objects.get().pk])).status_code == 200


def test_jobs_are_shown_to_admins_alone(client: Client) -> None:
    client.force_login(make_maker("mo", is_staff=True, is_moderator=True))
    assert client.get(reverse("admin:jobs_job_changelist")).status_code == 403


def test_a_heartbeat_goes_out_and_one_that_nobody_hears_harms_nothing(settings: Any, caplog: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings.HEARTBEAT_URL = f"http://127.0.0.1:{listener.getsockname()[1]}/ping"
        heard: list[bytes] = []
        thread = threading.Thread(target=lambda: heard.append(answered(listener)))
        thread.start()
        assert beat() == 0
        thread.join()
    assert heard[0].startswith(b"GET /ping HTTP/1.1\r\n")
    assert beat() == 0
    assert "HEARTBEAT_URL does not answer" in caplog.text


def answered(listener: socket.socket) -> bytes:
    connection, _ = listener.accept()
    with connection:
        request = connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    return request
