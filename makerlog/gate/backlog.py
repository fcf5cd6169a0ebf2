"""Answers that wait for slow readers: how many bytes of memory they may take.

An answer is made faster than a slow reader takes it, and whoever asks for many large ones and reads none of them would fill
the memory of a process. So what waits is counted, for each client and for all together, in two halves: one for requests with
a genuine token and one for the rest. A client that leaves too much unread is refused more until it has read some; where a
half is full, the client that holds most of it is cut off. Used on the event loop only, so nothing is locked.
"""

from collections import Counter
from collections.abc import Hashable
from typing import NamedTuple, Protocol

from makerlog.gate.limits import Limits
from makerlog.gate.pool import TooManyAtOnce

READER = "makerlog.reader"  # in a scope: whose answer it is, a Reader
CONNECTION = "makerlog.connection"  # in a scope: the connection that it came on, a Waiting


class Reader(NamedTuple):
    client: Hashable
    genuine: bool  # came with a genuine token


class Waiting(Protocol):
    """A connection, whose answer may wait."""

    def note_unsent(self, size: int) -> None:
        """So many bytes of the answer's body are not written yet."""

    def cut_off(self) -> None:
        """Ends it at once, whatever is under way."""


class Half:
    """What waits for one half of the readers, at most ``most`` bytes."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0
        self.of_client: Counter[Hashable] = Counter()
        self._waiting: dict[Waiting, tuple[Hashable, int]] = {}  # those that have waited longest first

    def add(self, connection: Waiting, client: Hashable, size: int) -> None:
        self._waiting[connection] = client, size
        self.of_client[client] += size
        self.held += size

    def remove(self, connection: Waiting) -> None:
        client, size = self._waiting.pop(connection, (None, 0))
        self.held -= size
        if size:
            self.of_client[client] -= size
            if not self.of_client[client]:
                del self.of_client[client]

    def greediest(self) -> Waiting:
        """The connection that has waited longest, of the client that holds most."""
        most = max(self.of_client, key=self.of_client.__getitem__)
        return next(connection for connection, (client, _) in self._waiting.items() if client == most)


class Backlog:
    """``held``: bytes that wait; ``dropped``: connections that were cut off."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.dropped = 0
        self._halves = {genuine: Half(limits.unread_answers // 2) for genuine in (True, False)}

    @property
    def held(self) -> int:
        return sum(half.held for half in self._halves.values())

    def refuse_if_full(self, reader: Reader) -> None:
        """Raises TooManyAtOnce where the client has left too much unread."""
        half = self._halves[reader.genuine]
        if half.of_client and half.of_client[reader.client] >= self.limits.unread_answers_per_client:
            raise TooManyAtOnce

    def wait(self, connection: Waiting, reader: Reader, size: int) -> None:
        """``size`` bytes of ``connection`` wait for ``reader``, in place of what it held before."""
        self.forget(connection)
        half = self._halves[reader.genuine]
        half.add(connection, reader.client, size)
        while half.held > half.most:
            self.dropped += 1
            greediest = half.greediest()
            self.forget(greediest)
            greediest.cut_off()

    def forget(self, connection: Waiting) -> None:
        """It was read, or the connection is gone."""
        for half in self._halves.values():
            half.remove(connection)
