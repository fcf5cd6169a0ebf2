"""Readiness: its servers are asked once a second, however many ask."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from makerlog.gate.door import FrontDoor
from makerlog.gate.readiness import FRESH_S
from tests.gate.serving import Service, serve


class Servers:
    """WSGI: what readiness asks. ``asked``: how often."""

    def __init__(self, status: str = "200 OK") -> None:
        self.status = status
        self.asked = 0
        self.go = threading.Event()
        self.go.set()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.asked += 1
        self.go.wait(5)
        start_response("400 Bad Request" if environ["HTTP_HOST"] == "made.up" else self.status, [])
        return [b"{}"]


def ask(service: Service, count: int, **headers: str) -> list[int]:
    with ThreadPoolExecutor(16) as callers:
        replies = callers.map(lambda _: service.get("/health/ready/", headers), range(count))
        return [reply.status for reply in replies]


@pytest.mark.parametrize("status", ["200 OK", "503 Service Unavailable"])
def test_the_servers_are_asked_once_a_second_however_many_ask(status: str) -> None:
    servers = Servers(status)
    with serve(FrontDoor(servers, recognise=lambda header: "alice")) as service:
        began = time.monotonic()
        assert {*ask(service, 200), *ask(service, 200, Authorization="Token alice")} == {int(status[:3])}
        assert servers.asked <= 1 + (time.monotonic() - began) // FRESH_S
        time.sleep(FRESH_S)
        before = servers.asked
        assert service.get("/health/ready").status == service.ask("HEAD", "/health/ready").status == int(status[:3])
        assert servers.asked == before + 1


def test_those_who_ask_while_a_check_is_under_way_wait_for_it() -> None:
    servers = Servers()
    servers.go.clear()
    with serve(FrontDoor(servers)) as service, ThreadPoolExecutor(1) as aside:
        replies = aside.submit(ask, service, 10)
        time.sleep(0.3)
        servers.go.set()
        assert set(replies.result()) == {200}
    assert servers.asked == 1


def test_each_answer_has_an_id_of_its_own() -> None:
    with serve(FrontDoor(Servers())) as service:
        ids = {service.get("/health/ready/").headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3


def test_who_makes_up_a_host_spoils_nobody_s_answer() -> None:
    with serve(FrontDoor(Servers())) as service:
        assert ask(service, 3, Host="made.up") == [400] * 3
        assert service.get("/health/ready/").status == 200
