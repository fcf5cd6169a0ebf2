"""The lockdown level as the door tells it: on every answer, on /health, and on /status/."""

import json
from collections.abc import Iterator

import pytest

from makerlog.gate.door import FrontDoor
from makerlog.gate.level import USUAL, Declared, Lockdown, lockdown
from makerlog.gate.limits import Limits
from tests.gate.serving import Service, mirror, one_lane, says, serve

ATTACK = Declared("under_attack", "Back soon.\n<script>alert(1)</script>", 1_600_000_000.0, 4_000_000_000.0)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with serve(FrontDoor(says("500 Not asked", []), limits=Limits(one_lane(2, 2), head_seconds=0.3))) as service:
        yield service


@pytest.fixture(autouse=True)
def usual_afterwards() -> Iterator[None]:
    yield
    lockdown.declare(USUAL)


def test_a_level_holds_until_its_second() -> None:
    at = [99.0]
    held = Lockdown(clock=lambda: at[0])
    held.declare(Declared("guarded", "Careful.", 90.0, expires_at=100.0))
    assert held.level == "guarded"
    assert held.now.notice == "Careful."
    at[0] = 100.0
    assert held.now == USUAL


@pytest.mark.parametrize("level", ["normal", "guarded", "under_attack"])
def test_every_answer_names_the_level_whoever_gives_it(level: str) -> None:
    lockdown.declare(Declared(level))
    with serve(FrontDoor(mirror)) as service:
        answers = [service.get(path) for path in ("/", "/health", "/status/", "/tasks/")]
        answers.append(service.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"))
        answers.append(service.raw(b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000 + b"\r\n\r\n"))
    assert [answer.status for answer in answers] == [200, 200, 200, 200, 400, 431]
    assert [answer.headers["x-makerlog-level"] for answer in answers] == [level] * 6
    assert all("X-Makerlog-Level" in answer.headers["access-control-expose-headers"] for answer in answers[1:3])
    assert answers[1].json() == {"healthy": True, "level": level}


@pytest.mark.parametrize("path", ["/status", "/status/", "/status/?x=1"])
def test_status_is_a_page_that_asks_nobody_for_anything(service: Service, path: str) -> None:
    lockdown.declare(ATTACK)
    page = service.get(path, {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    text = page.body.decode()
    assert "We are under attack" in text
    assert "Back soon.\n&lt;script&gt;" in text
    assert "2096-10-02T07:06:40+00:00" in text
    assert "<script" not in text
    assert "://" not in text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert len(page.body) < 4_000
    assert page.headers["cache-control"] == "no-store"


def test_status_is_json_where_that_is_asked_for(service: Service) -> None:
    lockdown.declare(ATTACK)
    answer = service.get("/status/", {"Accept": "application/json"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["vary"] == "Accept"
    said = answer.json()
    assert {key: said[key] for key in ("level", "notice", "expires_at")} == {
        "level": "under_attack",
        "notice": ATTACK.notice,
        "expires_at": "2096-10-02T07:06:40+00:00",
    }
    lockdown.declare(USUAL)
    said = json.loads(service.get("/status/", {"Accept": "application/json"}).body)
    assert (said["level"], said["notice"], said["since"], said["expires_at"]) == ("normal", None, None, None)


def test_status_by_head_has_the_length_and_no_body(service: Service) -> None:
    whole, head = service.get("/status/"), service.ask("HEAD", "/status/")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.body))
