"""What is made once of each version of a row: bytes that are the same for every reader.

Each stands under the version of the row that it was made of, which comes with every read of the row; and for as long only as
the calendar leaves it true (a streak ends at midnight of its maker). So it cannot be stale, in whichever process.
"""

from collections.abc import Iterable
from threading import Lock
from time import time
from typing import NamedTuple

import orjson

MOST = 30_000  # of some 1.3 KB each: with a half of those who post at hand, a page costs half as much again


class Said(NamedTuple):
    """``since``, ``until``: Unix seconds, when it is true if the row stays as it is."""

    version: str
    since: float
    until: float
    said: orjson.Fragment


class Shelf:
    """By the id of their row, those put here last."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._said: dict[int, Said] = {}
        self._lock = Lock()  # of who puts; who looks makes one step at a time

    def known(self, wanted: Iterable[tuple[int, str]]) -> dict[int, orjson.Fragment]:
        """Of the ids and versions ``wanted``, those that are here."""
        now, here = time(), self._said.get
        found = {}
        for pk, version in wanted:
            if kept := here(pk):
                kept_version, since, until, said = kept
                if kept_version == version and since <= now < until:
                    found[pk] = said
        return found

    def put(self, pk: int, said: Said) -> None:
        with self._lock:
            self._said.pop(pk, None)
            self._said[pk] = said
            if len(self._said) > self.most:
                del self._said[next(iter(self._said))]

    def clear(self) -> None:
        with self._lock:
            self._said.clear()
