"""The lockdown level: how much the service keeps back for those it knows, as every process has it in memory.

moderation.standing sets it, within a second of the decision; it is over at its second, whoever looks. Pure.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

NORMAL, GUARDED, UNDER_ATTACK = LEVELS = ("normal", "guarded", "under_attack")
HEADER = b"x-makerlog-level"


class Declared(NamedTuple):
    """A level, and what is said of it in public. Moments are Unix seconds; ``expires_at`` None: until it is changed."""

    level: str = NORMAL
    notice: str = ""
    since: float | None = None
    expires_at: float | None = None


USUAL = Declared()


class Lockdown:
    """What was declared last, for as long as it holds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._declared = USUAL

    def declare(self, declared: Declared) -> None:
        self._declared = declared

    @property
    def now(self) -> Declared:
        """What holds at this moment: as usual, where nothing was declared or its end has come."""
        declared = self._declared
        if declared.expires_at is not None and declared.expires_at <= self.clock():
            return USUAL
        return declared

    @property
    def level(self) -> str:
        return self.now.level

    @property
    def header(self) -> tuple[bytes, bytes]:
        """For every answer: X-Makerlog-Level."""
        return HEADER, self.level.encode()


lockdown = Lockdown()  # of this process
