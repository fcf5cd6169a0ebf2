"""Password hashing through its slots: one hash at a time per process, and a separate slot for staff.

A hash costs 0.4 s of CPU by design. Without slots a handful of log-in attempts takes every core from everybody; with them
it takes one, and the rest are told to come back.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from makerlog.api.exceptions import Busy

WAIT_S = 2.0

slots = {"makers": threading.BoundedSemaphore(1), "staff": threading.BoundedSemaphore(1)}
queue: ContextVar[str] = ContextVar("queue", default="makers")


@contextmanager
def hashing_slot() -> Iterator[None]:
    """Waits up to ``WAIT_S`` for the slot of this request's queue; Busy (503) where it stays taken."""
    slot = slots[queue.get()]
    if not slot.acquire(timeout=WAIT_S):
        raise Busy("Too many sign-ins at once. Try again in a moment.", "hashing_busy")
    try:
        yield
    finally:
        slot.release()


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
