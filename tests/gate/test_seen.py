"""What the front door tells of each request, over a real socket."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from makerlog.gate.banned import BanGuard
from makerlog.gate.bans import BanIndex, Standing, network_of
from makerlog.gate.door import FrontDoor
from makerlog.gate.lanes import WHOSE
from makerlog.gate.limits import Limits
from makerlog.gate.notes import Notes
from makerlog.gate.seen import AT_ONCE, QUERIES, ROUTE, ROWS, Seen, without_secrets
from tests.gate.serving import Service, Stuck, one_lane, says, serve, until

ID = "0123456789a"


def door(app: Any, told: list[Seen], **kwargs: Any) -> FrontDoor:
    return FrontDoor(app, observers=[told.append], **kwargs)


def django(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """WSGI: tells what Django would."""
    environ |= {WHOSE: 7, ROUTE: "tasks/<int:pk>/", ROWS: 20, QUERIES: 2}
    time.sleep(0.005)  # the loop's clock counts milliseconds
    start_response("404 Not Found", [])
    return [b"gone"]


def only(told: list[Seen]) -> Seen:
    until(lambda: told)
    assert len(told) == 1, told
    return told.pop()


def test_an_answered_request_is_told_once_with_what_django_knows() -> None:
    told: list[Seen] = []
    with serve(door(django, told, recognise=lambda header: ID)) as service:
        reply = service.get("/tasks/12/?token=secret", {"User-Agent": "App/1 " + "x" * 300, "Authorization": "Token x"})
    one = only(told)
    assert (one.address, one.client, one.token, one.maker) == ("127.0.0.1", "127.0.0.1", ID, 7)
    assert (one.method, one.path, one.route) == ("GET", "/tasks/12/", "tasks/<int:pk>/")
    assert (one.lane, one.outcome, one.status, one.rows, one.queries) == ("token", "served", 404, 20, 2)
    assert one.agent == ("App/1 " + "x" * 300)[:120]
    assert one.request_id == reply.headers["x-request-id"]
    assert one.waited >= 0 < one.worked


def test_an_owner_that_django_named_once_is_known_of_refusals_too() -> None:
    told: list[Seen] = []
    limits = Limits(one_lane(), body=10)
    with serve(door(django, told, recognise=lambda header: ID, limits=limits)) as service:
        service.get("/", {"Authorization": "Token x"})
        service.ask("POST", "/", b"x" * 11, {"Authorization": "Token x"})
        until(lambda: len(told) == 2)
    assert (told[1].maker, told[1].status, told[1].outcome, told[1].rows) == (7, 413, "refused", 0)


def test_what_the_door_refuses_or_answers_itself_is_told() -> None:
    told: list[Seen] = []
    index = BanIndex()
    index.put(Standing(1, network_of("127.0.0.1"), "everything", 0.0))
    with serve(door(django, told, guard=BanGuard(index, Notes()))) as service:
        service.get("/x")
        assert (only(told).outcome, told) == ("banned", [])
        service.get("/health")
        one = only(told)
        assert (one.outcome, one.status, one.lane, one.address) == ("served", 200, "door", "")


def test_who_was_shed_and_who_hung_up_are_told_apart() -> None:
    told: list[Seen] = []
    stuck = Stuck()
    with serve(door(stuck, told, limits=Limits(one_lane(1, 1)))) as service, service.dial() as held:
        held.sendall(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: service.door.pool.running == 1)
        with service.dial() as waits:
            waits.sendall(b"GET /waits HTTP/1.1\r\nHost: x\r\n\r\n")
            until(lambda: len(service.door.pool) == 1)
        until(lambda: told)
        assert (only(told).outcome, told) == ("hung_up", [])
        stuck.go.set()
        until(lambda: told)
    assert (only(told).worked, told) > (0.0, [])


def test_an_observer_that_fails_harms_neither_the_request_nor_the_next_observer(caplog: Any) -> None:
    told: list[Seen] = []

    def fails(one: Seen) -> None:
        raise RuntimeError("boom")

    with serve(FrontDoor(says("200 OK", [], b"x"), observers=[fails, told.append])) as service:
        assert [service.get("/").body for _ in range(3)] == [b"x"] * 3
        until(lambda: len(told) == 3)
    assert len([record for record in caplog.records if "observer" in record.message]) == 1


def test_a_socket_is_told_when_it_is_let_in_or_refused() -> None:
    told: list[Seen] = []
    with serve(door(django, told)) as service:
        assert b"101" in opened(service, "/stream/")
        one = only(told)
        assert (one.method, one.path, one.lane, one.outcome, one.status) == (
            *("SOCKET", "/stream/", "sockets", "served", 101),
        )
        opened(service, f"/stream/?token=mkl_{ID}_made-up-by-somebody-else")
        one = only(told)
        assert (one.path, one.outcome, one.status) == ("/stream/", "refused", 401)


def test_what_is_told_together_waits_for_no_more_than_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("makerlog.gate.seen.TOLD_WITHIN_S", 3600.0)
    told: list[Seen] = []
    with serve(door(says("200 OK", [], b"x"), told)) as service:
        for _ in range(AT_ONCE - 1):
            service.get("/")
        assert told == []
        service.get("/")
        until(lambda: len(told) == AT_ONCE)
        service.get("/last")
    assert told[-1].path == "/last", "a door that closes tells of everything"


def opened(service: Service, path: str) -> bytes:
    """The first bytes of the answer to an attempt to open a socket."""
    with service.dial() as connection:
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        return connection.recv(100)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/tasks/12/", "/tasks/12/"),
        ("/accounts/reset/MTI/cx7s4y-0123456789abcdef0123456789abcdef/", "/accounts/reset/MTI/…/"),
        ("/hooks/JuQ7_zP-x9qLw3fT-0aKc8Yb/in", "/hooks/…/in"),
        (
            "/discussions/how-do-you-find-your-first-hundred-users/",
            "/discussions/how-do-you-find-your-first-hundred-users/",
        ),
        (f"/users/mkl_{ID}_AAAA-secret/", f"/users/mkl_{ID}…/"),
    ],
)
def test_a_path_is_told_without_its_secrets(path: str, told: str) -> None:
    assert without_secrets(path) == told
