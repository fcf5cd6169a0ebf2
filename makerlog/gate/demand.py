"""How long each client had us work of late. Pure."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from math import log

from makerlog.gate.fading import let_go

REQUEST_S = 0.005  # what any request counts for, also one that is turned away: an ordinary one takes as long
NOTHING_S = REQUEST_S / 64  # after six times the half-life


class Demand:
    """Seconds of work for each client. They are forgotten: what is left halves every ``half_life`` seconds.

    Knows those that came of late, the ``most`` last at most, so a crowd of made-up addresses costs bounded memory; who falls
    out begins anew at nothing, which is what a crowd costs everybody else.
    """

    def __init__(self, *, half_life: float, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.half_life = half_life
        self.most = most
        self.clock = clock
        self._seconds: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seconds)

    def of(self, client: Hashable) -> float:
        now = self.clock()
        return self._left(self._seconds.get(client, (0.0, now)), now)

    def arrive(self, client: Hashable) -> float:
        """Notes a request of ``client``; its demand, this request included."""
        return self.add(client, REQUEST_S)

    def add(self, client: Hashable, seconds: float) -> float:
        total, now = self.of(client) + seconds, self.clock()
        self._seconds[client] = total, now
        self._seconds.move_to_end(client)
        let_go(self._seconds, self.most, lambda noted: self._left(noted, now) < NOTHING_S)
        return total

    def of_constant(self, part: float) -> float:
        """What the demand of a client comes to that has us work ``part`` of the time for long."""
        return part * self.half_life / log(2)

    def fades_to(self, client: Hashable, seconds: float) -> float:
        """In how many seconds the demand of ``client`` will be down to ``seconds``, if it asks for nothing more."""
        left = self.of(client)
        return self.half_life * log(left / seconds, 2) if left > seconds else 0.0

    def _left(self, noted: tuple[float, float], now: float) -> float:
        seconds, at = noted
        return seconds * 0.5 ** ((now - at) / self.half_life)
