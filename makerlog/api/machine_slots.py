"""Places at work that all processes of a machine share, kept by locks on files: a process that dies leaves its own."""

import fcntl
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from makerlog.api.exceptions import Busy
from makerlog.gate import deadline

logger = logging.getLogger("makerlog.machine")

LOOK_EVERY_S = 0.02


class MachineSlots:
    """``count`` places for the work ``name``; ``busy()`` is raised where none gets free in ``wait_s`` or by the deadline."""

    def __init__(self, name: str, count: int, wait_s: float, busy: Callable[[], Busy]) -> None:
        self.path = f"{tempfile.gettempdir()}/makerlog-{os.getuid()}-{name}"
        self.count = count
        self.wait_s = wait_s
        self.busy = busy

    @contextmanager
    def hold(self) -> Iterator[None]:
        """One of the places. On a machine that cannot keep such a file nobody waits."""
        try:
            slot = self.wait_for_slot()
        except OSError as error:
            logger.warning("No places are kept in %s: %s", self.path, error)
            slot = None
        try:
            yield
        finally:
            if slot is not None:
                os.close(slot)

    def wait_for_slot(self) -> int:
        ends = time.monotonic() + min(self.wait_s, deadline.left())
        while (slot := self.free_slot()) is None:
            if time.monotonic() >= ends:
                raise self.busy()
            time.sleep(LOOK_EVERY_S)
        return slot

    def free_slot(self) -> int | None:
        """A descriptor, whose closing gives the place back; None where all are taken."""
        for number in range(self.count):
            slot = os.open(f"{self.path}-{number}", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(slot)
                if not isinstance(error, BlockingIOError):
                    raise
            else:
                return slot
        return None
