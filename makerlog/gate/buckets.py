"""What each client may still do: a bucket for each, which fills again by itself. Pure.

A bucket is one number, the moment at which it is full again (GCRA). Used on the event loop only, so nothing is locked.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from makerlog.gate.fading import let_go
from makerlog.gate.networks import SITE_CLIENTS, client_of, site_of

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


class AddressBuckets:
    """Buckets of clients by their address, and of the sites that they are part of, which hold SITE_CLIENTS times as much.
    Arguments as of Buckets."""

    def __init__(self, most: float, back: float, remembered: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.clients = Buckets(most, back, remembered, clock)
        self.sites = Buckets(most * SITE_CLIENTS, back * SITE_CLIENTS, remembered, clock)

    def __len__(self) -> int:
        return len(self.clients)

    def left(self, address: str) -> float:
        """Units that ``address`` may still take; below 0 is a debt, its client's or its site's."""
        return min(self.clients.left(client_of(address)), self.sites.left(site_of(address)))

    def next_in(self, address: str) -> float:
        """Seconds until there is one unit."""
        short = 1.0 - SLACK - self.clients.left(client_of(address)), 1.0 - SLACK - self.sites.left(site_of(address))
        return max(0.0, short[0] / self.clients.back, short[1] / self.sites.back)

    def charge(self, address: str, units: float = 1.0) -> None:
        """Takes ``units``, whether they are there or not."""
        self.clients.charge(client_of(address), units)
        self.sites.charge(site_of(address), units)

    def take(self, address: str) -> bool:
        """One unit, where there is one: whether there was."""
        if self.left(address) < 1.0 - SLACK:
            return False
        self.charge(address)
        return True
