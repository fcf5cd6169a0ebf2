"""How much each client asked for of late. Pure."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable


class Demand:
    """A count of arrivals for each client that forgets: it halves every ``half_life`` seconds.

    Knows the ``most`` clients that came last, so a crowd of made-up addresses costs bounded memory; who falls out begins
    anew at nothing, which is what a crowd costs everybody else.
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
        count, at = self._counts.get(client, (0.0, now))
        return count * 0.5 ** ((now - at) / self.half_life)

    def arrive(self, client: Hashable) -> float:
        """Notes an arrival of ``client``; what it has asked for, this included."""
        count = self.of(client) + 1.0
        self._counts[client] = count, self.clock()
        self._counts.move_to_end(client)
        if len(self._counts) > self.most:
            self._counts.popitem(last=False)
        return count
