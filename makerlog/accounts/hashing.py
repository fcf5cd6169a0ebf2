"""Password hashing through its slots: one hash at a time per process, and a separate slot for staff.

A hash costs 0.4 s of CPU by design. Without slots a handful of log-in attempts takes every core from everybody; with
them it takes one. Few may wait for a slot: whoever waits holds one of the process's threads. Makers' are hashed in a child
that takes what is left of a core, so that whoever has a token is served as if nobody logged in; where five seconds of that
were not enough, in one that takes a tenth. All processes of a machine together hash on half of its cores: what two cores
share (a cache, the whole of one where they are threads of it) goes to whoever computes, however low its priority.
"""

import base64
import contextlib
import hashlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from makerlog.api.exceptions import Busy
from makerlog.api.machine_slots import MachineSlots
from makerlog.gate import deadline

logger = logging.getLogger("makerlog.hashing")

WAIT_S = 2.0
MAX_WAITING = 2
IDLE_S = 5.0  # of one alone on a core it needs half a second
# Told on its standard input, for arguments can be read by every process of the machine. A core whose only work is idle counts
# as a free one: what wakes up is put there and not behind something else. To be nice does not do that.
CHILD = """
import hashlib, os, sys
idle, iterations, salt, password = sys.stdin.buffer.read().split(b"\\n", 3)
if int(idle) and hasattr(os, "SCHED_IDLE"):
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
else:
    os.nice(10)
sys.stdout.buffer.write(hashlib.pbkdf2_hmac("sha256", password, salt, int(iterations)))
"""


class Slot:
    """One place at work, ``MAX_WAITING`` places in line."""

    def __init__(self) -> None:
        self.work = threading.BoundedSemaphore(1)
        self.line = threading.BoundedSemaphore(1 + MAX_WAITING)

    @contextmanager
    def held(self) -> Iterator[None]:
        with taken(self.line, timeout=0), taken(self.work, timeout=WAIT_S):
            yield


@contextmanager
def taken(semaphore: threading.Semaphore, *, timeout: float) -> Iterator[None]:
    if not semaphore.acquire(timeout=timeout):
        raise busy()
    try:
        yield
    finally:
        semaphore.release()


def busy() -> Busy:
    return Busy("Too many sign-ins at once. Try again in a moment.", "hashing_busy")


# All processes of a machine together hash for makers on half of its cores.
machine = MachineSlots("hashes", max(1, (os.cpu_count() or 1) // 2), WAIT_S, busy)
slots = {"makers": Slot(), "staff": Slot()}
queue: ContextVar[str] = ContextVar("queue", default="makers")


@contextmanager
def hashing_slot() -> Iterator[None]:
    """Waits up to ``WAIT_S`` for the slot of this request's queue; Busy (503) where it stays taken."""
    with slots[queue.get()].held():
        yield


@contextmanager
def as_staff() -> Iterator[None]:
    """What is hashed inside goes through the staff slot: the admin's log-in is not behind a flood of makers'."""
    token = queue.set("staff")
    try:
        yield
    finally:
        queue.reset(token)


class SlottedPBKDF2PasswordHasher(PBKDF2PasswordHasher):
    """Django's default hasher; every hash, wherever it is asked for, takes its slot first."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        iterations = iterations or self.iterations
        with hashing_slot():
            if queue.get() == "staff":
                return super().encode(password, salt, iterations)
            self._check_encode_args(password, salt)  # type: ignore[attr-defined]
            with machine.hold():
                hashed = base64.b64encode(hashed_aside(password, salt, iterations)).decode()
            return f"{self.algorithm}${iterations}${salt}${hashed}"


def hashed_aside(password: str, salt: str, iterations: int) -> bytes:
    """PBKDF2 with SHA-256, by a child that gives way to all others; on a machine that starts no child it is done here. Raises
    Busy where it takes longer than may be waited."""
    told = f"{iterations}\n{salt}\n{password}"
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return hashed_by_child(f"1\n{told}", min(IDLE_S, deadline.left()))
        return hashed_by_child(f"0\n{told}", deadline.left())
    except subprocess.TimeoutExpired as error:
        raise busy() from error
    except (OSError, subprocess.CalledProcessError) as error:
        logger.warning("No child hashes passwords (%s); it is done here.", error)
        return hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), iterations)


def hashed_by_child(told: str, seconds: float) -> bytes:
    command = [sys.executable, "-I", "-S", "-c", CHILD]
    child = subprocess.run(command, input=told.encode(), stdout=subprocess.PIPE, timeout=seconds, check=True)  # noqa: S603
    return child.stdout
