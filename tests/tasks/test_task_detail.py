"""GET PUT PATCH DELETE /tasks/{id}/"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine

from tasks.models import DayCount, DeletedTask, Task, TaskComment, TaskPraise
from tests.errors import assert_error, assert_invalid
from tests.makers import Caller, anonymous, caller
from tests.tasks.images import upload
from tests.tasks.logs import NOON, log
from tests.tasks.threads import at_once

pytestmark = pytest.mark.django_db

METHODS = ["put", "patch", "delete"]


@pytest.fixture
def alice() -> Caller:
    return caller("alice")


@pytest.fixture
def task(alice: Caller) -> Task:
    return log(alice.maker, "Wrote a test", description="Long", external_id="x1")


def url(task: Task) -> str:
    return f"/tasks/{task.pk}/"


def changed(client: Caller, task: Task, method: str = "patch", **values: Any) -> dict[str, Any]:
    response = getattr(client, method)(url(task), values)
    assert response.status_code == 200, response.content
    return response.json()


def test_everybody_reads_a_task(task: Task) -> None:
    assert anonymous().get(url(task)).json()["content"] == "Wrote a test"
    assert caller("bob").get(url(task)).json()["id"] == task.pk


@pytest.mark.parametrize("pk", ["0", "999999999", "9" * 30, "9" * 5000, "x", "-1", "1.5", "%00", "٣"])
@pytest.mark.parametrize("method", ["get", *METHODS])
def test_a_task_nobody_logged_is_not_found(method: str, pk: str, alice: Caller) -> None:
    assert_error(getattr(alice, method)(f"/tasks/{pk}/"), 404, "not_found")


@pytest.mark.parametrize("method", METHODS)
def test_somebody_elses_task_is_theirs(method: str, task: Task) -> None:
    assert_error(getattr(caller("bob"), method)(url(task), {"content": "mine"}), 403, "not_yours")
    assert_error(getattr(anonymous(), method)(url(task), {"content": "mine"}), 401, "not_authenticated")
    assert Task.objects.get().content == "Wrote a test"


@pytest.mark.parametrize("method", ["get", *METHODS])
def test_somebody_elses_private_task_is_not_there(method: str, task: Task) -> None:
    task.author.private = True
    Task.objects.update(listed=False)
    assert_error(getattr(caller("bob"), method)(url(task), {"content": "mine"}), 404, "not_found")


@pytest.mark.parametrize("method", METHODS)
def test_a_moderator_is_no_author(method: str, task: Task) -> None:
    client = caller("mod", is_moderator=True, is_staff=True)
    assert_error(getattr(client, method)(url(task), {"content": "mine"}), 403, "not_yours")


@pytest.mark.parametrize("method", METHODS)
def test_a_token_that_may_only_read_changes_nothing(method: str, task: Task) -> None:
    client = caller("alice", ["tasks:read"])
    assert_error(getattr(client, method)(url(task), {"content": "x"}), 403, "missing_scope")


def test_a_patch_changes_what_it_names(alice: Caller, task: Task) -> None:
    told = changed(alice, task, content="Wrote two")
    assert (told["content"], told["description"], told["external_id"]) == ("Wrote two", "Long", "x1")
    nothing = changed(alice, task)
    assert nothing == {**told, "updated_at": nothing["updated_at"]}


def test_a_put_needs_the_content_alone_and_leaves_what_it_does_not_name(alice: Caller, task: Task) -> None:
    assert_invalid(alice.put(url(task), {"done": True}), "content")
    told = changed(alice, task, "put", content="Wrote two")
    assert (told["content"], told["description"]) == ("Wrote two", "Long")


def test_what_was_read_may_be_sent_back(alice: Caller, task: Task) -> None:
    whole = alice.get(url(task)).json()
    told = changed(alice, task, "put", **{**whole, "content": "Wrote two"})
    assert told == {**whole, "content": "Wrote two", "updated_at": told["updated_at"]}


def test_done_follows_and_is_counted(alice: Caller, task: Task) -> None:
    with time_machine.travel(NOON, tick=False):
        assert changed(alice, task, done=True)["done_at"] == "2026-05-20T12:00:00.000000Z"
    assert changed(alice, task, content="x", done=True)["done_at"] == "2026-05-20T12:00:00.000000Z"
    assert list(DayCount.objects.values_list("day", "done")) == [(NOON.date(), 1)]
    assert changed(alice, task, done=False)["done_at"] is None
    assert list(DayCount.objects.values_list("day", "done")) == [(NOON.date(), 0)]


def test_what_is_done_is_no_longer_in_progress(alice: Caller, task: Task) -> None:
    assert changed(alice, task, in_progress=True)["in_progress"] is True
    told = changed(alice, task, done=True)
    assert (told["done"], told["in_progress"]) == (True, False)
    told = changed(alice, task, in_progress=True)
    assert (told["done"], told["in_progress"]) == (True, False)


def test_a_task_moves_to_another_day(alice: Caller, task: Task) -> None:
    changed(alice, task, done_at=NOON.isoformat())
    changed(alice, task, done_at=(NOON - timedelta(days=3)).isoformat())
    assert dict(DayCount.objects.values_list("day", "done")) == {
        NOON.date(): 0,
        NOON.date() - timedelta(days=3): 1,
    }
    assert_invalid(alice.patch(url(task), {"done_at": "2199-01-01T00:00:00Z"}), "done_at")


def test_projects_follow_the_content(alice: Caller, task: Task) -> None:
    assert [project["name"] for project in changed(alice, task, content="x #a #b")["project_set"]] == ["a", "b"]
    assert [project["name"] for project in changed(alice, task, content="x #B #c")["project_set"]] == ["b", "c"]
    assert len(changed(alice, task, done=True)["project_set"]) == 2
    assert changed(alice, task, content="x")["project_set"] == []


def test_a_task_goes_private_with_its_project_and_comes_back_without(alice: Caller, task: Task) -> None:
    alice.maker.projects.create(name="secret", private=True)
    changed(alice, task, content="x #secret")
    assert_error(anonymous().get(url(task)), 404, "not_found")
    changed(alice, task, content="x")
    assert anonymous().get(url(task)).status_code == 200


def test_an_external_id_of_another_task_of_ones_own_is_taken(alice: Caller, task: Task) -> None:
    other = log(alice.maker, "Other", external_id="x2")
    assert_invalid(alice.patch(url(other), {"external_id": "x1"}), "external_id")
    assert changed(alice, other, external_id="x2")["external_id"] == "x2"
    assert changed(alice, other, external_id="")["external_id"] is None
    assert changed(caller("bob"), log(caller("bob").maker), external_id="x1")["external_id"] == "x1"


def test_bad_input_names_its_fields(alice: Caller, task: Task) -> None:
    assert_invalid(alice.patch(url(task), {"content": "", "due_at": "x"}), "content", "due_at")
    assert_invalid(alice.patch(url(task), {"content": "a\x00"}), "content")
    assert alice.generic("PATCH", url(task), b"[1]", content_type="application/json").status_code == 400


def test_a_form_changes_a_task_and_leaves_what_it_does_not_name(alice: Caller, task: Task) -> None:
    changed(alice, task, done=True)
    response = alice.put(url(task), {"content": "Wrote two"}, format="multipart")
    assert (response.json()["content"], response.json()["done"]) == ("Wrote two", True)


def test_a_change_is_seen_by_clients_that_tail(alice: Caller, task: Task) -> None:
    before = alice.get(url(task)).json()
    after = changed(alice, task, content="Wrote two")
    assert after["updated_at"] > before["updated_at"]
    assert after["created_at"] == before["created_at"]


def test_a_replaced_file_goes_and_so_does_that_of_a_deleted_task(
    alice: Caller, task: Task, tmp_path: Path, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path
    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            response = alice.patch(url(task), {"attachment": upload()}, format="multipart")
        assert response.status_code == 200
        assert [path.name for path in (tmp_path / "attachments").iterdir()] == [
            response.json()["attachment"].rsplit("/", 1)[1]
        ]
    with django_capture_on_commit_callbacks(execute=True):
        assert changed(alice, task, content="x")["attachment"]
    with django_capture_on_commit_callbacks(execute=True):
        alice.delete(url(task))
    assert list((tmp_path / "attachments").iterdir()) == []


def test_a_whole_task_may_be_put_back_picture_included(
    alice: Caller, task: Task, tmp_path: Path, settings: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path
    alice.patch(url(task), {"attachment": upload()}, format="multipart")
    before = alice.get(url(task)).json()
    after = alice.put(url(task), {**before, "content": "Wrote two"}, format="json")
    assert (after.status_code, after.json()["attachment"]) == (200, before["attachment"])


def test_a_deleted_task_is_gone_with_all_that_hung_on_it(alice: Caller, task: Task) -> None:
    bob = caller("bob")
    bob.put(f"{url(task)}praise/")
    bob.post(f"{url(task)}comments/", {"content": "Nice"})
    changed(alice, task, done=True, content="x #site")
    response = alice.delete(url(task))
    assert (response.status_code, response.content) == (204, b"")
    assert_error(alice.get(url(task)), 404, "not_found")
    assert_error(alice.delete(url(task)), 404, "not_found")
    assert [model.objects.count() for model in (Task, TaskPraise, TaskComment)] == [0, 0, 0]
    assert list(DeletedTask.objects.values_list("task_id", "author")) == [(task.pk, alice.maker.pk)]
    assert DayCount.objects.get().done == 0


@pytest.mark.django_db(transaction=True)
def test_a_task_deleted_eight_times_at_once_is_deleted_once(alice: Caller) -> None:
    tasks = [log(alice.maker, str(number), done=True) for number in range(2)]
    callers = [caller("alice") for _ in range(8)]
    answers = at_once(*[lambda client=client: client.delete(url(tasks[0])) for client in callers])
    assert sorted(answer.status_code for answer in answers) == [204] + [404] * 7
    assert DeletedTask.objects.count() == 1
    assert DayCount.objects.get().done == 1


@pytest.mark.django_db(transaction=True)
def test_a_task_done_and_undone_by_eight_at_once_is_counted_right(alice: Caller) -> None:
    task = log(alice.maker)
    callers = [caller("alice") for _ in range(8)]
    answers = at_once(
        *[lambda client=client, n=n: client.patch(url(task), {"done": n % 2 == 0}) for n, client in enumerate(callers)]
    )
    assert [answer.status_code for answer in answers] == [200] * 8
    assert sum(DayCount.objects.values_list("done", flat=True)) == int(Task.objects.get().done)


@pytest.mark.django_db(transaction=True)
def test_changing_praising_and_deleting_at_once_neither_hang_nor_break(alice: Caller) -> None:
    for _ in range(5):
        task = log(alice.maker, "x", done=True)
        clients = [caller("alice"), caller("alice"), caller("bob"), caller("bob")]
        answers = at_once(
            lambda task=task, clients=clients: clients[0].patch(url(task), {"done": False}),
            lambda task=task, clients=clients: clients[1].delete(url(task)),
            lambda task=task, clients=clients: clients[2].post(f"{url(task)}praise/"),
            lambda task=task, clients=clients: clients[3].post(f"{url(task)}comments/", {"content": "x"}),
        )
        assert [answer.status_code in (200, 201, 204, 404) for answer in answers] == [True] * 4, answers
        assert Task.objects.count() == 0


@pytest.mark.parametrize("rows", [1, 3])
def test_a_task_is_one_query_however_many_projects(rows: int, alice: Caller, django_assert_num_queries: Any) -> None:
    task = log(alice.maker, " ".join(f"#p{number}" for number in range(rows)))
    with django_assert_num_queries(1):
        assert len(anonymous().get(url(task)).json()["project_set"]) == rows
