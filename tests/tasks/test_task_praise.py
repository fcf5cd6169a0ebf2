"""GET POST PUT DELETE /tasks/{id}/praise/"""

from typing import Any

import pytest

from tasks.models import Task, TaskPraise
from tests.errors import assert_error
from tests.makers import Caller, anonymous, caller, make_maker
from tests.tasks.logs import log
from tests.tasks.threads import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def bob() -> Caller:
    return caller("bob")


@pytest.fixture
def url() -> str:
    return f"/tasks/{log(make_maker('alice')).pk}/praise/"


def said(response: Any) -> tuple[bool, int]:
    assert response.status_code == 200, response.content
    body = response.json()
    assert set(body) == {"praised", "total", "user"}
    return body["praised"], body["total"]


def total() -> int:
    return Task.objects.get().praise


def test_post_toggles(bob: Caller, url: str) -> None:
    assert said(bob.post(url)) == (True, 1)
    assert said(bob.post(url)) == (False, 0)
    assert said(caller("charlie").post(url)) == (True, 1)
    assert said(bob.post(url)) == (True, 2)
    assert bob.post(url).json()["user"]["username"] == "bob"


def test_put_and_delete_may_be_repeated(bob: Caller, url: str) -> None:
    assert [said(bob.put(url)) for _ in range(3)] == [(True, 1)] * 3
    assert [said(bob.delete(url)) for _ in range(3)] == [(False, 0)] * 3


def test_everybody_reads_who_praised_newest_first(bob: Caller, url: str) -> None:
    bob.put(url)
    caller("charlie").put(url)
    body = anonymous().get(url).json()
    assert (body["total"], body["praised"]) == (2, False)
    assert [maker["username"] for maker in body["praised_by"]] == ["charlie", "bob"]
    assert bob.get(url).json()["praised"] is True


def test_those_named_are_bounded_and_the_total_is_not(url: str) -> None:
    task = Task.objects.get()
    makers = [make_maker(f"m{number}") for number in range(105)]
    TaskPraise.objects.bulk_create([TaskPraise(task=task, maker=maker) for maker in makers])
    Task.objects.update(praise=105)
    body = anonymous().get(url).json()
    assert (body["total"], len(body["praised_by"])) == (105, 100)


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_praise_needs_a_credential_that_may_write(method: str, url: str) -> None:
    assert_error(getattr(anonymous(), method)(url), 401, "not_authenticated")
    assert_error(getattr(caller("bob", ["tasks:read"]), method)(url), 403, "missing_scope")
    assert total() == 0


@pytest.mark.parametrize("method", ["get", "post", "put", "delete"])
def test_what_one_may_not_see_one_cannot_praise(method: str, bob: Caller, url: str) -> None:
    Task.objects.update(listed=False)
    assert_error(getattr(bob, method)(url), 404, "not_found")
    assert_error(getattr(bob, method)("/tasks/999999999/praise/"), 404, "not_found")


def test_praise_is_a_change_to_clients_that_tail(bob: Caller, url: str) -> None:
    before = Task.objects.get().updated_at
    bob.put(url)
    assert Task.objects.get().updated_at > before


@pytest.mark.django_db(transaction=True)
def test_eight_who_praise_at_once_are_all_counted(url: str) -> None:
    callers = [caller(f"m{number}") for number in range(8)]
    answers = at_once(*[lambda client=client: client.put(url) for client in callers])
    assert [answer.status_code for answer in answers] == [200] * 8
    assert (total(), TaskPraise.objects.count()) == (8, 8)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_one_maker_in_eight_places_at_once_counts_for_one_at_most(method: str, url: str) -> None:
    callers = [caller("bob") for _ in range(8)]
    answers = at_once(*[lambda client=client: getattr(client, method)(url) for client in callers])
    assert [answer.status_code for answer in answers] == [200] * 8
    assert total() == TaskPraise.objects.count()


@pytest.mark.parametrize("rows", [1, 3])
def test_reading_is_two_queries_however_many_praised(rows: int, url: str, django_assert_num_queries: Any) -> None:
    for number in range(rows):
        caller(f"m{number}").put(url)
    with django_assert_num_queries(2):
        assert len(anonymous().get(url).json()["praised_by"]) == rows
