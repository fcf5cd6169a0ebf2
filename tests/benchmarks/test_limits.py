"""`make bench`: what it costs to know whether a caller may ask."""

import itertools
import time
from collections.abc import Callable
from statistics import median
from uuid import uuid4

import pytest

from makerlog.api.limits import LIMITS
from makerlog.api.store import redis_client
from makerlog.api.throttling import charge, limiter
from tests.benchmarks.board import Board, Row

pytestmark = pytest.mark.bench
CALLS, BATCHES = 300, 15


def microseconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    for _ in range(CALLS):
        act()
    return (time.perf_counter() - began) / CALLS * 1e6


REQUESTS = {
    "of a read with a token": {"token": 1, "maker": 1},
    "of a write by an app": {"token": 5, "maker": 5, "app": 5, "write": 1},
}


@pytest.mark.parametrize("asked", REQUESTS)
def test_a_decision_on_all_limits_of_a_request_is_one_round_trip(asked: str, table: Board) -> None:
    costs = REQUESTS[asked]
    makers, apps = (itertools.cycle([uuid4().hex for _ in range(many)]) for many in (200, 20))

    def decide() -> None:
        maker = next(makers)
        owners = {"token": maker, "maker": maker, "app": next(apps)}
        assert limiter.decide([charge(LIMITS[name], owners, units) for name, units in costs.items()]).allowed

    pings = {"PING by redis-py": redis_client.ping, "PING on the same connection": lambda: limiter.line.ask("PING")}
    ways = {"decision": decide, **pings}
    batches = [{name: microseconds(way) for name, way in ways.items()} for _ in range(BATCHES)]
    found = {name: median(each[name] for each in batches) for name in ways}
    details = {"microseconds": {name: round(each, 1) for name, each in found.items()}}
    for ping in pings:
        ratio = found["decision"] / found[ping]
        work = f"all {len(costs)} limits {asked}"
        table.add(Row(work, f"one Redis {ping}", 1.5, None, ratio, at_most=True, details=details))
