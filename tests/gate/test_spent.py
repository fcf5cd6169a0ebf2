"""A client that has nothing left is told so at the door, as long as that is true, and never longer."""

from typing import Any

import pytest

from makerlog.gate.answers import Answer
from makerlog.gate.door import FrontDoor
from makerlog.gate.spent import MOST, Spent, StillSpent
from tests.gate.serving import serve

BODY = b'{"detail": "The limit \\"token\\" is used up.", "code": "throttled"}'


def told(left: bytes = b'"token";r=0;t=40, "maker";r=90;t=9', wait: bytes = b"2", status: int = 429) -> Answer:
    return Answer(status, [(b"ratelimit", left), (b"retry-after", wait), (b"x-request-id", b"1")], BODY)


def refused(spent: Spent, client: str = "alice", path: str = "/tasks/") -> bool:
    try:
        spent.refuse(client, path)
    except StillSpent:
        return True
    return False


def test_it_holds_until_units_come_back_and_not_longer() -> None:
    now = [100.0]
    spent = Spent(clock=lambda: now[0])
    spent.note(told(), "alice")
    assert refused(spent)
    assert not refused(spent, "bob")
    now[0] += 2.0
    assert not refused(spent)
    assert len(spent) == 0


@pytest.mark.parametrize(
    "answer",
    [
        told(b'"token";r=1;t=40, "maker";r=10;t=9'),
        told(b'"token";r=10;t=1, "write";r=0;t=9'),
        told(b'"address";r=600;t=0, "log-in";r=0;t=60'),
        told(status=200),
        Answer(429, [], b""),
    ],
    ids=["one left", "writes", "log-ins", "served", "nothing told"],
)
def test_what_does_not_stop_every_request_stops_none(answer: Answer) -> None:
    spent = Spent()
    spent.note(answer, "alice")
    assert not refused(spent)


@pytest.mark.parametrize("left", [b'"token";r=9;t=1, "maker";r=0;t=9', b'"address";r=0;t=60'])
def test_any_limit_that_every_request_is_charged_to_counts(left: bytes) -> None:
    spent = Spent()
    spent.note(told(left), "alice")
    assert refused(spent)


def test_what_costs_nothing_passes() -> None:
    spent = Spent()
    spent.note(told(), "alice")
    assert not refused(spent, path="/limits/")
    assert not refused(spent, path="/admin/login/")


def test_a_crowd_costs_bounded_memory() -> None:
    spent = Spent()
    for number in range(MOST + 500):
        spent.note(told(), number)
    assert len(spent) == MOST


def test_over_a_socket_django_is_asked_once_and_the_client_reads_the_same() -> None:
    asked: list[str] = []

    def django(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        asked.append(environ["PATH_INFO"])
        headers = [("RateLimit", '"address";r=0;t=60'), ("Retry-After", "5"), ("Content-Type", "application/json")]
        start_response("429 Too Many Requests", headers)
        return [BODY]

    with serve(FrontDoor(django)) as service:
        first, second = service.get("/a"), service.get("/b")
        assert asked == ["/a"]
        assert (second.status, second.body) == (429, BODY)
        assert second.headers["retry-after"] == "5"
        assert second.headers["ratelimit"] == '"address";r=0;t=60'
        assert second.headers["x-request-id"] != first.headers["x-request-id"]
        service.get("/limits/")
        assert asked == ["/a", "/limits/"]
