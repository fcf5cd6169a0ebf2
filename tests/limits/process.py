"""A process of its own that spends from buckets as the service does: the production script, the real clock.

    python -m tests.limits.process REDIS_URL PREFIX PROCESSES {script|plain} CAPACITY REFILLED_IN

Reads lines of ``CALLS THREADS SUBJECT`` and answers each with one of JSON: how many calls were granted, the slowest one's
seconds, how many were decided without Redis, and the pauses asked for.
"""

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import redis

from makerlog.api.buckets import Charge, Decision, Limiter
from makerlog.api.limits import Limit
from makerlog.api.store import client

Spend = Callable[[str], bool]


def limit(capacity: int, refilled_in: int) -> Limit:
    """A bucket of ``capacity``, into which one unit comes back every ``refilled_in`` seconds."""
    return Limit("test", "subject", capacity + 1, refilled_in, capacity, "For tests.")


def by_script(limiter: Limiter, bucket: Limit) -> Spend:
    def spend(subject: str) -> bool:
        decision: Decision = limiter.decide([Charge(bucket, subject, bucket.time_for(1))])
        return decision.allowed

    return spend


def by_plain_commands(connection: redis.Redis, bucket: Limit) -> Spend:
    """The control: the same sum, read and written by two commands with the thinking in between."""

    def spend(subject: str) -> bool:
        stored: Any = connection.get(subject)
        now = time.time_ns() // 1000
        full = max(int(stored or 0), now) + bucket.time_for(1)
        if full - now > bucket.span:
            return False
        connection.set(subject, full)
        return True

    return spend


def run(spend: Spend, calls: int, threads: int, subject: str) -> dict[str, Any]:
    """``calls`` calls, as evenly as can be over ``threads`` threads that begin together."""
    granted: Counter[bool] = Counter()
    slowest = [0.0]
    together = threading.Barrier(threads)

    def caller(number: int) -> None:
        together.wait()
        for _ in range(number, calls, threads):
            begun = time.monotonic()
            allowed = spend(subject)
            slowest.append(time.monotonic() - begun)
            granted.update([allowed])

    callers = [threading.Thread(target=caller, args=(number,)) for number in range(threads)]
    for each in callers:
        each.start()
    for each in callers:
        each.join()
    assert granted.total() == calls
    return {"granted": granted[True], "slowest": max(slowest)}


def main(url: str, prefix: str, processes: str, way: str, capacity: str, refilled_in: str) -> None:
    bucket = limit(int(capacity), int(refilled_in))
    limiter = Limiter(client(url), processes=int(processes), prefix=prefix)
    patient = redis.Redis.from_url(url)
    spend = by_script(limiter, bucket) if way == "script" else by_plain_commands(patient, bucket)
    for line in sys.stdin:
        calls, threads, subject = line.split()
        answer = {**run(spend, int(calls), int(threads), subject), "fallbacks": limiter.fallbacks}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "makerlog.settings")
    django.setup()
    main(*sys.argv[1:])
