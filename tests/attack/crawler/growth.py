"""The rule of growth, in one place: what a request may cost at very many rows of everything, given what it cost at 100.

A page of a hundred explains what lies between: at 100 rows of everything a list may show a few rows or half of them, at
many it shows a page. Beyond that a cost grows with the table, and the request fails.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from discussions.trending import CANDIDATES as TREND_CANDIDATES
from makerlog.api.bounded_admin import MOST
from makerlog.api.checks import routes
from makerlog.api.keyset import WINDOW
from makerlog.api.renderers import MAX_BYTES, MAX_ROWS
from products.tags import CANDIDATES as TAG_CANDIDATES
from tests.attack.crawler.measure import Cost
from tests.attack.crawler.targets import STAFF, Shot

FACTOR = 2.0
HANGING = 8  # rows read for one that is shown: its author, where it is filed, a team
PAGE_ROWS = MAX_ROWS * HANGING
PAGE_BYTES = MAX_ROWS * 1_700  # a task with its maker
PAGE_QUERIES = 4  # what hangs on the rows of a page is fetched only if there are rows
# Milliseconds are the machine's, and others work on it: only what is gross fails. Rows tell the rest.
GROSS_FACTOR, GROSS_MS = 20.0, 1_500.0

BRANCHES = 2  # the public, and one's own
# What some routes look at, as they state it themselves.
STATED = {
    "products/suggest_tags/": TAG_CANDIDATES,
    "products/common_tags/": TAG_CANDIDATES,
    "products/<slug:slug>/related_products/": 2 * TAG_CANDIDATES,
    "discussions/trending/": TREND_CANDIDATES,
    "me/following/": 2 * WINDOW,
}


@dataclass(frozen=True)
class Growth:
    """One measure of one request that grew: ``small`` at 100 rows of everything, ``large`` at many."""

    shot: Shot
    measure: str
    small: float
    large: float
    page: int = 1

    def __str__(self) -> str:
        page = f", page {self.page}" if self.page > 1 else ""
        return f"/{self.shot.route} {self.measure}: {self.small:,.0f} -> {self.large:,.0f}{page}: {self.shot}"


def looked_at(shot: Shot) -> int:
    """Rows that a request may look at beside those of its page, whatever the table holds."""
    if shot.caller == STAFF:
        return 3 * MOST  # counted, searched, found
    if windowed(shot):
        return 2 * BRANCHES * WINDOW  # where the window ends, and what is in it
    return STATED.get(shot.route, 0)


def acts(shot: Shot) -> int:
    """Statements beside those of a page: staff lift at most so many bans at once, each with one."""
    return MOST if shot.caller == STAFF and shot.method == "POST" else 0


def windowed(shot: Shot) -> bool:
    """Whether a list is asked for filters that no one index serves: then it is looked for in a window."""
    filterset: Any = filtersets().get(shot.route)
    if filterset is None or shot.method != "GET":
        return False
    given = {name for name, value in parse_qsl(urlsplit(shot.url).query) if value} & set(filterset.base_filters)
    given -= {"ordering"}
    return bool(given - max((index.serves(given) for index in filterset.indexes), key=len))


@lru_cache
def filtersets() -> dict[str, Any]:
    return {route.path: getattr(route.view, "filterset_class", None) for route in routes() if route.ours}


def grown(shot: Shot, small: list[Cost], large: list[Cost]) -> list[Growth]:
    """What grew, of the first page and of those behind it: all are measured against the first page of the small table."""
    first = small[0]
    most: dict[str, float] = {
        "queries": first.queries + PAGE_QUERIES + acts(shot),
        "rows": FACTOR * first.rows + PAGE_ROWS + looked_at(shot),
        "bytes": min(FACTOR * first.bytes + PAGE_BYTES, MAX_BYTES),
        "ms": max(GROSS_FACTOR * first.ms, GROSS_MS),
    }
    return [
        Growth(shot, name, getattr(first, name), getattr(cost, name), page)
        for page, cost in enumerate(large, 1)
        for name, ceiling in most.items()
        if getattr(cost, name) > ceiling
    ]
