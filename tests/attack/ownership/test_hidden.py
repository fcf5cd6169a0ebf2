"""What is hidden, private or closed is answered as what is not there: in every header and every byte, read or written."""

import re
from typing import Any

import pytest

from makerlog.api.checks import routes
from tests.attack.ownership.matrix import WRITES
from tests.attack.ownership.snapshot import taken
from tests.attack.ownership.world import World

pytestmark = pytest.mark.django_db

# A URL with ``$it`` in it, the methods, and what ``$it`` may be: bob is told of none of them that it is there.
NOT_THERE = [
    ("tasks/$it/", "GET PUT PATCH DELETE", "hidden_task private_task team_task missing"),
    ("tasks/$it/praise/", "GET POST PUT DELETE", "hidden_task private_task team_task missing"),
    ("tasks/$it/comments/", "GET POST", "hidden_task private_task team_task missing"),
    ("tasks/$task/comments/$it/", "GET PATCH DELETE", "hidden_comment far_comment lost_comment missing"),
    ("projects/$it/", "GET PUT PATCH DELETE", "cellar private_project missing"),
    ("projects/$it/related/", "GET", "cellar private_project missing"),
    ("products/$it/", "GET PUT PATCH DELETE", "hidden_product den private_product den_id missing"),
    ("products/$it/leave/", "POST", "hidden_product den private_product den_id missing"),
    ("products/$it/people/", "GET", "hidden_product den private_product den_id missing"),
    ("products/$it/invitations/", "POST", "hidden_product den private_product den_id missing"),
    ("products/$bobs_product/invitations/$it/", "DELETE", "invitation missing"),
    ("me/invitations/$it/accept/", "POST", "my_invitation missing"),
    ("me/invitations/$it/decline/", "POST", "my_invitation missing"),
    ("products/$it/projects/", "GET", "hidden_product den private_product den_id missing"),
    ("products/$it/related_products/", "GET", "hidden_product den private_product den_id missing"),
    ("discussions/$it/", "GET PUT PATCH DELETE", "hidden_talk private_talk missing"),
    ("discussions/$it/replies/", "GET POST", "hidden_talk private_talk missing"),
    ("discussions/$it/replies/people/", "GET", "hidden_talk private_talk missing"),
    ("discussions/$bees/replies/$it/", "GET PUT PATCH DELETE", "hidden_reply far_reply lost_reply missing"),
    ("discussions/$bees/replies/$it/praise/", "GET POST PUT DELETE", "hidden_reply far_reply lost_reply missing"),
    ("tokens/$it/", "DELETE", "token login missing"),
    ("users/$it/", "GET PATCH", "clo wanda missing"),
    ("users/$it/follow/", "GET POST PUT DELETE", "clo wanda missing"),
    ("users/$it/is_following/", "GET", "clo wanda missing"),
    ("users/$it/recent_tasks/", "GET", "clo wanda missing"),
    ("users/$it/products/", "GET", "clo wanda missing"),
]
# A body that names ``$it``: bob's request is refused in the same words whatever it is.
NOT_TO_USE = [
    ("products/", '{"name": "New", "team": [$it]}', "clo wanda missing"),
    ("products/", '{"name": "New", "projects": [$it]}', "attic cellar private_project missing"),
    ("products/$bobs_product/invitations/", '{"user": $it}', "clo wanda missing"),
    ("discussions/$bees/replies/", '{"body": "New", "parent_reply": $it}', "hidden_reply far_reply lost_reply missing"),
]
# How to fill the parameters of a route with alice's.
PARTS = {
    "users/username/<str:maker>": "users/username/alice",
    "users/<str:maker>": "users/alice",
    "tasks/<int:task>": "tasks/$task",
    "tasks/<int:pk>": "tasks/$task",
    "comments/<int:pk>": "comments/$comment",
    "projects/<int:pk>": "projects/$attic",
    "products/<slug:slug>": "products/$honey",
    "discussions/<slug:slug>": "discussions/$bees",
    "replies/<int:pk>": "replies/$reply",
    "reset/<str:uid>/<str:token>": "reset/$alice_uid/$reset",
}


def fill(text: str, world: World, it: str = "missing") -> str:
    return re.sub(r"\$(\w+)", lambda name: str(world.names[it if name[1] == "it" else name[1]]), text)


def told(response: Any, it: int = 0) -> tuple[int, bytes, dict[str, str]]:
    """All that the caller learns, without the id that they sent themselves."""
    headers = {name: value for name, value in response.items() if name not in ("X-Request-Id", "Content-Length")}
    return response.status_code, response.content.replace(f" {it}.".encode(), b" it."), headers


@pytest.mark.parametrize(("url", "methods", "names"), NOT_THERE)
def test_what_may_not_be_known_is_not_there(url: str, methods: str, names: str, world: World) -> None:
    for role in ("maker", "anonymous"):
        for method in methods.split():
            urls = [f"/{fill(url, world, it)}" for it in names.split()]
            answers = [told(world.callers[role].generic(method, each)) for each in urls]
            assert answers == [answers[-1]] * len(answers)
            assert answers[-1][0] == (401 if role == "anonymous" and writes(method, url) else 404)
    assert taken() == world.rows


def writes(method: str, url: str) -> bool:
    return method != "GET" or url.endswith("/follow/")


@pytest.mark.parametrize(("url", "body", "names"), NOT_TO_USE)
def test_what_is_not_the_caller_s_to_use_is_refused_in_the_same_words(
    url: str, body: str, names: str, world: World
) -> None:
    answers = [
        told(
            world.callers["maker"].post(f"/{fill(url, world)}", fill(body, world, it), content_type="application/json"),
            world.names[it],
        )
        for it in names.split()
    ]
    assert answers == [answers[-1]] * len(answers)
    assert answers[-1][0] == 400
    assert taken() == world.rows


PROBES = {"metrics/"}  # for the machine's own network
OF_THE_TEAM = {"products/<slug:slug>/invitations/"}  # the moderator is not on it


@pytest.mark.parametrize("path", [each.path for each in routes() if each.ours and each.reader])
def test_a_get_that_is_in_no_line_of_the_table_writes_nothing(path: str, world: World) -> None:
    if ("GET", path) in WRITES:
        return
    url = path
    for part, filled in PARTS.items():
        url = url.replace(part, filled)
    assert "<" not in url, f"Say in PARTS how to fill /{path}."
    expected = (403,) if path in PROBES else (200, 400, 401)
    for role in ("owner", "anonymous", "moderator"):
        if role == "moderator" and path in OF_THE_TEAM:
            expected = (403,)
        assert world.callers[role].get(f"/{fill(url, world)}").status_code in expected
    assert taken() == world.rows
