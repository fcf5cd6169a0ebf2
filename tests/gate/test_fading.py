"""What is kept of each client follows who calls of late: a worker that has met many is no larger than one that has not."""

from collections import OrderedDict
from collections.abc import Callable, Sized

import pytest

from makerlog.api.mirror import Mirror
from makerlog.gate.answers import Answer
from makerlog.gate.buckets import Buckets
from makerlog.gate.conduct import READ, SHED, Conduct, Window
from makerlog.gate.demand import Demand
from makerlog.gate.fading import let_go
from makerlog.gate.spent import Spent
from tests.gate.test_conduct import SHEDDED

NOW = 1_000_000
CLIENTS = 1_000  # one a second
SECOND_US = 1_000_000
TOLD = Answer(429, [(b"ratelimit", b'"token";r=0;t=40'), (b"retry-after", b"2")], b"")

# Notes a client at a moment, in seconds; and what is kept by then.
Store = tuple[Callable[[str, float], object], Callable[[], Sized]]


class Clock:
    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


def demand(clock: Clock) -> Store:
    kept = Demand(half_life=10, most=CLIENTS, clock=clock)
    return lambda client, now: kept.arrive(client), lambda: kept


def buckets(clock: Clock) -> Store:
    kept = Buckets(most=10, back=1 / 60, remembered=CLIENTS, clock=clock)
    return lambda client, now: kept.charge(client), lambda: kept


def spent(clock: Clock) -> Store:
    kept = Spent(clock)
    return lambda client, now: kept.note(TOLD, client), lambda: kept


def conduct(signal: str) -> Callable[[Clock], Store]:
    """Told of what was turned away: counts, and what was asked for."""

    def made(clock: Clock) -> Store:
        kept = Conduct({signal: Window(60, 2)})
        return (
            lambda client, now: kept.observe(SHEDDED._replace(client=client, at=now)),
            lambda: kept._signals[signal].kept,
        )

    return made


def mirror(clock: Clock) -> Store:
    """What Redis said."""
    kept = Mirror(processes=2)

    def hear(client: str, now: float) -> None:
        at, wanted = int(now) * SECOND_US, [(f"{limit} {client}", SECOND_US, 90 * SECOND_US) for limit in "ab"]
        kept.take_owed([key for key, _, _ in wanted], at)
        kept.hear(wanted, [at + 30 * SECOND_US] * 2, at, charged=True)

    return hear, lambda: kept.buckets


def mirror_alone(clock: Clock) -> Store:
    """Spent without Redis."""
    kept = Mirror(processes=2)

    def spend(client: str, now: float) -> None:
        kept.spend([(client, 30 * SECOND_US, 90 * SECOND_US)], int(now) * SECOND_US, insist=False)

    return spend, lambda: kept.buckets


@pytest.mark.parametrize("made", [demand, buckets, spent, conduct(SHED), conduct(READ), mirror, mirror_alone])
def test_who_came_long_ago_is_forgotten(made: Callable[[Clock], Store]) -> None:
    clock = Clock()
    note, kept = made(clock)
    for number in range(CLIENTS):
        clock.now = NOW + number
        note(f"client {number}", clock.now)
    assert 0 < len(kept()) <= 70, "those of the last minute"


def test_a_flood_within_that_time_is_bounded() -> None:
    kept = OrderedDict.fromkeys(range(10), False)
    assert let_go(kept, 8, lambda over: over) == [0, 1]
    assert let_go(kept, 8, lambda over: over) == []
    assert [*kept] == [2, 3, 4, 5, 6, 7, 8, 9]


def test_what_says_something_still_keeps_what_is_younger() -> None:
    """It is looked at no further: to look through all of them would cost each request."""
    assert let_go(OrderedDict(a=True, b=False, c=True), 8, lambda over: over) == ["a"]
    assert let_go(OrderedDict.fromkeys(range(10), True), 8, lambda over: over) == [0, 1, 2, 3]
    assert let_go(OrderedDict(), 8, lambda over: over) == []
