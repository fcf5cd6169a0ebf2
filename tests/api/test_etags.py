"""``ETag`` and ``If-None-Match``"""

import re
from typing import Any

import pytest

from makerlog.api.checks import routes
from tests.errors import assert_error
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


@pytest.mark.parametrize("path", PATHS)
def test_head_has_the_headers_of_get(path: str, alice: Caller) -> None:
    log(alice.maker)
    get, head = alice.get(path), alice.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert set(head.headers) == set(get.headers)
    own = {"X-Request-Id", "RateLimit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}
    assert {name: head[name] for name in head.headers if name not in own} == {
        name: get[name] for name in get.headers if name not in own
    }


@pytest.mark.parametrize("path", PATHS)
def test_head_of_what_was_read_before_is_a_304(path: str, alice: Caller) -> None:
    response = alice.head(path, HTTP_IF_NONE_MATCH=tag(alice, path))
    assert (response.status_code, response["ETag"]) == (304, tag(alice, path))


def test_a_304_tells_of_the_next_page_too(alice: Caller) -> None:
    for _ in range(3):
        log(alice.maker)
    path = "/tasks/me/?limit=1"
    assert alice.get(path, HTTP_IF_NONE_MATCH=tag(alice, path))["Link"] == alice.get(path)["Link"]


def test_who_reads_only_what_they_know_is_told_in_json_that_it_is_another(alice: Caller) -> None:
    assert alice.get("/me/", HTTP_IF_MATCH=tag(alice, "/me/")).status_code == 200
    assert alice.get("/me/", HTTP_IF_MATCH="*").status_code == 200
    assert_error(alice.get("/me/", HTTP_IF_MATCH='"another"'), 412, "precondition_failed")


def test_a_date_that_is_asked_for_of_what_has_none_is_passed_over(alice: Caller) -> None:
    then = "Wed, 20 May 2020 12:00:00 GMT"
    assert alice.get("/me/", HTTP_IF_UNMODIFIED_SINCE=then).status_code == 200
    assert alice.get("/me/", HTTP_IF_MODIFIED_SINCE=then).status_code == 200


# But for a GET that writes, as old apps call some: a HEAD does nothing, and is a 405 there.
READ = [route for route in routes() if getattr(route.view, "price", "") != "write"]
ROUTES = sorted({"/" + re.sub(r"<[^>]+>", "1", route.path) for route in READ})
OF_ONE_ANSWER = {"X-Request-Id", "RateLimit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}


@pytest.mark.parametrize("path", ROUTES)
def test_head_of_every_route_has_the_headers_of_its_get(path: str, alice: Caller) -> None:
    get, head = alice.get(path), alice.head(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert set(head.headers) == set(get.headers)
    for name in set(get.headers) - OF_ONE_ANSWER:
        assert head[name] == get[name] or name in ("ETag", "Content-Length"), name
