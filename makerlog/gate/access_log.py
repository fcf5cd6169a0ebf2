"""One line a request, of everything that was answered; of what was refused a sample, and how many there were.

Written by a thread of its own: whatever reads our output may be slow or stuck, and no request waits for it. What does not fit
in memory meanwhile is counted too, so that the numbers of lines and of requests left out always add up.
"""

import logging
from collections import Counter, deque
from threading import Event, Lock, Thread

from makerlog.gate.seen import Seen

log = logging.getLogger("makerlog.access")

EVERY_S = 1.0  # lines are written
IN_FULL = {"served", "failed"}  # outcomes that get a line each
SAMPLED = 5  # lines of each other outcome in EVERY_S
MOST_WAITING = 5_000  # lines


class AccessLog:
    """An observer of the door, and a service of its lifespan."""

    def __init__(self) -> None:
        self._lines: deque[Seen] = deque()
        self._sampled: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()
        self._lock = Lock()
        self._stopping = Event()
        self._thread: Thread | None = None

    def __call__(self, seen: Seen) -> None:
        with self._lock:
            left_out = seen.times
            if self._is_wanted(seen.outcome) and len(self._lines) < MOST_WAITING:
                self._lines.append(seen)
                left_out -= 1
            if left_out:
                self._left_out[seen.outcome] += left_out

    def _is_wanted(self, outcome: str) -> bool:
        if outcome in IN_FULL:
            return True
        self._sampled[outcome] += 1
        return self._sampled[outcome] <= SAMPLED

    def start(self) -> None:
        self._thread = Thread(target=self._run, name="access-log", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(EVERY_S)

    def _run(self) -> None:
        while not self._stopping.wait(EVERY_S):
            self.write()
        self.write()

    def write(self) -> None:
        """Everything up to now."""
        with self._lock:
            lines, self._lines = self._lines, deque()
            left_out, self._left_out = self._left_out, Counter()
            self._sampled.clear()
        for seen in lines:
            line = fields(seen)
            log.info("%(method)s %(path)s %(status)s in %(ms)s ms", line, extra=line)
        if left_out:
            log.info("%s requests more have no line of their own", left_out.total(), extra={"left_out": dict(left_out)})


def fields(seen: Seen) -> dict[str, object]:
    """What machines read of a line. ``ms``: waiting and working together; ``ended``: Unix seconds."""
    return {
        "ended": round(seen.at, 3),
        "request_id": seen.request_id,
        "address": seen.address,
        "token": seen.token,
        "maker": seen.maker,
        "method": seen.method,
        "path": seen.path,
        "route": seen.route,
        "agent": seen.agent,
        "status": seen.status,
        "lane": seen.lane,
        "outcome": seen.outcome,
        "ms": round((seen.waited + seen.worked) * 1000, 1),
        "waited_ms": round(seen.waited * 1000, 1),
        "queries": seen.queries,
        "rows": seen.rows,
    }
