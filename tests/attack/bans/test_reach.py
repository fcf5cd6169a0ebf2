"""`make attack`: how fast bans are in force everywhere, a hundred times over, and ten thousand of them within a minute."""

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from makerlog.accounts.actions import revoke_token
from makerlog.gate.bans import network_of
from moderation import actions
from tests.makers import caller
from tests.moderation.test_everywhere import by_admin, by_command, expiring, fresh
from tests.moderation.workers import REACH_S, ROOT, Workers, distribution, timed

pytestmark = [pytest.mark.attack, pytest.mark.django_db(transaction=True)]

TRIALS = {by_command: 100, by_admin: 100, expiring: 30}
BANS, SECONDS = 10_000, 60.0
MOST_LAG_MS = 50


@pytest.fixture(scope="module")
def workers(django_db_setup: None, django_db_blocker: Any) -> Iterator[Workers]:
    with django_db_blocker.unblock(), Workers() as service:
        yield service


def try_all(workers: Workers, title: str, say: Any) -> None:
    for way, trials in TRIALS.items():
        banned, lifted = zip(*(way(fresh(), workers) for _ in range(trials)), strict=True)
        say(distribution(f"{title} {way.__name__}: ban", banned))
        say(distribution(f"{title} {way.__name__}: end", lifted))
        assert max(*banned, *lifted) < REACH_S


def test_a_hundred_bans_and_lifts_each_way(workers: Workers, say: Any) -> None:
    try_all(workers, "", say)


def test_ten_thousand_bans_in_a_minute_hold_up_no_event_loop(workers: Workers, say: Any) -> None:
    probe = [sys.executable, "-m", "tests.attack.bans.prober", str(workers.port), str(SECONDS)]
    with subprocess.Popen(probe, cwd=ROOT, stdout=subprocess.PIPE) as prober, Checker(workers) as checker:
        began = time.monotonic()
        for number in range(BANS):
            time.sleep(max(0.0, began + SECONDS * number / BANS - time.monotonic()))
            address = f"94.{number >> 16}.{number >> 8 & 255}.{number & 255}"
            actions.ban(network=network_of(address))
            checker.banned.put((address, time.monotonic()))
        took = time.monotonic() - began
        lags = sorted(json.loads(prober.communicate(timeout=SECONDS)[0]))
    p99 = lags[len(lags) * 99 // 100]
    say(
        f"{BANS:,} bans in {took:.0f} s; /health: {len(lags):,} asked, ms: p50 {lags[len(lags) // 2]:.1f}, p99 {p99:.1f},"
    )
    say(f"  longest {lags[-1]:.1f}; not in force everywhere after 1 s: {len(checker.late)} of {checker.asked:,}")
    assert (took < SECONDS * 1.2, checker.asked, checker.late) == (True, BANS, [])
    assert p99 < MOST_LAG_MS


def switching(workers: Workers) -> tuple[float, float]:
    """Seconds until a route was closed, and open again, in every worker."""
    asked = {"path": "/launches/"}
    closed = timed(lambda: actions.switch_route(route="launches/", state="closed"))
    closed_for = workers.reach(fresh(), 503, since=closed, **asked)
    opened = timed(lambda: actions.switch_route(route="launches/", state="open"))
    return closed_for, workers.reach(fresh(), 200, since=opened, **asked)


def revoking(workers: Workers) -> float:
    """Seconds until a token that every worker remembers was refused by all."""
    address = fresh()
    holder = caller(f"holder-{address.replace('.', '-')}")
    asked = {"path": "/me/", "Authorization": f"Token {holder.token}"}
    assert {worker.status(address, **asked) for worker in workers.each} == {200}
    token = holder.maker.tokens.get()
    return workers.reach(address, 401, since=timed(lambda: revoke_token(token=token)), **asked)


def test_a_hundred_route_switches_and_revocations_with_redis_and_without(workers: Workers, say: Any) -> None:
    for title in ("", "without Redis, "):
        closed, opened = zip(*(switching(workers) for _ in range(100)), strict=True)
        revoked = [revoking(workers) for _ in range(100)]
        for what, times in (("route closed", closed), ("route opened", opened), ("token revoked", revoked)):
            say(distribution(f"{title}{what}", times))
            assert max(times) < REACH_S
        workers.kill_redis()


def test_without_redis_a_hundred_bans_and_lifts_each_way(workers: Workers, say: Any) -> None:
    workers.kill_redis()
    try_all(workers, "without Redis,", say)


class Checker(threading.Thread):
    """Asks every worker about each ban when its second is over."""

    def __init__(self, workers: Workers) -> None:
        super().__init__(daemon=True)
        self.workers = workers
        self.banned: queue.Queue[tuple[str, float] | None] = queue.Queue()
        self.late: list[str] = []
        self.asked = 0

    def __enter__(self) -> "Checker":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.banned.put(None)
        self.join(30)

    def run(self) -> None:
        while (next_one := self.banned.get()) is not None:
            address, at = next_one
            time.sleep(max(0.0, at + REACH_S - time.monotonic()))
            self.asked += 1
            if {worker.status(address) for worker in self.workers.each} != {403}:
                self.late.append(address)
