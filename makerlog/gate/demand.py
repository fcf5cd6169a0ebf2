"""How much each client asked for of late. Pure."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from makerlog.gate.fading import let_go

NOTHING = 1 / 64  # of one request: after six times the half-life


class Demand:
    """A count of arrivals for each client that forgets: it halves every ``half_life`` seconds.

    Knows those that came of late, the ``most`` last at most, so a crowd of made-up addresses costs bounded memory; who falls
    out begins anew at nothing, which is what a crowd costs everybody else.
    """

    def __init__(self, *, half_life: float, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.half_life = half_life
        self.most = most
        self.clock = clock
        self._counts: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counts)

    def of(self, client: Hashable) -> float:
        now = self.clock()
        return self._left(self._counts.get(client, (0.0, now)), now)

    def arrive(self, client: Hashable) -> float:
        """Notes an arrival of ``client``; what it has asked for, this included."""
        count, now = self.of(client) + 1.0, self.clock()
        self._counts[client] = count, now
        self._counts.move_to_end(client)
        let_go(self._counts, self.most, lambda counted: self._left(counted, now) < NOTHING)
        return count

    def _left(self, counted: tuple[float, float], now: float) -> float:
        count, at = counted
        return count * 0.5 ** ((now - at) / self.half_life)
