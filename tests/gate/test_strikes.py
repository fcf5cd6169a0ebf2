"""Asking in vain: counted per client, throttled before anything is read, and never a ban."""

import contextlib
import time
from ipaddress import ip_network
from typing import Any

import pytest

from makerlog.gate.banned import BanGuard
from makerlog.gate.bans import BanIndex, Standing
from makerlog.gate.caller import Caller
from makerlog.gate.door import FrontDoor
from makerlog.gate.files import StaticFolder
from makerlog.gate.lanes import CHARGED
from makerlog.gate.limits import Limits
from makerlog.gate.networks import SITE_CLIENTS
from makerlog.gate.notes import Notes
from makerlog.gate.strikes import Strikes, TooManyRefusals
from tests.gate.serving import Service, is_refusal, says, serve

FEW = Limits(strikes=3, strikes_back=0.5, struck_clients=100, uncharged=3, uncharged_back=0.5)
SLOW = Limits(strikes=3, strikes_back=0.01)  # none comes back while a test runs
LOOPBACK = [ip_network("127.0.0.0/8")]
ALICE = {"Authorization": "Token alice"}


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def strikes(clock: Clock) -> Strikes:
    return Strikes(FEW, clock)


def client(address: str = "93.184.216.7", token: str | None = None) -> Caller:
    return Caller(address, "https", token)


def strike(strikes: Strikes, caller: Caller, times: int = 1, status: int = 404, path: str = "/nowhere/") -> None:
    for _ in range(times):
        strikes.count(status, caller, path)


def wait_of(strikes: Strikes, caller: Caller, method: str = "GET", path: str = "/tasks/") -> int | None:
    """Seconds that the caller is told to wait; None: let in."""
    try:
        strikes.refuse_if_spent(caller, method, path)
    except TooManyRefusals as refusal:
        return refusal.retry_after
    return None


# --- The bucket ---


@pytest.mark.parametrize("status", [401, 403, 404])
def test_three_refusals_are_let_through_and_the_fourth_request_is_throttled(strikes: Strikes, status: int) -> None:
    strike(strikes, client(), 2, status)
    assert wait_of(strikes, client()) is None
    strike(strikes, client(), 1, status)
    assert wait_of(strikes, client()) == 2
    assert wait_of(strikes, client("93.184.216.8")) is None


@pytest.mark.parametrize("status", [200, 304, 400, 405, 429, 500, 503])
def test_other_answers_are_no_strikes(strikes: Strikes, status: int) -> None:
    strike(strikes, client(), 10, status)
    assert len(strikes) == 0


def test_a_strike_comes_back_at_its_second(strikes: Strikes, clock: Clock) -> None:
    strike(strikes, client(), 3)
    clock.now += 1.9
    assert wait_of(strikes, client()) == 1
    clock.now += 0.1
    assert wait_of(strikes, client()) is None
    strike(strikes, client())
    assert wait_of(strikes, client()) == 2


def test_a_bucket_is_never_fuller_than_full(strikes: Strikes, clock: Clock) -> None:
    strike(strikes, client())
    clock.now += 1_000_000
    strike(strikes, client(), 3)
    assert wait_of(strikes, client()) == 2


def test_a_genuine_token_of_the_same_address_passes_and_counts_nothing(strikes: Strikes) -> None:
    strike(strikes, client(token="alice"), 10)
    assert len(strikes) == 0
    strike(strikes, client(), 10)
    assert wait_of(strikes, client()) is not None
    assert wait_of(strikes, client(token="alice")) is None


@pytest.mark.parametrize("path", ["/milestones/", "/milestones", "/events/7/", "/ads/serve/", "/billing/subscription/"])
def test_what_old_apps_call_and_is_gone_earns_no_strike(strikes: Strikes, path: str) -> None:
    strike(strikes, client(), 10, path=path)
    assert wait_of(strikes, client()) is None


def test_preflights_and_staff_are_let_through(strikes: Strikes) -> None:
    strike(strikes, client(), 10)
    assert wait_of(strikes, client(), "OPTIONS") is None
    assert wait_of(strikes, client(), path="/admin/login/") is None
    assert wait_of(strikes, client(), path="/admin/") is not None
    assert wait_of(strikes, client()._replace(ticket=True), path="/admin/") is None


def test_an_ipv6_client_cannot_rotate_within_its_64(strikes: Strikes) -> None:
    for number in range(3):
        strike(strikes, client(f"2a00:1450:4001:800::{number:x}"))
    assert wait_of(strikes, client("2a00:1450:4001:800:ffff:ffff:ffff:ffff")) == 2
    assert wait_of(strikes, client("2a00:1450:4001:801::")) is None


def test_an_ipv4_address_is_not_the_ipv6_network_of_the_same_number(strikes: Strikes) -> None:
    strike(strikes, client("0.0.0.1"), 3)
    assert wait_of(strikes, client("0:0:0:1::")) is None


def test_memory_stays_bounded_and_the_last_struck_are_remembered() -> None:
    strikes = Strikes(Limits(strikes=1))
    for number in range(200_000):
        strikes.count(404, client(f"{number >> 16}.{number >> 8 & 255}.{number & 255}.1"), "/nowhere/")
    assert len(strikes) == 20_000
    assert wait_of(strikes, client("3.13.63.1")) is not None  # number 199,999
    assert wait_of(strikes, client("0.0.0.1")) is None


def test_whoever_goes_on_is_not_forgotten_for_newcomers(strikes: Strikes) -> None:
    for number in range(300):
        strike(strikes, client(f"93.184.217.{number % 256}"))
        strike(strikes, client())
    assert wait_of(strikes, client()) is not None


def test_the_check_costs_microseconds() -> None:
    """A tenth of the bound is usual; the bound holds on a busy machine too."""
    strikes, rounds = Strikes(Limits()), 20_000
    callers = [client(f"93.184.{number >> 8}.{number & 255}") for number in range(2_000)]
    for caller in callers:
        strikes.count(404, caller, "/nowhere/")
    began = time.process_time()
    for number in range(rounds):
        strikes.refuse_if_spent(callers[number % 2_000], "GET", "/tasks/")
    assert (time.process_time() - began) / rounds < 20e-6


# --- Genuine tokens, where no limit was charged ---


@pytest.mark.parametrize("status", [0, 200, 204, 400, 401, 403, 404, 405, 413, 415, 431])
def test_a_token_is_charged_whatever_comes_of_its_request(strikes: Strikes, clock: Clock, status: int) -> None:
    alice = client(token="alice")
    for _ in range(3):
        assert wait_of(strikes, alice) is None
        strikes.count_uncharged(status, alice)
    assert wait_of(strikes, alice) == wait_of(strikes, alice, "OPTIONS") == 2
    assert wait_of(strikes, client()) is None
    assert wait_of(strikes, client(token="bob")) is None
    clock.now += 2
    assert wait_of(strikes, alice) is None


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_we_had_no_room_for_is_not_charged_to_a_token(strikes: Strikes, status: int) -> None:
    for _ in range(10):
        strikes.count_uncharged(status, client(token="alice"))
    assert wait_of(strikes, client(token="alice")) is None


def test_all_tokens_of_a_maker_ask_in_vain_together(clock: Clock) -> None:
    strikes = Strikes(FEW, clock, client_in=lambda caller: "maker")
    for token in "abc":
        strikes.count_uncharged(404, client(token=token))
    assert wait_of(strikes, client(token="d")) == 2


# --- At the door ---


def door(app: Any, **values: Any) -> FrontDoor:
    values = {"limits": SLOW, "trusted": LOOPBACK, "recognise": recognise, **values}
    return FrontDoor(app, **values)


def recognise(header: bytes) -> str | None:
    return "alice" if header == b"Token alice" else None


def via(address: str, **headers: str) -> dict[str, str]:
    return {"X-Forwarded-For": address, **headers}


def knock(service: Service, times: int, headers: dict[str, str] | None = None) -> list[int]:
    return [service.get("/tasks/", headers).status for _ in range(times)]


def test_a_flood_of_401_is_throttled_while_a_genuine_token_of_the_same_address_goes_on() -> None:
    asked: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        asked.append(environ["HTTP_AUTHORIZATION"])
        start_response("200 OK" if asked[-1] == "Token alice" else "401 Unauthorized", [])
        return [b""]

    with serve(door(app)) as service:
        assert knock(service, 10, {"Authorization": "Token forged"}) == [401] * 3 + [429] * 7
        assert knock(service, 10, ALICE) == [200] * 10
    assert asked.count("Token forged") == 3, "the rest must not reach Django"


def test_the_refusal_has_the_one_shape_and_says_when_to_come_back() -> None:
    with serve(door(says("404 Not Found", []))) as service:
        knock(service, 3)
        reply = service.get("/tasks/")
    is_refusal(reply, 429, "too_many_refusals")
    assert reply.headers["retry-after"] == "100"
    assert reply.headers["ratelimit-policy"] == '"refusals";q=3;w=60'
    assert reply.headers["ratelimit"] == '"refusals";r=0;t=300'


def test_the_large_body_of_a_throttled_request_is_not_waited_for() -> None:
    with serve(door(says("404 Not Found", []))) as service:
        knock(service, 3)
        began = time.monotonic()
        reply = service.raw(b"POST /tasks/ HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n")
    is_refusal(reply, 429, "too_many_refusals")
    assert reply.headers["connection"] == "close"
    assert time.monotonic() - began < SLOW.linger


def test_behind_a_trusted_proxy_each_client_has_its_own_strikes() -> None:
    with serve(door(says("404 Not Found", []))) as service:
        assert knock(service, 5, via("93.184.216.7")) == [404, 404, 404, 429, 429]
        assert knock(service, 1, via("93.184.216.8")) == [404]
        assert knock(service, 4, via("2a00:1450::1")) == [404, 404, 404, 429]
        assert knock(service, 1, via("2a00:1450::2")) == [429]


def test_refusals_by_a_ban_are_no_strikes() -> None:
    bans = BanIndex()
    bans.put(Standing(1, ip_network("93.184.216.7/32"), "everything", 0.0))
    with serve(door(says("200 OK", []), guard=BanGuard(bans, Notes()))) as service:
        assert knock(service, 5, via("93.184.216.7")) == [403] * 5
        assert len(service.door.strikes) == 0


def test_every_refusal_tells_how_the_refusals_stand() -> None:
    with serve(door(says("404 Not Found", []))) as service:
        first, second = service.get("/nowhere/"), service.get("/nowhere/")
        genuine = service.get("/nowhere/", ALICE)
    assert first.headers["ratelimit"] == '"refusals";r=2;t=100'
    assert second.headers["ratelimit"] == '"refusals";r=1;t=200'
    assert [second.headers[f"x-ratelimit-{name}"] for name in ("limit", "remaining", "reset")] == ["3", "1", "200"]
    assert genuine.headers["ratelimit"] == '"refusals";r=600;t=0'


def test_an_answer_that_tells_a_limit_of_its_own_keeps_it() -> None:
    with serve(door(says("404 Not Found", [("RateLimit", '"address";r=7;t=1')]))) as service:
        reply = service.get("/tasks/")
    assert reply.headers["ratelimit"] == '"address";r=7;t=1'
    assert "ratelimit-policy" not in reply.headers


def test_an_answer_that_is_no_refusal_says_nothing_of_refusals() -> None:
    with serve(door(says("200 OK", []))) as service:
        assert "ratelimit" not in service.get("/tasks/").headers


def charging(status: str, charged: bool) -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if charged:
            environ[CHARGED] = True
        return says(status, [])(environ, start_response)

    return app


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "DELETE"])
@pytest.mark.parametrize("status", ["200 OK", "404 Not Found", "401 Unauthorized", "405 Method Not Allowed"])
def test_a_token_that_no_limit_was_charged_for_is_told_to_wait(method: str, status: str) -> None:
    few = Limits(uncharged=3, uncharged_back=0.01)
    with serve(door(charging(status, charged=False), limits=few)) as service:
        statuses = [service.ask(method, "/x/", headers=ALICE).status for _ in range(5)]
        assert statuses == [int(status[:3])] * 3 + [429] * 2
        if method == "GET":
            is_refusal(service.get("/x/", ALICE), 429, "too_many_refusals")
            assert service.get("/x/").status == int(status[:3])


def test_a_token_that_was_charged_is_counted_no_second_time() -> None:
    few = Limits(uncharged=3, uncharged_back=0.01)
    with serve(door(charging("404 Not Found", charged=True), limits=few)) as service:
        assert {service.get("/x/", ALICE).status for _ in range(10)} == {404}


def test_a_token_is_charged_for_files_that_are_not_there_and_for_bodies_that_are_too_large(tmp_path: Any) -> None:
    (tmp_path / "a.txt").write_text("a")
    few = Limits(uncharged=3, uncharged_back=0.01, body=100)
    folders = {"/static/": StaticFolder(tmp_path)}
    with serve(door(charging("200 OK", charged=True), limits=few, folders=folders)) as service:
        assert {service.get("/static/a.txt", ALICE).status for _ in range(10)} == {200}
        assert [service.get("/static/no.txt", ALICE).status for _ in range(2)] == [404, 404]
        assert service.ask("POST", "/tasks/", b"x" * 1000, ALICE).status == 413
        assert service.get("/static/a.txt", ALICE).status == 429


def test_the_owner_of_a_48_asks_in_vain_eight_times_as_often_as_one_address(strikes: Strikes) -> None:
    addresses = [f"2a00:1450:4001:{number:x}::1" for number in range(20)]
    struck = 0
    for address in addresses:
        one = Caller(address, "https")
        for _ in range(FEW.strikes):
            with contextlib.suppress(TooManyRefusals):
                strikes.refuse_if_spent(one, "GET", "/nothing/")
                strikes.count(404, one, "/nothing/")
                struck += 1
    assert struck == FEW.strikes * SITE_CLIENTS
    strikes.refuse_if_spent(Caller("2a00:1450:4002::1", "https"), "GET", "/nothing/")
    with pytest.raises(TooManyRefusals):
        strikes.refuse_if_spent(Caller("2a00:1450:4001:ffff::1", "https"), "GET", "/nothing/")
