"""What is kept of each client for as long as it says something. Pure.

A bucket that is full again, a count that has decayed, a window that has passed: each says as much as nothing. So what is kept
follows who calls these days, and not who ever called; the most that there may be is for floods.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

AT_ONCE = 4  # more than one request adds


def let_go(kept: OrderedDict[K, V], most: int, is_over: Callable[[V], bool]) -> list[K]:
    """Drops some of ``kept``, those not touched for longest: what is over, and what is more than ``most``. Their keys."""
    gone: list[K] = []
    while kept and len(gone) < AT_ONCE:
        oldest = next(iter(kept))
        if len(kept) <= most and not is_over(kept[oldest]):
            break
        del kept[oldest]
        gone.append(oldest)
    return gone
