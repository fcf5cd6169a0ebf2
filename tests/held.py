"""How much memory something holds on to: as it was asked for, not as long as it says that it is."""

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any


def held_by(make: Callable[[], Any]) -> int:
    """Bytes that ``make`` leaves behind, in what it gives and elsewhere. The first time does not count: what is made once is
    made then."""
    kept = [make()]
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        kept.append(make())
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
