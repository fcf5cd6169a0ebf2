"""Who talks most, over all processes: each tells Redis once a second what its own sketch holds (makerlog.gate.talkers), and
the console sums it up. With Redis away a process shows what it saw itself, and says so."""

import os
import socket
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson
import redis

from makerlog.gate.talkers import KINDS, Talker, Talkers, Totals, joined
from moderation.traffic import store

KEY = "talkers"
TOLD = 30  # talkers of each kind
FRESH_S = 5.0  # who has told nothing for longer has ended, or is cut off
GONE_S = 60
SHOWN = 8


@dataclass
class Picture:
    """Of about the last minute, and of so many ``processes``. ``totals``: requests by lane and outcome of each ten seconds
    (Unix time // 10). ``alone``: Redis is away, so it is of the process that answers."""

    top: dict[str, list[Talker]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    totals: dict[int, Totals] = field(default_factory=dict)
    processes: int = 0
    alone: bool = False

    def find(self, kind: str, name: str) -> Talker | None:
        return next((talker for talker in self.top.get(kind, ()) if talker.name == name), None)


def me() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def tell(talkers: Talkers) -> None:
    """Raises redis.RedisError."""
    with store.pipeline(transaction=False) as pipe:
        pipe.hset(KEY, me(), orjson.dumps({"at": time.time(), **plain(talkers)}))
        pipe.expire(KEY, GONE_S)
        pipe.execute()


def plain(talkers: Talkers) -> dict[str, Any]:
    return {
        "top": {kind: [talker.plain() for talker in talkers.top(kind, TOLD)] for kind in KINDS},
        "totals": [
            [number, [[*which, count] for which, count in counts.items()]]
            for number, counts in talkers.totals().items()
        ],
    }


def picture(own: Talkers) -> Picture:
    """What all processes saw, this one up to now and the others up to a second ago."""
    try:
        others, alone = heard(), False
    except redis.RedisError:
        others, alone = [], True
    return summed([plain(own), *others], alone=alone)


def heard() -> list[dict[str, Any]]:
    """What the others told last. Raises redis.RedisError."""
    kept: Any = store.hgetall(KEY)
    told = {name.decode(): orjson.loads(text) for name, text in kept.items()}
    now = time.time()
    if gone := [name for name, each in told.items() if each["at"] < now - GONE_S]:
        store.hdel(KEY, *gone)
    return [each for name, each in told.items() if name != me() and each["at"] > now - FRESH_S]


def summed(told: Iterable[dict[str, Any]], *, alone: bool = False) -> Picture:
    picture = Picture(alone=alone)
    pieces: dict[str, list[Talker]] = {kind: [] for kind in KINDS}
    for each in told:
        picture.processes += 1
        for kind in KINDS:
            pieces[kind] += map(Talker.of, each["top"][kind])
        for number, counts in each["totals"]:
            picture.totals.setdefault(number, Counter()).update({(lane, outcome): n for lane, outcome, n in counts})
    picture.top = {kind: sorted(joined(found), key=lambda talker: -talker.weight) for kind, found in pieces.items()}
    return picture
