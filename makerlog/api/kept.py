"""What is made once of each version of a row: bytes that are the same for every reader.

Each stands under the version of the row that it was made of, which comes with every read of the row; and for as long only as
the calendar leaves it true (a streak ends at midnight of its maker). So it cannot be stale, in whichever process.
"""

from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from threading import Lock
from typing import NamedTuple

import orjson
from django.utils import timezone

MOST = 10_000  # of some 1.5 KB each


class Said(NamedTuple):
    """``since``, ``until``: when it is true, if the row stays as it is."""

    version: str
    since: datetime
    until: datetime
    said: orjson.Fragment


class Shelf:
    """The last used, by the id of their row."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._said: OrderedDict[int, Said] = OrderedDict()
        self._lock = Lock()

    def known(self, wanted: Iterable[tuple[int, str]]) -> dict[int, orjson.Fragment]:
        """Of the ids and versions ``wanted``, those that are here."""
        now = timezone.now()
        found = {}
        with self._lock:
            for pk, version in wanted:
                said = self._said.get(pk)
                if said is not None and said.version == version and said.since <= now < said.until:
                    self._said.move_to_end(pk)
                    found[pk] = said.said
        return found

    def put(self, pk: int, said: Said) -> None:
        with self._lock:
            self._said[pk] = said
            self._said.move_to_end(pk)
            if len(self._said) > self.most:
                self._said.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._said.clear()
