"""When it is a flood, and who talks loudest in it."""

from collections.abc import Iterable
from typing import Any

import pytest

from makerlog.gate.flood import IN_ALL, KEPT_S, LEAST, OVER_S, Floods, Loudest, Second, floods
from makerlog.gate.seen import Seen

NOW = 1_000


def row(*turned_away: int) -> list[Second]:
    """The last seconds before NOW, the newest last."""
    return [Second(NOW - len(turned_away) + at, 500, count, count) for at, count in enumerate(turned_away)]


def one(at: float, client: str, outcome: str) -> Seen:
    given: dict[str, Any] = {"at": at, "address": client, "client": client, "outcome": outcome, "maker": None}
    words = ("token", "method", "path", "route", "agent", "lane", "request_id")
    numbers = ("status", "waited", "worked", "rows", "queries")
    return Seen(**given, **dict.fromkeys(words, "x"), **dict.fromkeys(numbers, 0))


@pytest.mark.parametrize(
    ("seconds", "on"),
    [
        (row(*[IN_ALL] * OVER_S), True),
        (row(*[IN_ALL // OVER_S] * OVER_S), True),
        (row(*[IN_ALL // OVER_S - 1] * OVER_S), False),
        (row(10_000, 0, 0, 0), False),
        (row(*[IN_ALL] * (OVER_S - 1), LEAST - 1), False),
        (row(*[IN_ALL] * (OVER_S - 1)), False),
        ([], False),
        ([Second(NOW, 500, 10_000, 10_000)], False),
    ],
    ids=["much", "just enough", "too little", "a burst", "it ebbs", "too short", "silence", "only this second"],
)
def test_a_flood_is_turned_away_for_seconds_on_end(seconds: Iterable[Second], on: bool) -> None:
    assert floods(seconds, NOW) == on


def test_requests_that_are_served_or_banned_are_no_flood_and_the_shed_are() -> None:
    for outcome, on in (("served", False), ("banned", False), ("shed", True), ("throttled", True)):
        watched = Floods()
        for second in range(NOW - OVER_S, NOW):
            for _ in range(IN_ALL):
                watched(one(second + 0.5, "93.184.216.7", outcome))
        assert watched.on(NOW) == on, outcome


def test_a_flood_that_a_rule_banned_within_seconds_was_one_and_after_half_a_minute_is_none() -> None:
    watched = Floods()
    for number in range(60):
        watched(one(NOW, "93.184.216.7", "throttled" if number else "shed"))
    for second in range(NOW + 1, NOW + 60):
        for _ in range(IN_ALL):
            watched(one(second, "93.184.216.7", "banned"))
        assert watched.on(second) == (NOW + OVER_S <= second <= NOW + KEPT_S), second - NOW


def test_the_loudest_is_named_among_a_million_others_in_bounded_memory() -> None:
    loudest = Loudest(most=50)
    for number in range(20_000):
        loudest.add("93.184.216.7" if number % 20 == 0 else f"10.0.{number >> 8}.{number & 255}")
    assert max(loudest.counts, key=lambda client: loudest.counts[client]) == "93.184.216.7"
    assert len(loudest.counts) <= 50


def test_the_top_talker_is_of_the_last_seconds() -> None:
    watched = Floods()
    for second, client in ((NOW - 60, "5.5.5.5"), (NOW - 8, "6.6.6.6"), (NOW - 1, "6.6.6.6")):
        for _ in range(100 if client == "5.5.5.5" else 30):
            watched(one(second, client, "shed"))
    top = watched.loudest(NOW)
    assert top is not None
    assert top.client == "6.6.6.6"


def test_figures_are_taken_once() -> None:
    watched = Floods()
    for outcome in ("served", "shed", "shed"):
        watched(one(NOW, "5.5.5.5", outcome))
    taken = watched.take()
    assert (taken.requests, taken.outcomes["shed"], taken.refused.counts) == (3, 2, {"5.5.5.5": 2})
    assert watched.take().requests == 0
