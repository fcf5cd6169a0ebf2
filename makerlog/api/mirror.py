"""What one process knows of the buckets by itself: enough to go on, within the bound, while Redis is away.

Times are microseconds on Redis's clock. A bucket's state is one number: the moment it will be full again.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from makerlog.gate.fading import let_go

MOST_KEYS = 50_000  # some 15 MB; beyond, the bucket not asked for longest is forgotten, and would start full


Wanted = tuple[str, int, int]  # the key of a bucket, the time to be charged to it, and its span
Told = tuple[int, int]  # what is known and owed of a bucket


@dataclass(slots=True)
class Bucket:
    """What this process spent counts N times in both ``own`` and ``full``, for its share is an N-th.

    ``known``: what Redis said last. ``full``: the same and, on top of it, what was spent since without Redis. ``own``: what
    this process spent in any way. Going by the highest of them, it stops at an N-th of what it knows to be left, and at an
    N-th of the burst altogether; it is refilled at an N-th of the rate.
    """

    known: int = 0
    full: int = 0  # never less than known
    own: int = 0

    @property
    def latest(self) -> int:
        """Full by then in every way; before, it need not be kept: one that nobody knows of is full."""
        return max(self.full, self.own)

    def owed(self, now: int) -> int:
        """N times what Redis has not been told of, less what has been refilled since."""
        return max(0, self.full - max(self.known, now))

    def spend_alone(self, time: int, now: int) -> None:
        self.own = max(self.latest, now) + time
        self.full = max(self.full, now) + time


class Mirror:
    """A bounded number of buckets that are not full. Every method is one step: threads never see half of it."""

    def __init__(self, processes: int, most: int = MOST_KEYS) -> None:
        self.processes = processes
        self.most = most
        self.buckets: OrderedDict[str, Bucket] = OrderedDict()
        self.owing: set[str] = set()  # those of which full is more than known, at least
        self.lock = threading.Lock()

    def spend(self, wanted: Sequence[Wanted], now: int, *, insist: bool) -> tuple[bool, list[int]]:
        """Decides as Redis would, for this process's share."""
        with self.lock:
            decided = self._decided(wanted, now, insist)
            self._let_go(now)
            return decided

    def _decided(self, wanted: Sequence[Wanted], now: int, insist: bool) -> tuple[bool, list[int]]:
        buckets = [self.bucket(key) for key, _, _ in wanted]
        full = [max(bucket.latest, now) for bucket in buckets]
        shares = [time * self.processes for _, time, _ in wanted]
        spans = [span for _, _, span in wanted]
        fits = all(not share or at + share - now <= span for at, share, span in zip(full, shares, spans, strict=True))
        if not (fits or insist):
            return False, full
        for bucket, share, (key, _, _) in zip(buckets, shares, wanted, strict=True):
            if share:
                bucket.spend_alone(share, now)
                self.owing.add(key)
        return True, [at + share for at, share in zip(full, shares, strict=True)]

    def take_owed(self, keys: Sequence[str], now: int) -> list[Told]:
        """What is known and owed of each. What is taken is told to Redis, or given back."""
        with self.lock:
            return [self._taken(key, now) for key in keys]

    def _taken(self, key: str, now: int) -> Told:
        bucket = self.buckets.get(key)
        if bucket is None:
            return 0, 0
        if key not in self.owing:
            return bucket.known, 0
        self.owing.remove(key)
        owed, bucket.full = bucket.owed(now), bucket.known
        return bucket.known, -(-owed // self.processes)

    def give_back(self, keys: Sequence[str], told: Sequence[Told], now: int) -> None:
        with self.lock:
            for key, (_, owed) in zip(keys, told, strict=True):
                if owed:
                    bucket = self.bucket(key)
                    bucket.full = max(bucket.full, now) + owed * self.processes
                    self.owing.add(key)

    def hear(self, wanted: Sequence[Wanted], full: Sequence[int], now: int, *, charged: bool) -> None:
        """Redis says when each will be full. What was spent here in the meantime stays owed."""
        with self.lock:
            for (key, time, span), moment in zip(wanted, full, strict=True):
                bucket = self.bucket(key)
                owed = bucket.owed(now) if key in self.owing else 0
                if moment > bucket.known:
                    bucket.known = moment
                bucket.full = max(bucket.known, now) + owed if owed else bucket.known
                if charged:
                    bucket.own = min(max(bucket.own, now) + time * self.processes, now + span)
            self._let_go(now)

    def debtors(self, most: int) -> list[str]:
        """At most so many of the buckets that something is owed of."""
        with self.lock:
            return [key for key, _ in zip(self.owing, range(most), strict=False)]

    def bucket(self, key: str) -> Bucket:
        bucket = self.buckets.get(key)
        if bucket is None:
            bucket = self.buckets[key] = Bucket()
        else:
            self.buckets.move_to_end(key)
        return bucket

    def _let_go(self, now: int) -> None:
        """Once a step is over: within one, a bucket may still be new, and look full."""
        gone: list[str] = let_go(self.buckets, self.most, lambda bucket: bucket.latest <= now)
        if gone:
            self.owing.difference_update(gone)
