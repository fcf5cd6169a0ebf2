"""Whether a request is let through: all its buckets decided in one round trip, in Redis, by Redis's own clock.

A bucket is one number, the moment it will be full again, in whole microseconds (GCRA): exact from thousands a second to
one a day, and below 2**53, so that Lua's doubles hold it. Its key is gone once the bucket is full.
"""

import hashlib
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import redis
from redis.exceptions import NoScriptError

from makerlog.api.limits import SECOND_US, Limit
from makerlog.api.mirror import Mirror, Told, Wanted
from makerlog.api.store import ANSWER_S, Breaker, Line
from makerlog.gate.fibres import Elsewhere, need_thread

# ARGV[1], doubles: the moment after which nobody waits for the answer; whether to charge even what does not fit; then for
# each key the time to charge, the span of the bucket, and what the process knew and owes (see mirror.py).
# All are charged, or none. Answers, integers of eight bytes: Redis's time; 1, 0 or -1 (too late, nothing done); when each
# will be full. Numbers go packed both ways: one by one they take Redis longer than to decide.
# What is full again within a minute goes to replicas, and not into Redis's own log, where there is one: to write it there
# takes longer than all else, and a Redis that was restarted is told of it by the processes (see mirror.py).
SCRIPT = """
local call, max, read = redis.call, math.max, struct.unpack
local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local deadline, insist, place = read('<dd', ARGV[1])
if now > deadline then return struct.pack('<i8i8', now, -1) end

local stored, full, charges, fits = call('MGET', unpack(KEYS)), {}, {}, 1
for i = 1, #KEYS do
    local span, known, owed
    charges[i], span, known, owed, place = read('<dddd', ARGV[1], place)
    stored[i] = max(tonumber(stored[i] or 0), now)
    full[i] = max(stored[i], known) + owed
    if charges[i] > 0 and full[i] + charges[i] - now > span then fits = 0 end
end

local quick, slow, goes_to = redis.REPL_REPLICA, redis.REPL_ALL, nil
for i, key in ipairs(KEYS) do
    if fits == 1 or insist == 1 then full[i] = full[i] + charges[i] end
    if full[i] > stored[i] then
        local where = full[i] - now < 60000000 and quick or slow
        if where ~= goes_to then
            redis.set_repl(where)
            goes_to = where
        end
        call('SET', key, full[i], 'PXAT', (full[i] - full[i] % 1000) / 1000 + 1)
    end
end
return struct.pack('<' .. ('i8'):rep(2 + #full), now, fits, unpack(full))
"""
DIGEST = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()
TOO_LATE = -1
DEBTS_AT_ONCE = 200
SETTLE_US = 100_000
ANSWER_US = int(ANSWER_S * SECOND_US)


@dataclass(slots=True)
class Charge:
    """So much ``time`` (microseconds of refilling; 0: only look) off the bucket that ``limit`` has for ``subject``."""

    limit: Limit
    subject: str
    time: int


@dataclass(slots=True)
class Standing:
    """How a bucket stands after a decision: microseconds until it is full, and until what was asked would fit (0: it did)."""

    limit: Limit
    full_in: int
    fits_in: int

    @property
    def remaining(self) -> int:
        """Whole units."""
        return max(0, self.limit.units_in(self.limit.span - self.full_in))

    @property
    def reset(self) -> int:
        """Seconds until the bucket is full, rounded up."""
        return -(-self.full_in // SECOND_US)


class Decision(NamedTuple):
    allowed: bool
    standings: list[Standing]

    @property
    def retry_after(self) -> int:
        """Seconds until all that was asked fits, rounded up."""
        return max(-(-standing.fits_in // SECOND_US) for standing in self.standings)


class Limiter:
    """Decides through Redis, and by itself while Redis is away: see limits.FALLBACK for the bound that holds then.

    A decision never waits longer than a probe takes, a quarter of a second. ``fallbacks`` counts those made alone.
    """

    def __init__(self, client: redis.Redis, *, processes: int, prefix: str = "limits") -> None:
        """``processes``: how many share the load, and so what is left while Redis is away."""
        self.client = client
        self.line = Line(client)
        self.prefix = prefix
        self.mirror = Mirror(processes)
        self.breaker = Breaker("the limiter")
        self.fallbacks = 0
        self.ahead = time.time_ns() // 1000 - monotonic()  # Redis's clock, from ours; corrected by every answer

    def decide(self, charges: Sequence[Charge], *, insist: bool = False) -> Decision:
        """All of ``charges`` together or none; ``insist``: charged also where they do not fit, and so allowed."""
        wanted = [(self.key(charge), charge.time, charge.limit.span) for charge in charges]
        if not self.breaker.closed:
            need_thread()  # whoever finds out whether it is back waits for that
        if self.breaker.closed or self.is_back():
            try:
                return decision(charges, *self.ask(wanted, insist=insist))
            except redis.RedisError as error:
                self.breaker.open(error)
        self.fallbacks += 1
        now = self.now()
        return decision(charges, now, *self.mirror.spend(wanted, now, insist=insist))

    def key(self, charge: Charge) -> str:
        """All keys share a hash tag: a script's keys must lie in one slot of a cluster."""
        return f"{{makerlog}}:{self.prefix}:{charge.limit.name}:{charge.subject}"

    def now(self) -> int:
        return monotonic() + self.ahead

    def is_back(self) -> bool:
        """Whether Redis answers again, and has been told what this process let through meanwhile.

        Asked by a PING: unlike a charge, it does no harm where it is read only once Redis wakes up.
        """
        if not self.breaker.may_probe():
            return False
        try:
            self.client.ping()
            self.settle()
        except redis.RedisError as error:
            self.breaker.open(error)
            return False
        self.breaker.close()
        return True

    def settle(self) -> None:
        """Tells Redis what is owed, for a moment: what is left then goes along with the next decision about it."""
        enough = monotonic() + SETTLE_US
        while monotonic() < enough and (keys := self.mirror.debtors(DEBTS_AT_ONCE)):
            self.ask([(key, 0, 0) for key in keys], insist=False)

    def ask(self, wanted: Sequence[Wanted], *, insist: bool) -> tuple[int, bool, list[int]]:
        """Runs the script, with what the process knows and owes, which is told once: Redis's time, whether all were charged,
        and when each bucket will be full."""
        now = self.now()
        keys = [key for key, _, _ in wanted]
        told = self.mirror.take_owed(keys, now)
        try:
            now, fits, full = self.run(wanted, told, now, insist=insist)
        except (redis.RedisError, Elsewhere):
            self.mirror.give_back(keys, told, self.now())
            raise
        allowed = insist or fits == 1
        self.mirror.hear(wanted, full, now, charged=allowed)
        return now, allowed, full

    def run(
        self, wanted: Sequence[Wanted], told: Sequence[Told], now: int, *, insist: bool
    ) -> tuple[int, int, list[int]]:
        """A script that Redis reads later than we wait for it does nothing. Tried twice: the clocks may have parted."""
        for _ in range(2):
            now, fits, *full = self.evaluated(arguments(wanted, told, now + ANSWER_US, insist=insist))
            self.ahead = now - monotonic()
            if fits != TOO_LATE:
                return now, fits, full
        raise redis.TimeoutError("it is too slow")

    def evaluated(self, arguments: Sequence[Any]) -> tuple[int, ...]:
        try:
            answer = self.line.ask("EVALSHA", DIGEST, *arguments)
        except NoScriptError:  # the first of all, or Redis was restarted
            need_thread()
            answer = self.client.eval(SCRIPT, *arguments)
        return struct.unpack(f"<{len(answer) // 8}q", answer)


def arguments(wanted: Sequence[Wanted], told: Sequence[Told], deadline: int, *, insist: bool) -> list[Any]:
    """As SCRIPT reads them."""
    keys, numbers = [], [deadline, insist]
    for (key, cost, span), (known, owed) in zip(wanted, told, strict=True):
        keys.append(key)
        numbers += cost, span, known, owed
    return [len(keys), *keys, struct.pack(f"<{len(numbers)}d", *numbers)]


def decision(charges: Sequence[Charge], now: int, allowed: bool, full: Sequence[int]) -> Decision:
    standings = [
        Standing(charge.limit, max(0, moment - now), 0 if allowed else fits_in(charge, moment - now))
        for charge, moment in zip(charges, full, strict=True)
    ]
    return Decision(allowed, standings)


def fits_in(charge: Charge, full_in: int) -> int:
    return max(0, full_in + charge.time - charge.limit.span) if charge.time else 0


def monotonic() -> int:
    return time.monotonic_ns() // 1000
