"""Who called in the last ten minutes: every process tells Redis, one hash a minute; whoever asks whom a ban would hit reads
them. All figures are "at least": a process names so many callers a minute (gate.notes) and tells them every second.
"""

import ipaddress
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import redis
from django.conf import settings

from makerlog.accounts.models import Maker
from makerlog.api.store import client
from makerlog.env import Network
from makerlog.gate.notes import EVADED, FORWARDED, MINUTES, OTHERS, Callers
from moderation.guards import warnings
from moderation.models import Ban

KEPT_S = (MINUTES + 1) * 60
AT_ONCE = 1_000  # commands in a pipeline, fields in a scan
READ_S = 2.0  # what is not read by then is not counted
MOST_TOKENS = 1_000
MOST_NAMES = 20
MOST_PEERS = 3  # in one sentence
AWAY = "Redis is away: whom it would have hit is not known."

store = client(settings.REDIS_URL, connect=1, answer=1)  # nobody waits for it


@dataclass(frozen=True)
class Hit:
    """Whom a ban would have hit in the last ten minutes, at least."""

    requests: int
    addresses: int
    makers: tuple[str, ...]  # whose genuine tokens, MOST_NAMES at most
    tokens: int
    others: int  # requests from callers whom nobody named: they may have been hit too

    def __str__(self) -> str:
        who = f"{self.requests:,} requests from {self.addresses:,} addresses"
        tokens = f"; genuine tokens: {self.tokens:,}"
        makers = f" (of {', '.join(self.makers)})" if self.makers else ""
        others = f"; {self.others:,} more requests came from callers not named" if self.others else ""
        return f"In the last ten minutes it would have hit at least {who}{tokens}{makers}{others}."


def tell(minutes: dict[int, Callers]) -> None:
    """Adds what one process counted. Raises redis.RedisError; what was told before it is told."""
    for minute in list(minutes):
        counts = list(minutes[minute].items())
        for start in range(0, len(counts), AT_ONCE):
            _add(minute, counts[start : start + AT_ONCE])
            for caller, _ in counts[start : start + AT_ONCE]:
                del minutes[minute][caller]


def _add(minute: int, counts: list[tuple[str, int]]) -> None:
    with store.pipeline(transaction=True) as pipe:
        for caller, count in counts:
            pipe.hincrby(key_of(minute), caller, count)
        pipe.expire(key_of(minute), KEPT_S)
        pipe.execute()


def key_of(minute: int) -> str:
    return f"traffic:{minute}"


def would_hit(network: Network, applies_to: str) -> Hit | None:
    """None: Redis does not answer, so nobody knows."""
    try:
        callers = recent()
    except redis.RedisError:
        return None
    others = callers.pop(OTHERS, 0)
    callers = Counter({caller: count for caller, count in callers.items() if not caller.startswith(FORWARDED)})
    hit = [
        (address, token, count)
        for address, _, token, count in ((*caller.partition(" "), count) for caller, count in callers.items())
        if ipaddress.ip_address(address) in network and (applies_to == Ban.AppliesTo.EVERYTHING or not token)
    ]
    tokens = {token for _, token, _ in hit if token}
    return Hit(
        requests=sum(count for _, _, count in hit),
        addresses=len({address for address, _, _ in hit}),
        makers=names(tokens),
        tokens=len(tokens),
        others=others,
    )


def names(tokens: set[str]) -> tuple[str, ...]:
    theirs = Maker.objects.filter(tokens__public_id__in=sorted(tokens)[:MOST_TOKENS])
    return tuple(theirs.order_by("username").values_list("username", flat=True).distinct()[:MOST_NAMES])


def recent() -> Counter[str]:
    """Requests by caller. Raises redis.RedisError."""
    callers: Counter[str] = Counter()
    ends = time.monotonic() + READ_S
    this = int(time.time()) // 60
    for minute in range(this, this - MINUTES - 1, -1):
        for caller, count in told(minute):
            callers[caller] += count
            if time.monotonic() > ends:
                return callers
    return callers


def forwarded() -> int:
    """Requests of the last ten minutes forwarded by proxies that nobody trusts; 0 where Redis does not answer."""
    this = int(time.time()) // 60
    try:
        with store.pipeline(transaction=False) as pipe:
            for minute in range(this - MINUTES, this + 1):
                pipe.hget(key_of(minute), FORWARDED)
            return sum(int(count or 0) for count in pipe.execute())
    except redis.RedisError:
        return 0


def forwarders() -> Counter[str]:
    """Of the last minutes: requests by the untrusted peer that forwarded them, and, as ``ban:7``, by the ban that is of the
    client they were said to be forwarded for. Empty where Redis does not answer."""
    this, counts = int(time.time()) // 60, Counter[str]()
    try:
        for minute in range(this - MINUTES, this + 1):
            for name, count in store.hscan_iter(key_of(minute), match=f"{FORWARDED} *", count=AT_ONCE):
                counts[name.decode().partition(" ")[2]] += int(count)
    except redis.RedisError:
        return Counter()
    return counts


def warned() -> list[str]:
    """That a proxy forwards which TRUSTED_PROXIES does not name, where one does."""
    if not (count := forwarded()):
        return []
    peers = [name for name, _ in forwarders().most_common(MOST_NAMES) if not name.startswith(EVADED)]
    return warnings(forwarded=count, peers=peers[:MOST_PEERS])


def told(minute: int) -> Iterator[tuple[str, int]]:
    for caller, count in store.hscan_iter(key_of(minute), count=AT_ONCE):
        yield caller.decode(), int(count)
