"""GET POST /tasks/{id}/comments/ and PATCH DELETE .../comments/{id}/"""

from typing import Any

import pytest
from django.db import transaction

from makerlog.accounts.actions import update_profile
from tasks import actions
from tasks.models import Task, TaskComment
from tests.errors import assert_error, assert_invalid
from tests.makers import Caller, anonymous, caller, make_maker
from tests.products.test_races import in_thread, wait_until_somebody_waits
from tests.tasks.logs import log
from tests.tasks.threads import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def bob() -> Caller:
    return caller("bob")


@pytest.fixture
def url() -> str:
    return f"/tasks/{log(make_maker('alice')).pk}/comments/"


def said(client: Caller, url: str, content: str = "Nice") -> dict[str, Any]:
    response = client.post(url, {"content": content})
    assert response.status_code == 201, response.content
    return response.json()


def count() -> int:
    assert Task.objects.get().comment_count == TaskComment.objects.count()
    return TaskComment.objects.count()


def test_comments_are_listed_oldest_first_as_a_bare_array(bob: Caller, url: str) -> None:
    for content in ("one", "two", "three"):
        said(bob, url, content)
    body = anonymous().get(url).json()
    assert [comment["content"] for comment in body] == ["one", "two", "three"]
    assert (body[0]["user"]["username"], body[0]["object_id"]) == ("bob", Task.objects.get().pk)
    assert count() == 3


def test_a_list_is_walked_by_its_links(bob: Caller, url: str) -> None:
    for number in range(5):
        said(bob, url, str(number))
    first = anonymous().get(f"{url}?limit=2")
    second = anonymous().get(first["Link"].split(">")[0][1:])
    assert [comment["content"] for comment in second.json()] == ["2", "3"]


def test_a_comment_is_changed_and_deleted_by_its_author_alone(bob: Caller, url: str) -> None:
    one = f"{url}{said(bob, url)['id']}/"
    for method in ("patch", "delete"):
        assert_error(getattr(caller("charlie"), method)(one, {"content": "x"}), 403, "not_yours")
        assert_error(getattr(caller("alice"), method)(one, {"content": "x"}), 403, "not_yours")
        assert_error(getattr(anonymous(), method)(one, {"content": "x"}), 401, "not_authenticated")
    assert bob.patch(one, {"content": "Better"}).json()["content"] == "Better"
    assert anonymous().get(one).json()["content"] == "Better"
    assert bob.delete(one).status_code == 204
    assert_error(bob.delete(one), 404, "not_found")
    assert count() == 0


def test_a_comment_stands_under_its_own_task_only(bob: Caller, url: str) -> None:
    comment = said(bob, url)["id"]
    other = log(make_maker("dora"))
    assert_error(bob.get(f"/tasks/{other.pk}/comments/{comment}/"), 404, "not_found")
    assert_error(bob.delete(f"/tasks/{other.pk}/comments/{comment}/"), 404, "not_found")


@pytest.mark.parametrize("content", ["", " ", None, [], "a\x00b", "x" * 2001])
def test_content_that_cannot_be_is_refused(content: Any, bob: Caller, url: str) -> None:
    assert_invalid(bob.post(url, {"content": content}), "content")
    assert count() == 0


def test_a_credential_that_may_write_is_needed(url: str) -> None:
    assert_error(anonymous().post(url, {"content": "x"}), 401, "not_authenticated")
    assert_error(caller("bob", ["tasks:read"]).post(url, {"content": "x"}), 403, "missing_scope")


def test_what_one_may_not_see_has_no_comments(bob: Caller, url: str) -> None:
    comment = said(bob, url)["id"]
    Task.objects.update(listed=False)
    for client in (bob, anonymous()):
        assert_error(client.get(url), 404, "not_found")
        assert_error(client.get(f"{url}{comment}/"), 404, "not_found")
    assert_error(bob.post(url, {"content": "x"}), 404, "not_found")
    assert_error(bob.delete(f"{url}{comment}/"), 404, "not_found")


def test_a_hidden_comment_is_not_there(bob: Caller, url: str) -> None:
    comment = said(bob, url)["id"]
    TaskComment.objects.update(hidden=True)
    assert anonymous().get(url).json() == []
    assert_error(bob.get(f"{url}{comment}/"), 404, "not_found")


@pytest.mark.django_db(transaction=True)
def test_eight_who_comment_at_once_are_all_counted(url: str) -> None:
    callers = [caller(f"m{number}") for number in range(8)]
    answers = at_once(*[lambda client=client: client.post(url, {"content": "x"}) for client in callers])
    assert [answer.status_code for answer in answers] == [201] * 8
    assert count() == 8


@pytest.mark.django_db(transaction=True)
def test_a_comment_deleted_eight_times_at_once_is_deleted_once(url: str) -> None:
    callers = [caller("bob") for _ in range(8)]
    said(callers[0], url)
    one = f"{url}{said(callers[0], url)['id']}/"
    answers = at_once(*[lambda client=client: client.delete(one) for client in callers])
    assert {answer.status_code for answer in answers} <= {204, 404}
    assert count() == 1


@pytest.mark.parametrize("rows", [1, 3])
def test_a_list_is_two_queries_however_many_rows(
    rows: int, bob: Caller, url: str, django_assert_num_queries: Any
) -> None:
    for number in range(rows):
        said(bob, url, str(number))
    anonymous().get(url)
    with django_assert_num_queries(2):
        assert len(anonymous().get(url).json()) == rows


@pytest.mark.django_db(transaction=True)
def test_a_maker_who_comments_while_becoming_private_waits_for_nobody() -> None:
    """The one holds the task, the other its maker; each would need what the other holds."""
    alice = make_maker("alice")
    task = log(alice)
    with transaction.atomic():
        actions.comment(task=task, author=alice, content="Nice")
        other = in_thread(update_profile, maker=alice, private=True)
        wait_until_somebody_waits()
    other.join(5)
    task.refresh_from_db()
    assert (task.comment_count, task.listed) == (1, False)


def test_a_task_beyond_any_number_has_no_comments() -> None:
    for path in ("/tasks/{}/comments/", "/tasks/{}/comments/1/"):
        assert_error(anonymous().get(path.format(2**63)), 404, "not_found")
