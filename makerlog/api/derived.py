"""What a model derives from its columns, and says so: a compiled read fetches those columns and no others."""

from collections.abc import Callable
from typing import Any


class Derived(property):
    """A property that reads the columns named, and nothing else of its row."""

    columns: tuple[str, ...] = ()


def derived(*columns: str) -> Callable[[Callable[[Any], Any]], Derived]:
    """``columns``: by attname, of the same row."""

    def wrap(getter: Callable[[Any], Any]) -> Derived:
        made = Derived(getter, doc=getter.__doc__)
        made.columns = columns
        return made

    return wrap
