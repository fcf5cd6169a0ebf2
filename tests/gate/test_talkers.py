"""Who talks most: what the sketch keeps, and what it costs."""

import gc
import sys
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import pytest
import time_machine

from makerlog.gate.networks import client_of
from makerlog.gate.seen import Seen
from makerlog.gate.talkers import BAR_S, KEPT, KINDS, ROUTES_A_SECOND, SLOT_S, SLOTS, Talker, Talkers

NOW = 1_000_000_000.0
PLAIN = Seen(
    at=NOW,
    address="93.184.216.7",
    client="93.184.216.7",
    token="",
    maker=None,
    method="GET",
    path="/tasks/",
    route="tasks/",
    agent="App/1",
    lane="anonymous",
    outcome="served",
    status=200,
    waited=0.0,
    worked=0.0,
    rows=0,
    queries=0,
    request_id="",
)


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def seen(address: str = "93.184.216.7", **values: Any) -> Seen:
    return PLAIN._replace(address=address, client=client_of(address), **values)


def told(*requests: Seen) -> Talkers:
    talkers = Talkers()
    for one in requests:
        talkers.observe(one)
    return talkers


def the(talkers: Talkers, kind: str, name: str) -> Talker:
    found = talkers.find(kind, name)
    assert found is not None
    return found


def names(talkers: Talkers, kind: str) -> list[str]:
    return [talker.name for talker in talkers.top(kind)]


def test_each_request_is_counted_for_everybody_behind_it() -> None:
    talkers = told(
        seen(token="0123456789a", maker=7, rows=20, worked=0.5, lane="token"),
        seen(outcome="shed", status=503),
        seen(outcome="banned", status=403),
        seen(status=404, route="", path="/nowhere/"),
    )
    assert [names(talkers, kind) for kind in KINDS] == [
        ["93.184.216.7"],
        ["93.184.216.0/24"],
        ["0123456789a"],
        ["7"],
        ["tasks/", "no route"],
        ["App/1"],
    ]
    address, token = the(talkers, "address", "93.184.216.7"), the(talkers, "token", "0123456789a")
    assert (address.requests, address.refusals, address.rows, address.worked) == (4, 2, 20, 0.5)
    assert (address.count("shed"), address.vain, address.breadth) == (1, 2, 1)
    assert (token.requests, token.refusals) == (1, 0)
    assert sum(talkers.totals()[int(NOW) // BAR_S].values()) == 4


def test_of_ipv6_a_client_is_the_64_and_a_range_the_48() -> None:
    talkers = told(*(seen(f"2a00:1450:4001:{part:x}::{part:x}") for part in range(1, 6)))
    assert "2a00:1450:4001:1::/64" in names(talkers, "address")
    assert the(talkers, "range", "2a00:1450:4001::/48").requests == 5


def test_a_log_in_in_vain_is_told_from_one_that_is_not() -> None:
    talkers = told(
        seen(lane="log_in", status=400),
        seen(lane="log_in", status=200),
        seen(lane="log_in", status=429, outcome="throttled"),
        seen(lane="sign_in", status=200),
        seen(lane="sign_in", status=302),
    )
    assert the(talkers, "address", "93.184.216.7").bad_log_ins == 2


def test_a_crawl_shows_as_breadth() -> None:
    routes = [f"things/{number}/" for number in range(159)]
    talkers = told(*(seen(route=route) for route in routes * 3), *(seen("93.184.217.8") for _ in range(9)))
    assert abs(the(talkers, "address", "93.184.216.7").breadth - 159) <= 12
    assert the(talkers, "address", "93.184.217.8").breadth == 1


def test_a_minute_later_it_is_forgotten_and_first_seen_lasts_as_long_as_they_talk(clock: Any) -> None:
    talkers = Talkers()
    for second in range(0, 200, 5):
        clock.move_to(NOW + second)
        talkers.observe(seen(at=NOW + second))
    lasting = the(talkers, "address", "93.184.216.7")
    assert (lasting.first, lasting.last) == (NOW, NOW + 195)
    assert SLOT_S * (SLOTS - 1) / 5 <= lasting.requests <= SLOT_S * SLOTS / 5
    clock.move_to(NOW + 195 + SLOT_S * SLOTS)
    assert talkers.find("address", "93.184.216.7") is None
    assert talkers.top("address") == []


def test_the_route_of_what_django_never_saw_is_found_within_bounds() -> None:
    asked: list[str] = []

    def route_of(path: str) -> str:
        asked.append(path)
        return "tasks/<int:pk>/"

    talkers = Talkers(route_of)
    for number in range(10 * ROUTES_A_SECOND):
        talkers.observe(seen(route="", path=f"/tasks/{number}/", outcome="shed"))
        talkers.observe(seen(route="", path="/tasks/0/", outcome="shed"))
    assert len(asked) == ROUTES_A_SECOND
    assert the(talkers, "route", "tasks/<int:pk>/").requests == 11 * ROUTES_A_SECOND


def test_who_costs_much_is_noticed_among_many_who_ask_often() -> None:
    crowd = [seen(f"2a00:1450:{part:x}::1") for part in range(5 * KEPT)]
    dear = seen("93.184.216.9", worked=2.0)
    assert names(told(dear, *crowd), "address")[0] == "93.184.216.9"


def test_what_one_process_tells_another_understands() -> None:
    talker = the(told(seen(rows=3), seen(route="users/")), "address", "93.184.216.7")
    heard = Talker.of(talker.plain())
    assert all(getattr(heard, name) == getattr(talker, name) for name in Talker.__slots__)


@pytest.mark.parametrize("count", [200_000, pytest.param(1_000_000, marks=pytest.mark.scale)])
def test_rotating_addresses_hide_no_talker_and_take_no_more_memory_than_the_first_ten_thousand(
    clock: Any, count: int
) -> None:
    """The first 10,000 in the first 70 s, the rest in 100 more; the steady one asks once in a hundred requests."""
    talkers, steady = Talkers(), seen("93.184.216.7")
    alike = PLAIN[Seen._fields.index("token") :]
    early, late = [], []
    for number in range(count):
        at = NOW + (number / 143 if number < 10_000 else 70 + (number - 10_000) * 100 / count)
        part = f"2a00:{number >> 16:x}:{number & 0xFFFF:x}:1::"
        talkers.observe(Seen(at, f"{part}5", part, *alike))
        if number % 100 == 0:
            talkers.observe(steady._replace(at=at))
        if number % (count // 10) == count // 10 - 1 or number in (9_300, 9_600, 9_999):
            (early if number < 10_000 else late).append(size_of(talkers))
    clock.move_to(NOW + 169)
    assert max(late) < max(early) * 1.05
    assert names(talkers, "address")[0] == "93.184.216.7"
    assert the(talkers, "address", "93.184.216.7").requests > count * 6 // 1_000


def size_of(thing: Any) -> int:
    """Bytes of all that it holds by itself."""
    known: dict[int, Any] = {}
    waiting = [thing]
    while waiting:
        one = waiting.pop()
        if id(one) not in known and not isinstance(one, type | FunctionType):
            known[id(one)] = one
            waiting += gc.get_referents(one)
    return sum(map(sys.getsizeof, known.values()))
