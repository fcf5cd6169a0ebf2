"""What each client may still do: a bucket for each, which fills again by itself. Pure.

A bucket is one number, the moment at which it is full again (GCRA). Used on the event loop only, so nothing is locked.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from makerlog.gate.fading import let_go

SLACK = 1e-6  # units: what doubles lose


class Bucket:
    """One of them, for whoever keeps it. ``most``: units in a full one; ``back``: units that come back each second."""

    def __init__(self, most: float, back: float) -> None:
        self.most = most
        self.back = back
        self._full_at = 0.0

    def left(self, now: float) -> float:
        """Units; below 0 is a debt."""
        return self.most - max(0.0, self._full_at - now) * self.back

    def charge(self, units: float, now: float) -> None:
        """Takes ``units``, whether they are there or not."""
        self._full_at = max(self._full_at, now) + units / self.back


class Buckets:
    """Of the clients whose bucket is not full, ``remembered`` at most, those that took something last. ``most``: units in a
    full one; ``back``: units that come back each second; ``clock``: seconds."""

    def __init__(self, most: float, back: float, remembered: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.most = most
        self.back = back
        self.remembered = remembered
        self.clock = clock
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def full_in(self, client: Hashable) -> float:
        """Seconds."""
        now = self.clock()
        return max(0.0, self._full_at.get(client, now) - now)

    def left(self, client: Hashable) -> float:
        """Units; below 0 is a debt."""
        return self.most - self.full_in(client) * self.back

    def charge(self, client: Hashable, units: float = 1.0) -> None:
        """Takes ``units``, whether they are there or not."""
        now = self.clock()
        self._full_at[client] = max(self._full_at.pop(client, now), now) + units / self.back
        let_go(self._full_at, self.remembered, lambda full_at: full_at <= now)

    def take(self, client: Hashable) -> bool:
        """One unit, where there is one: whether there was."""
        if self.left(client) < 1.0 - SLACK:
            return False
        self.charge(client)
        return True
