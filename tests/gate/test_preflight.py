"""What a browser asks before it sends a request of another origin."""

from typing import Any

import pytest

from makerlog.gate.door import FrontDoor
from makerlog.gate.files import MediaFolder
from makerlog.gate.limits import Limits
from makerlog.gate.spent import StillSpent
from tests.gate.serving import Reply, Service, Stuck, mirror, one_lane, serve, until

ORIGIN = {"Origin": "https://app.example"}
ASKED = {**ORIGIN, "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization,if-match"}


def may_be_sent(reply: Reply) -> bool:
    allowed = set(reply.headers.get("access-control-allow-headers", "").split(", "))
    methods = set(reply.headers.get("access-control-allow-methods", "").split(", "))
    return (
        reply.status == 200
        and reply.headers["access-control-allow-origin"] == "*"
        and {"authorization", "if-match", "traceparent", "x-requested-with"} <= allowed
        and {"GET", "POST", "PUT", "PATCH", "DELETE"} <= methods
    )


def test_a_browser_is_answered_while_strangers_fill_every_lane(tmp_path: Any) -> None:
    """The request behind it carries a token, and would be let in."""
    stuck = Stuck()
    with serve(FrontDoor(stuck, limits=Limits(one_lane(1, 1)))) as service:
        held = [service.dial() for _ in range(3)]
        for connection in held:
            connection.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: len(service.door.pool) == 1)
        assert service.get("/x").status == 503
        assert may_be_sent(service.ask("OPTIONS", "/tasks/1/", headers=ASKED))
        stuck.go.set()
        for connection in held:
            connection.close()


def test_what_is_no_preflight_goes_the_ordinary_way() -> None:
    with serve(FrontDoor(mirror)) as service:
        for headers in ({}, ORIGIN, {**ASKED, "Authorization": "Token x"}):
            assert service.ask("OPTIONS", "/x", headers=headers).json()["environ"]["REQUEST_METHOD"] == "OPTIONS"


def is_open(reply: Reply) -> bool:
    exposed = set(reply.headers.get("access-control-expose-headers", "").split(", "))
    return (
        reply.headers.get("access-control-allow-origin") == "*" and {"ETag", "X-Request-Id", "Retry-After"} <= exposed
    )


REFUSED_AT_THE_DOOR = {
    "not found file": ("GET", "/media/x.png", {}, b""),
    "read only file": ("POST", "/media/x.png", {}, b""),
    "bad length": ("POST", "/x", {"Content-Length": "x"}, b""),
    "too large": ("POST", "/x", {}, b"x" * 2_000),
    "encoded": ("POST", "/x", {"Content-Encoding": "gzip"}, b"x"),
    "health": ("GET", "/health", {}, b""),
}


@pytest.mark.parametrize("name", REFUSED_AT_THE_DOOR)
def test_what_the_door_answers_may_be_read_by_every_origin(name: str, tmp_path: Any) -> None:
    method, path, headers, body = REFUSED_AT_THE_DOOR[name]
    door = FrontDoor(mirror, limits=Limits(body=1_000), folders={"/media/": MediaFolder(tmp_path)})
    with serve(door) as service:
        assert is_open(ask(service, method, path, headers, body))


def ask(service: Service, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
    return service.ask(method, path, body or None, {**ORIGIN, **headers})


def test_a_file_may_be_read_by_every_origin(tmp_path: Any) -> None:
    (tmp_path / "x.png").write_bytes(b"x")
    with serve(FrontDoor(mirror, folders={"/media/": MediaFolder(tmp_path)})) as service:
        assert is_open(service.get("/media/x.png", ORIGIN))


def test_a_limit_that_is_told_again_may_be_read_by_another_origin_than_it_was_told_first() -> None:
    from makerlog.gate.answers import Answer

    first = Answer(429, [(b"ratelimit", b'"token";r=0;t=9'), (b"x-request-id", b"1")], b"{}")
    headers = [name for name, _ in StillSpent(first).answer("2").headers]
    assert headers.count(b"access-control-allow-origin") == headers.count(b"access-control-expose-headers") == 1
