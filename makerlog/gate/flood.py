"""Whether a flood is on, as one process sees it, and who talks loudest in it. Pure; an observer of the front door's."""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock
from typing import NamedTuple

from makerlog.gate.seen import Seen

OVER_S = 4  # seconds in a row that must look like a flood
LEAST = 10  # requests turned away, in each of them
IN_ALL = 100  # and in all of them together
FRESH = 50  # of those in KEPT_S that no ban refused: a ban that has bitten for longer than that is no flood any more
KEPT_S = 30
TURNED_AWAY = {"shed", "throttled", "banned"}  # a rule may have banned within seconds what began as a flood
GIVEN = {"served", "shared"}
TALKERS = 200  # are counted at a time


@dataclass(slots=True)
class Second:
    at: int  # Unix
    requests: int = 0
    turned_away: int = 0
    fresh: int = 0  # of those, by no ban


class Talker(NamedTuple):
    client: str  # an IPv4 address, or the first of an IPv6 /64
    a_second: float  # requests, in this process, at least


def floods(seconds: Iterable[Second], now: int) -> bool:
    """Whether each of the last OVER_S whole seconds before ``now`` had to turn many away. A single burst is none."""
    kept = [each for each in seconds if now - KEPT_S <= each.at < now]
    last = [each.turned_away for each in kept if each.at >= now - OVER_S]
    sustained = len(last) == OVER_S and min(last) >= LEAST and sum(last) >= IN_ALL
    return sustained and sum(each.fresh for each in kept) >= FRESH


class Loudest:
    """Who asked most, in bounded memory (Misra and Gries): whoever sends more than one request in TALKERS is among them,
    with a count that is never too high."""

    def __init__(self, most: int = TALKERS) -> None:
        self.most = most
        self.counts: dict[str, int] = {}

    def add(self, client: str, times: int = 1) -> None:
        counts = self.counts
        if client in counts or len(counts) < self.most:
            counts[client] = counts.get(client, 0) + times
            return
        off = min(times, *counts.values())
        self.counts = {each: count - off for each, count in counts.items() if count > off}
        if times > off:
            self.counts[client] = times - off


@dataclass(slots=True)
class Figures:
    """What went by since it was last asked for."""

    requests: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    refused: Loudest = field(default_factory=Loudest)  # whom


class Floods:
    """Written on the event loop, read from any thread."""

    def __init__(self) -> None:
        self._seconds: deque[Second] = deque(maxlen=KEPT_S + 1)
        self._loudest, self._before = Loudest(), Loudest()
        self._began = 0
        self._figures = Figures()
        self._lock = Lock()

    def __call__(self, seen: Seen) -> None:
        if not seen.address:  # /health
            return
        with self._lock:
            second = self._second(int(seen.at))
            second.requests += seen.times
            self._loudest.add(seen.client, seen.times)
            self._figures.requests += seen.times
            self._figures.outcomes[seen.outcome] += seen.times
            if seen.outcome not in GIVEN:
                self._figures.refused.add(seen.client, seen.times)
            if seen.outcome in TURNED_AWAY:
                second.turned_away += seen.times
                second.fresh += seen.times * (seen.outcome != "banned")

    def _second(self, at: int) -> Second:
        if not self._seconds or self._seconds[-1].at < at:
            self._seconds.append(Second(at))
        if at - self._began >= OVER_S:
            self._before, self._loudest, self._began = self._loudest, Loudest(), at
        return self._seconds[-1]

    def on(self, now: int) -> bool:
        with self._lock:
            return floods(self._seconds, now)

    def turned_away(self, now: int) -> float:
        """A second, over the last OVER_S."""
        with self._lock:
            return sum(each.turned_away for each in self._seconds if now - OVER_S <= each.at < now) / OVER_S

    def loudest(self, now: int) -> Talker | None:
        """Over the last one to two times OVER_S."""
        with self._lock:
            counts = Counter(self._loudest.counts) + Counter(self._before.counts)
            seconds = max(1, now - self._began + OVER_S)
        return next((Talker(client, count / seconds) for client, count in counts.most_common(1)), None)

    def take(self) -> Figures:
        with self._lock:
            taken, self._figures = self._figures, Figures()
        return taken
