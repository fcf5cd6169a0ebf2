"""What all processes counted of the same client: each tells Redis its own figure while it is worth telling, and reads the
others'. What a process keeps to itself is less than a quarter of its share of the threshold, so the sum is at most a
quarter too low. With Redis away each goes by what it saw itself: a rule then acts later, never sooner."""

import os
import socket
from collections.abc import Mapping

import orjson
import redis
from django.conf import settings

from makerlog.api.store import Breaker, client
from makerlog.gate.conduct import Counted, size

MOST = 100  # clients told for each rule at once, those with the most

store = client(settings.REDIS_URL)
breaker = Breaker("what rules count together")


def told(counted: Mapping[str, Counted]) -> dict[str, Counted]:
    worst = sorted(counted, key=lambda subject: (-size(counted[subject]), subject))
    return {subject: counted[subject] for subject in worst[:MOST]}


def together(rule: str, window: int, own: Mapping[str, Counted], now: float) -> dict[str, int]:
    """How much each client of ``own`` did within ``window`` seconds, by all processes."""
    own = told(own)
    if own and (breaker.closed or breaker.may_probe()):
        try:
            others = exchange(rule, window, own, now)
        except redis.RedisError as error:
            breaker.open(error)
        else:
            breaker.close()
            return {subject: size(joined(own[subject], others[subject])) for subject in own}
    return {subject: size(counted) for subject, counted in own.items()}


def exchange(rule: str, window: int, own: Mapping[str, Counted], now: float) -> dict[str, list[Counted]]:
    """Tells ``own``; what the other processes told within half a window. Raises redis.RedisError."""
    process = f"{socket.gethostname()}:{os.getpid()}"  # asked each time: a worker is forked after this is loaded
    with store.pipeline(transaction=False) as pipe:
        for subject, counted in own.items():
            key = f"rules:{rule}:{subject}"
            said = counted if isinstance(counted, int) else sorted(counted)
            pipe.hset(key, process, orjson.dumps([now, said]))
            pipe.expire(key, window)
            pipe.hgetall(key)
        answers = pipe.execute()[2::3]
    return {
        subject: [
            heard if isinstance(heard, int) else frozenset(heard)
            for name, text in answer.items()
            if name.decode() != process
            for at, heard in [orjson.loads(text)]
            if now - at < window / 2
        ]
        for subject, answer in zip(own, answers, strict=True)
    }


def joined(own: Counted, others: list[Counted]) -> Counted:
    """Counts add up; of what was read, each counts once."""
    if isinstance(own, int):
        return own + sum(each for each in others if isinstance(each, int))
    return own.union(*(each for each in others if not isinstance(each, int)))
