"""How clients without a token behave, as the automatic rules count it: within a window, for each client, in bounded memory.

Told of every request that is over (see seen.py), on the event loop; read by another thread. A genuine token stands for its
maker and counts nothing against the address that it comes from, which many may share. Nor do refusals as 401, 403 and 404:
any web page can make its visitors' browsers collect those. Nor does what staff do. Pure.
"""

from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import NamedTuple

from makerlog.gate.fading import let_go
from makerlog.gate.seen import Seen

MOST = 20_000  # clients, those last counted
DIFFERENT = 60  # of what one client read, remembered: those read last
PARTS = 10  # of a window, in which counts are kept: how far off its edge is

SHED, THROTTLED, READ, FAILED_LOG_IN = "shed-storm", "sustained-429", "enumeration", "log-in-guessing"

# Where a password is tried, and which answers say that it was wrong: forms say so with a 200.
WRONG = (400, 401, 403)
LOG_INS = {"api-token-auth/": WRONG, "accounts/login/": (*WRONG, 200), "admin/login/": (*WRONG, 200)}

Counted = int | frozenset[str]  # how many; of what is read, which


class Window(NamedTuple):
    """``seconds``, and from how many on a client is told of."""

    seconds: int
    least: float


def signals_of(seen: Seen) -> tuple[tuple[str, str], ...]:
    """What ``seen`` counts as; and where the same counts once only, what it was.

    A crawl is seen by what it asks for: were it by answers alone, whom the lanes turn away would go on unnoticed. Where
    Django never looked, of what was asked only the path is known.
    """
    if not seen.client or seen.token or seen.staff or seen.method == "OPTIONS":
        return ()
    if seen.outcome == "shed":
        return (SHED, ""), (READ, seen.route or seen.path)
    if seen.outcome == "throttled":
        return ((THROTTLED, ""),)
    if seen.method == "POST" and seen.status in LOG_INS.get(f"{seen.path.strip('/')}/", ()):
        return ((FAILED_LOG_IN, ""),)
    if seen.outcome in ("served", "shared") and 200 <= seen.status < 400:
        return ((READ, seen.route or seen.path),)
    return ()


class _Clients:
    """What was counted of one signal: of each client, in which part of the window what was read last, or how much was
    counted in each part."""

    def __init__(self, window: Window, most: int) -> None:
        self.window = window
        self.most = most
        self.kept: OrderedDict[str, dict[str | int, int]] = OrderedDict()
        self.suspects: set[str] = set()

    def count(self, client: str, what: str, at: float, times: int) -> None:
        part = int(at * PARTS / self.window.seconds)
        kept = self.kept.pop(client, None) or {}
        self.kept[client] = kept
        if what:
            kept.pop(what, None)
            kept[what] = part
        else:
            kept[part] = kept.get(part, 0) + times
        if len(kept) > (DIFFERENT if what else PARTS):
            del kept[next(iter(kept))]
        if (len(kept) if what else sum(kept.values())) >= self.window.least:
            self.suspects.add(client)
        gone: list[str] = let_go(self.kept, self.most, lambda kept: last_part(kept) <= part - PARTS)
        self.suspects.difference_update(gone)

    def counted(self, now: float) -> dict[str, Counted]:
        since = int(now * PARTS / self.window.seconds) - PARTS
        found = {client: self._within(self.kept[client], since) for client in self.suspects}
        over = {client: counted for client, counted in found.items() if size(counted) >= self.window.least}
        self.suspects = set(over)
        return over

    @staticmethod
    def _within(kept: dict[str | int, int], since: int) -> Counted:
        if any(isinstance(key, str) for key in kept):
            return frozenset(str(what) for what, part in kept.items() if part > since)
        return sum(count for part, count in kept.items() if int(part) > since)

    def forget(self, client: str) -> None:
        self.kept.pop(client, None)
        self.suspects.discard(client)


class Conduct:
    """This process's own share. ``windows``: by signal."""

    def __init__(self, windows: Mapping[str, Window], most: int = MOST) -> None:
        self._signals = {name: _Clients(window, most) for name, window in windows.items()}
        self._lock = Lock()

    def observe(self, seen: Seen) -> None:
        signals = signals_of(seen)
        if not signals:
            return
        with self._lock:
            for signal, what in signals:
                if signal in self._signals:
                    self._signals[signal].count(seen.client, what, seen.at, seen.times)

    def counted(self, now: float) -> dict[str, dict[str, Counted]]:
        """By signal: each client that did the least within its window, and how much, or what."""
        with self._lock:
            return {name: clients.counted(now) for name, clients in self._signals.items()}

    def forget(self, client: str) -> None:
        """Something was done about it: it begins anew."""
        with self._lock:
            for clients in self._signals.values():
                clients.forget(client)


def last_part(kept: dict[str | int, int]) -> int:
    """Of what _Clients keeps of one client: the part of the window in which it was last counted."""
    key, value = next(reversed(kept.items()))
    return value if isinstance(key, str) else key


def size(counted: Counted) -> int:
    return counted if isinstance(counted, int) else len(counted)
