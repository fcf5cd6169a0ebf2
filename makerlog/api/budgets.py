"""What one request may cost: declared beside each view, held by tests, and watched in production.

A view names a budget for each of its handlers (``budgets = {"list": PAGE, "retrieve": ONE}``). It is a ceiling for what is
ordinary, the look-up of a token and a page of 100 full rows included; the renderer's ceiling and the deadlines are for what
is not. Nobody is refused for being over it: then the code or the data has drifted, and whoever runs the service is told.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from time import monotonic
from typing import Any, NamedTuple

from prometheus_client import Counter

logger = logging.getLogger("makerlog.budgets")

OVER = Counter("makerlog_over_budget", "Requests that cost more than the budget of their route.", ["route"])
SAY_EVERY_S = 60.0


class Budget(NamedTuple):
    """``queries``: statements sent to the database. ``rows``: that it gave or changed. ``bytes``: of the answer's body."""

    queries: int
    rows: int
    bytes: int

    def times(self, count: int) -> "Budget":
        return Budget(*(each * count for each in self))

    def __str__(self) -> str:
        return f"{self.queries} queries, {self.rows:,} rows, {self.bytes:,} bytes"


Budgets = Mapping[str, Budget]  # by the name of the handler: "list", "get", ...

# Each with the token's look-up, the note of its use, and the preparing of its statements (see prepared.py).
PAGE = Budget(queries=7, rows=220, bytes=250_000)  # 100 rows, and of as many makers what is kept of them
FULL_PAGE = Budget(queries=9, rows=900, bytes=350_000)  # on whose rows others hang: projects, products, a team
RANKED = Budget(queries=8, rows=1_300, bytes=100_000)  # the best of some hundred candidates
ONE = Budget(queries=7, rows=120, bytes=30_000)
DOCUMENT = Budget(queries=3, rows=3, bytes=500_000)  # made of no rows
WRITE = Budget(queries=30, rows=150, bytes=30_000)
WHOLE = Budget(queries=95, rows=10_000, bytes=30_000)  # a write that takes along all that hangs on a thing

WRITES = {**dict.fromkeys(("create", "update", "partial_update"), WRITE), "destroy": WHOLE}
RELISTS = dict.fromkeys(("update", "partial_update"), WHOLE)  # one of them can change who sees all that stands under it


def budget_of(callback: Any, method: str) -> Budget | None:
    """What a request by ``method`` to ``callback``, as the URLconf has it, may cost. None: nothing is said, as of the
    admin's pages, which have bounds of their own."""
    return budgets_of(callback).get(handler_of(callback, method))


def budgets_of(callback: Any) -> Budgets:
    return getattr(getattr(callback, "cls", callback), "budgets", {})


def handler_of(callback: Any, method: str) -> str:
    """The name of what answers ``method``."""
    name = "get" if method == "HEAD" else method.lower()
    return getattr(callback, "actions", {}).get(name, name)


def over(spent: Budget, budget: Budget) -> Iterable[str]:
    """The measures by which ``spent`` is more than ``budget``."""
    return [name for name, most, much in zip(Budget._fields, budget, spent, strict=True) if much > most]


class Watch:
    """Counts what is over its budget, and says so once a minute for each route."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._says_again_at: dict[str, float] = {}
        self._lock = Lock()

    def note(self, route: str, budget: Budget | None, spent: Budget) -> None:
        if budget is None or not over(spent, budget):
            return
        OVER.labels(route).inc()
        if self._says_now(route):
            logger.warning("/%s cost %s; its budget is %s.", route, spent, budget)

    def _says_now(self, route: str) -> bool:
        now = self._clock()
        with self._lock:
            if now < self._says_again_at.get(route, 0.0):
                return False
            self._says_again_at[route] = now + SAY_EVERY_S
            return True


watch = Watch()
