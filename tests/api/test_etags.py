"""``ETag`` and ``If-None-Match``"""

from typing import Any

import pytest

from tests.makers import Caller, anonymous, caller
from tests.tasks.logs import log

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Caller:
    return caller("alice")


def tag(client: Caller, path: str) -> str:
    return client.get(path)["ETag"]


PATHS = ["/tasks/", "/tasks/me/", "/users/alice/", "/users/alice/recent_tasks/", "/me/"]


@pytest.mark.parametrize("path", PATHS)
def test_what_was_read_before_is_a_304_without_a_body(path: str, alice: Caller) -> None:
    log(alice.maker)
    response = alice.get(path, HTTP_IF_NONE_MATCH=tag(alice, path), HTTP_ORIGIN="https://app.example")
    assert (response.status_code, response.content) == (304, b"")
    assert response["X-Request-Id"]
    assert response["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("path", ["/tasks/", "/tasks/me/", "/users/alice/recent_tasks/"])
def test_another_task_is_another_tag(path: str, alice: Caller) -> None:
    before = tag(alice, path)
    log(alice.maker)
    response = alice.get(path, HTTP_IF_NONE_MATCH=before)
    assert response.status_code == 200
    assert response["ETag"] != before


def test_a_changed_task_has_another_tag(alice: Caller) -> None:
    path = f"/tasks/{log(alice.maker).pk}/"
    before = tag(alice, path)
    caller("bob").put(f"{path}praise/")
    assert tag(alice, path) != before


@pytest.mark.parametrize("said", ["*", '"x", {tag}', "W/{tag}", '{tag}, "y"'])
def test_a_tag_is_found_among_others(said: str, alice: Caller) -> None:
    log(alice.maker)
    response = anonymous().get("/tasks/", HTTP_IF_NONE_MATCH=said.format(tag=tag(anonymous(), "/tasks/")))
    assert response.status_code == 304


@pytest.mark.parametrize("said", ['"x"', "x", "", '"' * 5000, "W/", "\xff"])
def test_a_tag_of_nothing_gets_the_answer(said: str, alice: Caller) -> None:
    assert anonymous().get("/tasks/", HTTP_IF_NONE_MATCH=said).status_code == 200


def test_one_reader_is_not_told_304_for_what_another_read(alice: Caller) -> None:
    alice.patch("/me/", {"private": True})
    log(alice.maker)
    assert anonymous().get("/tasks/", HTTP_IF_NONE_MATCH=tag(alice, "/tasks/")).status_code == 200


def test_writes_and_errors_have_no_304(alice: Caller) -> None:
    tagged: Any = alice.post("/tasks/", {"content": "x"}, HTTP_IF_NONE_MATCH="*")
    assert tagged.status_code == 201
    assert alice.get("/tasks/999999999/", HTTP_IF_NONE_MATCH="*").status_code == 404
