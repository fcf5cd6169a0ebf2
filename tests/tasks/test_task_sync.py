"""GET /tasks/sync/"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from queue import Queue
from threading import Thread
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection, transaction

from makerlog.accounts.models import Maker
from tasks.actions import log_task
from tasks.models import DeletedTask, Task
from tests.errors import assert_error
from tests.makers import Caller, anonymous, caller
from tests.tasks.logs import bulk, log

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Caller:
    return caller("alice")


def synced(client: Caller, since: str = "", path: str = "") -> dict[str, Any]:
    response = client.get(path or f"/tasks/sync/?last_sync_date={quote(since)}")
    assert response.status_code == 200, response.content
    assert set(response.json()) == {"sync_date", "data", "deleted", "next"}
    return response.json()


def walked(client: Caller, since: str = "") -> list[dict[str, Any]]:
    """The answers from ``since`` to the one without ``next``."""
    answers = [synced(client, since)]
    while answers[-1]["next"]:
        assert len(answers) < 50, "next leads nowhere"
        answers.append(synced(client, path=answers[-1]["next"]))
    return answers


def told(answers: list[dict[str, Any]]) -> list[int]:
    return [task["id"] for answer in answers for task in answer["data"]]


def test_what_changed_and_what_is_deleted_is_told(alice: Caller) -> None:
    tasks = [log(alice.maker, str(number)) for number in range(3)]
    alice.delete(f"/tasks/{tasks[1].pk}/")
    answer = synced(alice)
    assert [task["content"] for task in answer["data"]] == ["0", "2"]
    assert (answer["deleted"], answer["next"]) == ([tasks[1].pk], None)


def test_only_ones_own_is_told_private_ones_too_hidden_ones_as_deleted() -> None:
    client = caller("alice", private=True)
    mine = log(client.maker, "mine")
    hidden = log(client.maker, "hidden")
    Task.objects.filter(pk=hidden.pk).update(hidden=True)
    other = caller("bob")
    log(other.maker, "his")
    other.delete(f"/tasks/{log(other.maker).pk}/")
    answer = synced(client)
    assert ([task["id"] for task in answer["data"]], answer["deleted"]) == ([mine.pk], [hidden.pk])


def test_a_credential_is_needed() -> None:
    assert_error(anonymous().get("/tasks/sync/"), 401, "not_authenticated")
    assert_error(caller("alice", ["products:read"]).get("/tasks/sync/"), 403, "missing_scope")
    assert_error(caller("alice").post("/tasks/sync/", {}), 405, "method_not_allowed")


def test_without_a_date_the_last_day_is_told(alice: Caller) -> None:
    old, new = log(alice.maker, "old"), log(alice.maker, "new")
    Task.objects.filter(pk=old.pk).update(updated_at=datetime.now(UTC) - timedelta(days=2))
    assert told([synced(alice)]) == [new.pk]
    assert told([synced(alice, "2026-01-01")]) == [old.pk, new.pk]


def test_the_sync_date_overlaps_with_what_was_told(alice: Caller) -> None:
    task = log(alice.maker)
    answer = synced(alice)
    assert answer["sync_date"] < alice.get(f"/tasks/{task.pk}/").json()["updated_at"]
    assert told([synced(alice, answer["sync_date"])]) == [task.pk]


def test_a_date_with_an_unencoded_plus_is_understood(alice: Caller) -> None:
    log(alice.maker)
    assert len(synced(alice, path="/tasks/sync/?last_sync_date=2026-01-01T00:00:00+02:00")["data"]) == 1


def test_an_app_that_begins_with_0_has_the_whole_log(alice: Caller) -> None:
    log(alice.maker)
    Task.objects.update(updated_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert (len(synced(alice)["data"]), len(synced(alice, "0")["data"])) == (0, 1)


@pytest.mark.parametrize("since", ["x", "%00", "2026-13-01", "1700000000"])
def test_a_date_that_is_none_is_a_400(since: str, alice: Caller) -> None:
    assert_error(alice.get(f"/tasks/sync/?last_sync_date={since}"), 400, "bad_parameter")


def test_a_date_that_is_none_is_answered_with_how_to_write_one(alice: Caller) -> None:
    error = assert_error(alice.get("/tasks/sync/?last_sync_date=yesterday"), 400, "bad_parameter")
    how = "Write a moment as 2026-05-20T12:00:00Z, as 2026-05-20 12:00, or as 2026-05-20."
    assert error["detail"] == f"last_sync_date: {how}"


@pytest.mark.parametrize("since", ["0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00"])
def test_a_date_at_the_end_of_time_is_a_date(since: str, alice: Caller) -> None:
    assert alice.get(f"/tasks/sync/?last_sync_date={since}").status_code == 200


@pytest.mark.parametrize("cursor", ["x", "WyJuIl0:abc", "%00", "a:b:c"])
def test_a_forged_cursor_is_a_400(cursor: str, alice: Caller) -> None:
    assert_error(alice.get(f"/tasks/sync/?cursor={cursor}"), 400, "bad_cursor")


def test_a_cursor_that_is_not_utf8_is_a_400(alice: Caller) -> None:
    assert_error(alice.get("/tasks/sync/?cursor=%ff"), 400, "parse_error")


def test_a_cursor_of_another_list_is_a_400(alice: Caller) -> None:
    bulk(alice.maker, 30)
    cursor = alice.get("/tasks/?limit=1").json()["next"].rsplit("cursor=", 1)[1]
    assert_error(alice.get(f"/tasks/sync/?cursor={cursor}"), 400, "bad_cursor")


def test_an_answer_is_bounded_and_next_leads_to_the_rest_once_each(alice: Caller) -> None:
    """Also right after a big import: all of it is younger than the commit horizon."""
    bulk(alice.maker, 250)
    DeletedTask.objects.bulk_create([DeletedTask(task_id=number, author=alice.maker) for number in range(1, 151)])
    answers = walked(alice)
    assert [(len(answer["data"]), len(answer["deleted"])) for answer in answers] == [(100, 100), (100, 50), (50, 0)]
    assert sorted(told(answers)) == sorted(Task.objects.values_list("pk", flat=True))
    assert sorted(pk for answer in answers for pk in answer["deleted"]) == list(range(1, 151))
    assert answers[-1]["sync_date"] <= answers[0]["sync_date"]


def test_hidden_tasks_and_tombstones_share_one_bounded_list(alice: Caller) -> None:
    bulk(alice.maker, 150, hidden=True, listed=False)
    DeletedTask.objects.bulk_create([DeletedTask(task_id=-number, author=alice.maker) for number in range(1, 151)])
    answers = walked(alice)
    assert [len(answer["deleted"]) for answer in answers] == [100, 100, 100]
    hidden = set(Task.objects.values_list("pk", flat=True))
    assert {pk for answer in answers for pk in answer["deleted"]} == hidden | set(range(-150, 0))


def test_a_client_that_goes_by_sync_date_alone_is_told_all(alice: Caller) -> None:
    bulk(alice.maker, 250)
    begin = datetime.now(UTC) - timedelta(hours=5)
    for number, task in enumerate(Task.objects.order_by("pk")):
        Task.objects.filter(pk=task.pk).update(updated_at=begin + timedelta(minutes=number))
    seen: set[int] = set()
    since = ""
    for _ in range(10):
        answer = synced(alice, since)
        seen |= set(told([answer]))
        since = answer["sync_date"]
    assert seen == set(Task.objects.values_list("pk", flat=True))


@contextmanager
def late(author: Maker) -> Iterator[Any]:
    """A task written on another connection, committed when the block says so."""
    steps: Queue[str] = Queue()
    done: Queue[int] = Queue()

    def write() -> None:
        try:
            with transaction.atomic():
                task, _ = log_task(author=author, content="late")
                done.put(task.pk)
                steps.get(timeout=20)
        finally:
            connection.close()
            done.put(0)

    def commit() -> None:
        steps.put("commit")
        done.get(timeout=20)

    thread = Thread(target=write)
    thread.start()
    try:
        yield done.get(timeout=20), commit
    finally:
        steps.put("commit")
        thread.join(20)


@pytest.mark.django_db(transaction=True)
def test_what_commits_late_is_told_the_next_time(alice: Caller) -> None:
    with late(alice.maker) as (pk, commit):
        # Written by another maker's app meanwhile, and moved by hand: it would push a naive date beyond the late task.
        bulk(alice.maker, 1)
        first = walked(alice)
        commit()
        assert pk not in told(first)
        assert pk in told(walked(alice, first[-1]["sync_date"]))


@pytest.mark.django_db(transaction=True)
def test_what_commits_in_the_middle_of_a_walk_is_told_by_the_next_walk(alice: Caller) -> None:
    with late(alice.maker) as (pk, commit):
        bulk(alice.maker, 150)
        first = synced(alice)
        commit()
        rest = synced(alice, path=first["next"])
        assert rest["next"] is None
        assert pk in told([first, rest]) + told(walked(alice, rest["sync_date"]))


@pytest.mark.django_db(transaction=True)
def test_a_list_that_tails_waits_for_what_commits_late(alice: Caller) -> None:
    with late(alice.maker) as (_, commit):
        bulk(alice.maker, 1)
        assert anonymous().get("/tasks/?updated_since=2026-01-01").json()["results"] == []
        commit()


@pytest.mark.parametrize("rows", [1, 3])
def test_an_answer_is_four_queries_however_many_rows(rows: int, alice: Caller, django_assert_num_queries: Any) -> None:
    alice.get("/tasks/sync/")
    for number in range(rows):
        log(alice.maker, f"{number} #site")
    with django_assert_num_queries(4):
        assert len(synced(alice)["data"]) == rows


def test_heavy_tasks_make_shorter_answers_and_all_of_them_are_told(alice: Caller) -> None:
    Maker.objects.filter(pk=alice.maker.pk).update(description="\x01" * 2000)
    bulk(alice.maker, 100, description="\x01" * 5000)
    Task.objects.update(content="\x01" * 500)
    answers = walked(alice)
    assert len(answers) > 1
    assert len(set(told(answers))) == 100
