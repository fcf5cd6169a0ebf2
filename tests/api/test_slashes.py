"""A missing trailing slash is served, not redirected, for every method."""

import pytest

from tests.errors import assert_error
from tests.makers import anonymous, caller
from tests.tasks.logs import contents, log

pytestmark = pytest.mark.django_db


def test_every_method_is_served_without_its_slash() -> None:
    client = caller("alice")
    task = client.post("/tasks", {"content": "x"}).json()["id"]
    assert contents(client.get("/tasks")) == ["x"]
    assert contents(client.get("/tasks?limit=1&search=x")) == ["x"]
    assert client.head("/tasks").status_code == 200
    assert client.options("/tasks").status_code == 204
    assert client.get(f"/tasks/{task}").json()["id"] == task
    assert client.put(f"/tasks/{task}", {"content": "y"}).json()["content"] == "y"
    assert client.patch(f"/tasks/{task}", {"content": "z"}, format="multipart").json()["content"] == "z"
    assert client.post(f"/tasks/{task}/praise").json()["praised"] is True
    assert client.post(f"/tasks/{task}/comments", {"content": "Nice"}).status_code == 201
    assert client.delete(f"/tasks/{task}").status_code == 204


@pytest.mark.parametrize("path", ["/health/ready", "/schema", "/users", "/users/alice", "/users/alice/recent_tasks"])
def test_every_kind_of_route_is_served_without_its_slash(path: str) -> None:
    log(caller("alice").maker)
    assert anonymous().get(path).status_code == 200


@pytest.mark.parametrize("path", ["/task", "/tasks/x", "/tasks//", "/x//tasks", "/tasks/1//", "/tasks;", "/tasks."])
def test_what_is_no_route_with_a_slash_either_is_not_found(path: str) -> None:
    assert_error(anonymous().get(path), 404, "not_found")


@pytest.mark.parametrize("path", ["/%2F%2Fevil.example", "/%2Fevil.example/..", "/\\evil.example"])
def test_no_path_redirects_elsewhere(path: str) -> None:
    response = anonymous().get(path)
    assert (response.status_code, "Location" in response) == (404, False)
