"""The tools of `make attack` count what happens: a flood, a failure or a delay that they missed would be a false pass."""

import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from makerlog.gate.door import FrontDoor
from makerlog.gate.limits import Limits
from tests.attack.floods import chatter, dawdler, flood, prober
from tests.attack.floods.bounds import LATE_S, Probe, Probes, judge
from tests.attack.floods.service import Tool, flooded, probed
from tests.attack.floods.targets import LISTS
from tests.gate.serving import mirror, one_lane, serve

PATHS = {"list": "/", "detail": "/", "post": "/"}


def plan(port: int, **more: Any) -> flood.Plan:
    given = {"connections": 8, "seconds": 2.5, "rate": 40.0, "addresses": ["93.184.216.34"], **more}
    return flood.Plan(port=port, target=LISTS, paths=["/"], **given)


def probe_plan(port: int, **more: Any) -> prober.Plan:
    given = {"seconds": 0.5, "tokens": ["a", "b"], "rate": 10.0, "paths": PATHS, "body": "{}", **more}
    return prober.Plan(port, **given)


@contextlib.contextmanager
def deaf() -> Iterator[int]:
    """A port that is bound and not listened on: it refuses, and nobody else can take it meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.mark.parametrize("keep_alive", [True, False])
def test_a_flood_offers_its_rate_and_counts_what_was_served(keep_alive: bool) -> None:
    with serve(FrontDoor(mirror)) as service, Tool("flood", plan(service.port, keep_alive=keep_alive)) as tool:
        told = flooded(tool)
    assert 90 <= told.offered <= 101
    assert told.of(200) + told.unsent + told.unfinished == told.offered
    assert told.of(200) >= 0.8 * told.offered
    assert set(told.outcomes) == {"200"}


def test_a_flood_of_nobody_counts_refused_connects_and_never_tries_one_again() -> None:
    with deaf() as port, Tool("flood", plan(port)) as tool:
        told = flooded(tool)
    assert told.outcomes == {"refused connect": told.offered}


def test_a_flood_stays_on_this_machine() -> None:
    with pytest.raises(SystemExit):
        flood.main(
            '{"port": 1, "connections": 1, "seconds": 1, "target": "lists", "paths": ["/"], "addresses": ["1.1.1.1"],'
            ' "sources": ["93.184.216.34"]}'
        )


def test_probes_are_answered_and_timed() -> None:
    with serve(FrontDoor(mirror)) as service, Tool("prober", probe_plan(service.port)) as tool:
        probes = probed(tool)
    assert (len(probes.holders.all), len(probes.of("health").all)) == (10, 10)
    assert probes.holders.goodput == probes.of("health").goodput == 1
    assert probes.holders.p99 < LATE_S
    assert all(check.met for check in judge(probes, probes) if not check.told.startswith("health p99"))


def test_a_probe_is_timed_from_its_intended_moment() -> None:
    """One thread, 0.2 s each: the tenth request waits for nine others, although it is answered in 0.2 s once begun."""

    def slow(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        time.sleep(0.2)
        return mirror(environ, start_response)

    door = FrontDoor(slow, limits=Limits(lanes=one_lane(threads=1, longest_wait=5.0)))
    with serve(door) as service, Tool("prober", probe_plan(service.port, health_rate=0.0)) as tool:
        probes = probed(tool)
    assert probes.holders.goodput == 1
    assert probes.holders.p99 > 1.0


def test_a_probe_that_nobody_answers_has_failed() -> None:
    with deaf() as port, Tool("prober", probe_plan(port, sign_ins=[0.0])) as tool:
        probes = probed(tool)
    assert probes.goodput == 0
    assert set(probes.failures()) == {"refused connect"}
    assert probes.holders.p50 == LATE_S
    ordinary = Probes([Probe(kind, 0.0, 0.01, 200) for kind in ("list", "health")])
    assert [check.met for check in judge(probes, ordinary)] == [False, False, True, False, False, False, False]


def test_dawdlers_count_what_they_were_told() -> None:
    door = FrontDoor(mirror, limits=Limits(head_seconds=0.2, linger=2.0))
    with serve(door) as service:
        kinds = {"silent": 2, "half-heads": 3, "slow readers": 1}
        with Tool("dawdler", dawdler.Plan(service.port, 1.6, kinds, "token", ["/"])) as tool:
            told = tool.result()
    assert told["half-heads"]["408"] >= 3
    assert told["silent"]["408"] >= 2
    assert told["slow readers"]["200"] >= 1


def test_chatterers_write_until_the_service_ends_it_and_count_how() -> None:
    with serve(FrontDoor(mirror)) as service:
        plan = chatter.Plan(service.port, 1.5, "/nothing/", 2, ["pongs", "texts"], ["93.184.216.34"])
        with Tool("chatter", plan) as tool:
            told = tool.result()
    assert told["bytes"] > 0
    assert told["ends"]["opened"] >= 2
    assert told["ends"]["4404"] >= 1
