"""Password hashing through its slots: one hash at a time per process, and a separate slot for staff.

A hash costs 0.4 s of CPU by design. Without slots a handful of log-in attempts takes every core from everybody; with
them it takes one. Few may wait for a slot: whoever waits holds one of the process's threads. Makers' are hashed in a child at
a low priority: they take what is left of a core, so that whoever has a token is served as if nobody logged in.
"""

import base64
import hashlib
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from makerlog.api.exceptions import Busy
from makerlog.gate import deadline

logger = logging.getLogger("makerlog.hashing")

WAIT_S = 2.0
MAX_WAITING = 2
# Told on its standard input, for arguments can be read by every process of the machine.
CHILD = """
import hashlib, os, sys
os.nice(10)
iterations, salt, password = sys.stdin.buffer.read().split(b"\\n", 2)
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
            hashed = base64.b64encode(hashed_aside(password, salt, iterations)).decode()
            return f"{self.algorithm}${iterations}${salt}${hashed}"


def hashed_aside(password: str, salt: str, iterations: int) -> bytes:
    """PBKDF2 with SHA-256, by a child that gives way to all others; on a machine that starts no child it is done here. Raises
    Busy where it takes longer than may be waited."""
    told = f"{iterations}\n{salt}\n{password}".encode()
    command = [sys.executable, "-I", "-S", "-c", CHILD]
    try:
        child = subprocess.run(command, input=told, stdout=subprocess.PIPE, timeout=deadline.left(), check=True)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise busy() from error
    except (OSError, subprocess.CalledProcessError) as error:
        logger.warning("No child hashes passwords (%s); it is done here.", error)
        return hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), iterations)
    return child.stdout
