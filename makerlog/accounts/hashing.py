"""Password hashing through its slots: one hash at a time per process, and a separate slot for staff.

A hash costs 0.4 s of CPU by design. Without slots a handful of log-in attempts takes every core from everybody; with
them it takes one. Few may wait for a slot: whoever waits holds one of the process's threads.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from makerlog.api.exceptions import Busy

WAIT_S = 2.0
MAX_WAITING = 2


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
        raise Busy("Too many sign-ins at once. Try again in a moment.", "hashing_busy")
    try:
        yield
    finally:
        semaphore.release()


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
        with hashing_slot():
            return super().encode(password, salt, iterations)
