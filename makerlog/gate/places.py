"""Places for files that are being sent: who may have how many, and who makes way for whom. Pure.

A place is a file descriptor and a reader who may be slow. Three ranks share them: genuine tokens; what the pages of staff are
made of, which comes without any credential; everybody else, who together leave some to the other two. Where no place is
free, one of a lower rank makes way; among equals the client that has more than the newcomer would, or a reader who has been
at it for long.
"""

import time
from collections import Counter
from collections.abc import Callable, Hashable
from enum import IntEnum
from typing import NamedTuple

from makerlog.gate.limits import Limits
from makerlog.gate.pool import NoRoom, TooManyAtOnce


class Rank(IntEnum):
    ANYBODY = 0
    STAFF_PAGES = 1
    TOKEN = 2


class Place(NamedTuple):
    client: Hashable
    rank: Rank
    since: float  # on the clock
    give_up: Callable[[], None]  # ends the sending soon


class Places:
    """``len()``: places that are taken."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.clock = clock
        self.dropped = 0
        self._taken: dict[Place, None] = {}  # the longest first

    def __len__(self) -> int:
        return len(self._taken)

    def take(self, client: Hashable, rank: Rank, give_up: Callable[[], None]) -> Place:
        """Raises TooManyAtOnce, or NoRoom where nobody makes way."""
        if sum(place.client == client for place in self._taken) >= self.limits.files_per_client:
            raise TooManyAtOnce
        place = Place(client, rank, self.clock(), give_up)
        if self._is_full_for(rank):
            self._drop(self._who_makes_way_for(place))
        self._taken[place] = None
        return place

    def leave(self, place: Place) -> None:
        self._taken.pop(place, None)

    def _is_full_for(self, rank: Rank) -> bool:
        anybodys = sum(place.rank == Rank.ANYBODY for place in self._taken)
        is_full = len(self._taken) >= self.limits.files_at_once
        return is_full or (rank == Rank.ANYBODY and anybodys >= self.limits.files_of_anybody)

    def _who_makes_way_for(self, newcomer: Place) -> Place:
        lowest = min(place.rank for place in self._taken)
        if lowest > newcomer.rank:
            raise NoRoom
        of_client = Counter(place.client for place in self._taken if place.rank == lowest)
        greediest, most = of_client.most_common(1)[0]
        if lowest < newcomer.rank or most > of_client[newcomer.client] + 1:
            return next(place for place in self._taken if (place.rank, place.client) == (lowest, greediest))
        oldest = next(place for place in self._taken if place.rank == lowest)
        if newcomer.since - oldest.since < self.limits.file_is_slow_after:
            raise NoRoom
        return oldest

    def _drop(self, place: Place) -> None:
        self.dropped += 1
        self.leave(place)
        place.give_up()
