"""`make bench`: what very many bans cost."""

import asyncio
import random
import threading
import time
from collections.abc import Callable

import pytest
from django.db import connection
from django.utils import timezone

from makerlog.gate.bans import BanIndex, Standing, network_of
from moderation.models import Ban
from moderation.standing import Bans
from tests.benchmarks.board import Board, Row
from tests.benchmarks.size import SIZE

pytestmark = pytest.mark.bench
BANS = SIZE.bans
MOST_US = 5.0
MOST_STALL_MS = 200.0
Say = Callable[[str], None]


def networks() -> list[str]:
    """Mostly addresses, some ranges: five prefix lengths."""
    pick = random.Random(7)
    found = {
        f"{pick.randrange(1, 100)}.{pick.randrange(256)}.{pick.randrange(256)}.{pick.randrange(256)}"
        for _ in range(BANS)
    }
    ranges = [f"{each.rpartition('.')[0]}.0/24" for each in list(found)[:500]]
    wide = [f"101.{number}.0.0/16" for number in range(100)]
    sixes = [f"2a00:{number:x}::/48" for number in range(1_000)] + [f"2a01:{number:x}::" for number in range(1_000)]
    return [*dict.fromkeys([*ranges, *wide, *sixes, *found])][:BANS]


def rows() -> list[Ban]:
    now = timezone.now()
    return [
        Ban(network=str(each), family=each.version, low=int(each[0]), high=int(each[-1]), created_at=now)
        for each in map(network_of, networks())
    ]


def microseconds(index: BanIndex, addresses: list[str]) -> float:
    began = time.perf_counter()
    for address in addresses:
        index.refusal(address, genuine=False, now=1.0)
    return (time.perf_counter() - began) / len(addresses) * 1e6


def test_the_check_costs_five_microseconds_at_most(say: Say, table: Board) -> None:
    index, texts = BanIndex(), networks()
    for number, text in enumerate(texts):
        index.put(Standing(number, network_of(text), "everything", since=0.0))
    pick = random.Random(8)
    seen = [f"{pick.randrange(1, 220)}.{pick.randrange(256)}.1.1" for _ in range(1_000)]
    never = [
        f"{pick.randrange(1, 220)}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}" for number in range(50_000)
    ]
    sixes = [f"2a02:{number:x}::1" for number in range(1_000)]
    figures = {
        "addresses seen before": min(microseconds(index, seen) for _ in range(20)),
        "IPv6 addresses seen before": min(microseconds(index, sixes) for _ in range(20)),
        "addresses never seen": min(microseconds(index, never) for _ in range(5)),
    }
    for what, cost in figures.items():
        say(f"{len(index):,} bans, one check, {what:<28} {cost:.2f} us")
    table.add(Row(f"ban check, {BANS:,} bans", "", MOST_US, measured=max(figures.values()), at_most=True, unit=" us"))
    assert len(index) == BANS
    assert max(figures.values()) <= MOST_US


@pytest.mark.django_db(transaction=True)
def test_loading_them_all_does_not_hold_up_the_event_loop(say: Say, table: Board) -> None:
    Ban.objects.bulk_create(rows(), batch_size=5_000)
    index = BanIndex()

    def load() -> None:
        Bans(index).load()
        connection.close()

    began = time.perf_counter()
    stalls = asyncio.run(stalls_while(load))
    took = time.perf_counter() - began
    say(f"{len(index):,} bans loaded in {took:.1f} s; longest stall of the event loop {max(stalls) * 1000:.0f} ms")
    stall = max(stalls) * 1000
    table.add(Row(f"event loop held up by {BANS:,} bans", "", MOST_STALL_MS, measured=stall, at_most=True, unit=" ms"))
    assert len(index) == BANS
    assert max(stalls) * 1000 < MOST_STALL_MS


async def stalls_while(work: Callable[[], None]) -> list[float]:
    """How late the loop woke, each time that it wanted to, while a thread worked."""
    thread = threading.Thread(target=work)
    thread.start()
    stalls = []
    while thread.is_alive():
        wanted = time.perf_counter() + 0.001
        await asyncio.sleep(0.001)
        stalls.append(time.perf_counter() - wanted)
    return stalls
