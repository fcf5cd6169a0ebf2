"""``If-Match`` on writes: what somebody else changed meanwhile is not overwritten."""

from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection

from discussions.actions import open_discussion, reply
from makerlog.accounts.models import Maker
from products.actions import create_product, create_project
from tasks import actions
from tests.errors import assert_error
from tests.makers import Caller, caller
from tests.tasks.logs import log

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Caller:
    return caller("alice")


def task(maker: Maker) -> str:
    return f"/tasks/{log(maker).pk}/"


def comment(maker: Maker) -> str:
    made = actions.comment(task=log(maker), author=maker, content="Well done")
    return f"/tasks/{made.task_id}/comments/{made.pk}/"


def praise(maker: Maker) -> str:
    return f"/tasks/{log(maker).pk}/praise/"


def project(maker: Maker) -> str:
    made, _ = create_project(author=maker, name="ship")
    return f"/projects/{made.pk}/"


def product(maker: Maker) -> str:
    return f"/products/{create_product(author=maker, name='Ship').slug}/"


def discussion(maker: Maker) -> str:
    return f"/discussions/{open_discussion(author=maker, type='TEXT', title='Ships', body='Ahoy').slug}/"


def reply_to(maker: Maker) -> str:
    opened = open_discussion(author=maker, type="TEXT", title="Ships", body="Ahoy")
    return f"/discussions/{opened.slug}/replies/{reply(discussion=opened, author=maker, body='Ahoy').pk}/"


def me(maker: Maker) -> str:
    return "/me/"


def privileged(maker: Maker) -> str:
    return "/me/privileged/"


def maker_page(maker: Maker) -> str:
    return f"/users/{maker.pk}/"


CHANGES: dict[Any, dict[str, Any]] = {
    task: {"content": "Another"},
    comment: {"content": "Another"},
    project: {"private": True},
    product: {"description": "Another"},
    discussion: {"body": "Another"},
    reply_to: {"body": "Another"},
    me: {"description": "Another"},
    privileged: {"description": "Another"},
    maker_page: {"description": "Another"},
}
each_detail = pytest.mark.parametrize("detail", CHANGES, ids=lambda detail: detail.__name__)


@each_detail
def test_a_change_to_what_was_read_is_made_and_one_to_what_changed_since_is_not(detail: Any, alice: Caller) -> None:
    path, change = detail(alice.maker), CHANGES[detail]
    tag = alice.get(path)["ETag"]
    assert alice.patch(path, change, HTTP_IF_MATCH=tag).status_code == 200
    changed = alice.get(path)
    assert changed["ETag"] != tag
    again = {name: False if value is True else "A third" for name, value in change.items()}
    assert_error(alice.patch(path, again, HTTP_IF_MATCH=tag), 412, "precondition_failed")
    assert alice.get(path).content == changed.content


@each_detail
def test_any_and_a_tag_among_others_let_a_change_through(detail: Any, alice: Caller) -> None:
    path, change = detail(alice.maker), CHANGES[detail]
    assert alice.patch(path, change, HTTP_IF_MATCH="*").status_code == 200
    tag = alice.get(path)["ETag"]
    assert alice.patch(path, change, HTTP_IF_MATCH=f'"x", W/{tag}').status_code == 200, (
        "a proxy that compresses adds W/"
    )


@pytest.mark.parametrize("detail", [task, comment, project, product, discussion, reply_to])
def test_what_changed_since_is_not_deleted(detail: Any, alice: Caller) -> None:
    path = detail(alice.maker)
    tag = alice.get(path)["ETag"]
    assert_error(alice.delete(path, HTTP_IF_MATCH='"another"'), 412, "precondition_failed")
    assert alice.get(path)["ETag"] == tag
    assert alice.delete(path, HTTP_IF_MATCH=tag).status_code == 204
    assert_error(alice.get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("detail", "whole"),
    [
        (task, {"content": "Another"}),
        (project, {"name": "another"}),
        (product, {"name": "Another"}),
        (discussion, {"type": "TEXT", "title": "Another", "body": "Another"}),
        (reply_to, {"body": "Another"}),
        (praise, {}),
    ],
)
def test_put_is_conditional_too(detail: Any, whole: dict[str, Any], alice: Caller) -> None:
    path = detail(alice.maker)
    tag = alice.get(path)["ETag"]
    assert_error(alice.put(path, whole, HTTP_IF_MATCH='"another"'), 412, "precondition_failed")
    assert alice.put(path, whole, HTTP_IF_MATCH=tag).status_code == 200


def test_what_is_not_one_s_own_stays_a_403_and_what_is_not_there_a_404(alice: Caller) -> None:
    bob = caller("bob")
    path = task(alice.maker)
    tag = bob.get(path)["ETag"]
    assert_error(bob.patch(path, {"content": "x"}, HTTP_IF_MATCH=tag), 403, "not_yours")
    assert_error(bob.patch("/tasks/999999999/", {"content": "x"}, HTTP_IF_MATCH=tag), 404, "not_found")
    assert_error(bob.patch("/tasks/999999999/", {"content": "x"}, HTTP_IF_MATCH="*"), 404, "not_found")


def test_an_empty_condition_is_none_and_one_without_quotes_is_no_tag(alice: Caller) -> None:
    path = task(alice.maker)
    assert alice.patch(path, {"content": "x"}, HTTP_IF_MATCH="").status_code == 200
    bare = alice.get(path)["ETag"].strip('"')
    assert_error(alice.patch(path, {"content": "y"}, HTTP_IF_MATCH=bare), 412, "precondition_failed")


def test_what_cannot_be_read_can_only_be_asked_to_be_there(alice: Caller) -> None:
    """A GET of it writes, as old apps call it, and is not asked for a tag."""
    caller("bob")
    assert_error(alice.put("/users/bob/follow/", HTTP_IF_MATCH='"x"'), 412, "precondition_failed")
    assert alice.get("/users/bob/is_following/").json() == {"is_following": False}
    assert alice.put("/users/bob/follow/", HTTP_IF_MATCH="*").status_code == 200


def test_what_must_not_be_there_yet_is_not_overwritten(alice: Caller) -> None:
    path = task(alice.maker)
    assert_error(alice.put(path, {"content": "x"}, HTTP_IF_NONE_MATCH="*"), 412, "precondition_failed")
    assert alice.put(path, {"content": "x"}, HTTP_IF_NONE_MATCH='"another"').status_code == 200


def test_a_wrong_body_is_told_after_the_condition(alice: Caller) -> None:
    path = task(alice.maker)
    assert alice.patch(path, {"content": ""}, HTTP_IF_MATCH=alice.get(path)["ETag"]).status_code == 400
    assert_error(alice.patch(path, {"content": ""}, HTTP_IF_MATCH='"x"'), 412, "precondition_failed")


def test_a_post_has_no_condition(alice: Caller) -> None:
    assert alice.post("/tasks/", {"content": "x"}, HTTP_IF_MATCH='"x"').status_code == 201


@pytest.mark.django_db(transaction=True)
def test_of_many_who_change_the_same_at_once_exactly_one_succeeds() -> None:
    alice = caller("alice")
    path = task(alice.maker)
    tag = alice.get(path)["ETag"]
    together, statuses = Barrier(6), []

    def change(number: int) -> None:
        together.wait(10)
        statuses.append(alice.patch(path, {"content": f"By {number}"}, HTTP_IF_MATCH=tag).status_code)
        connection.close()

    threads = [Thread(target=change, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 412, 412, 412, 412, 412]


@pytest.mark.django_db(transaction=True)
def test_a_change_between_comparing_and_writing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    alice = caller("alice")
    path = task(alice.maker)
    tag = alice.get(path)["ETag"]
    change_task = actions.change_task

    def overtaken(**values: Any) -> Any:
        def other() -> None:
            change_task(task=values["task"], content="By the other")
            connection.close()

        thread = Thread(target=other)
        thread.start()
        thread.join()
        return change_task(**values)

    monkeypatch.setattr(actions, "change_task", overtaken)
    assert_error(alice.patch(path, {"content": "Mine"}, HTTP_IF_MATCH=tag), 412, "precondition_failed")
    assert alice.get(path).json()["content"] == "By the other"


def test_the_schema_tells_of_the_condition_and_its_refusal(alice: Caller) -> None:
    paths = alice.get("/schema/").json()["paths"]
    for method in ("put", "patch", "delete"):
        operation = paths["/tasks/{id}/"][method]
        assert [each["in"] for each in operation["parameters"] if each["name"] == "If-Match"] == ["header"]
        assert "precondition_failed" in operation["responses"]["412"]["description"]
    assert "412" not in paths["/tasks/"]["post"]["responses"]
