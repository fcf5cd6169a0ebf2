"""Follows the journal: one thread per process, one connection of its own, a look about every 0.4 s.

With PostgreSQL away everything stays in force as last heard, and expires at its second; on its return the thread catches
up. Redis has no part in it.
"""

import contextlib
import logging
import math
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import uuid4

from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from makerlog.api.connections import renew_all
from makerlog.api.purging import purge as purge_rows
from makerlog.changes.journal import latest
from makerlog.changes.models import Change, Process
from makerlog.changes.repeating import Repeating

logger = logging.getLogger("makerlog.changes")

EVERY_S = 0.4
BELIEVED_S = 2.0  # since the last look
FIRST_LOAD_S = 5.0  # 100,000 bans take two
AT_ONCE = 5_000  # changes read in one look
HEARTBEAT_S = 3.0  # between two heartbeats of a process that has nothing new to say
LOST_AFTER = timedelta(seconds=10)  # a process silent for so long is gone, or cut off
FORGET_AFTER = timedelta(hours=1)
HISTORY = 200
KEPT = timedelta(days=2)  # changes are kept for so long; whoever was cut off for longer loads everything anew


class Subscriber(Protocol):
    """Something kept in memory after the facts in the database. Both methods run in the watcher's thread."""

    topic: str

    def load(self) -> None:
        """Everything anew."""

    def refresh(self, keys: list[str]) -> None:
        """What ``keys`` name has changed."""


class Watcher(Repeating):
    """Keeps its subscribers up to date. ``version`` is the number of the newest change in force here, None before the
    first load. ``listeners`` are called when it has risen, in the watcher's thread; they must not raise."""

    name = "watcher"

    def __init__(self, subscribers: Iterable[Subscriber] = (), every: float = EVERY_S) -> None:
        super().__init__()
        self.subscribers = list(subscribers)
        self.listeners: list[Callable[[], None]] = []
        self.every = every
        self.id = uuid4()
        self.started_at = timezone.now()
        self.version: int | None = None
        self._reached: list[tuple[int, float]] = []
        self._looked_at = 0.0
        self._heard_at = -math.inf  # monotonic: when the last look began that heard all there was
        self._beaten_at = -math.inf
        self._answers = True
        self._loaded = threading.Event()

    @property
    def answers(self) -> bool:
        """Whether the database answered at the last look."""
        return self._answers

    @property
    def hears(self) -> bool:
        """Whether what is kept in memory can be believed: all that changed until a moment ago has been heard of."""
        return self.alive and time.monotonic() - self._heard_at < BELIEVED_S

    def start(self) -> None:
        """Waits for the first load, so that a new worker lets no banned client in; where the database is away, not for
        long: the service goes on without."""
        if not self.alive:
            self.id, self.started_at = (
                uuid4(),
                timezone.now(),
            )  # of this process: what is loaded before a fork is of all
            super().start()
            self._loaded.wait(FIRST_LOAD_S)

    def work(self) -> None:
        """One look that survives whatever the database does."""
        try:
            self.catch_up()
            self.beat()
            self._say(answers=True)
        except (DatabaseError, InterfaceError) as error:
            self._say(answers=False, error=error)
            connection.close()
        except Exception:  # the thread that hears of bans must not end over anything
            logger.exception("The watcher stumbled; it goes on.")
            connection.close()

    def ended(self) -> None:
        """A process that ends in good order is not lost: its heartbeat goes with it."""
        with contextlib.suppress(DatabaseError, InterfaceError):
            Process.objects.filter(pk=self.id).delete()

    def _say(self, *, answers: bool, error: Exception | None = None) -> None:
        """Once each time that the database goes away or comes back."""
        if answers == self._answers:
            return
        self._answers = answers
        if answers:
            renew_all()
            logger.warning("The database answers again; in force here: version %s.", self.version)
        else:
            logger.error("The database does not answer; bans stay in force as of version %s: %s", self.version, error)

    # --- One look ---

    def catch_up(self) -> None:
        """Brings all subscribers up to the newest change."""
        began = time.monotonic()
        if self.version is None or time.time() - self._looked_at > KEPT.total_seconds() / 2:
            self._load()
        self._looked_at = time.time()
        while changes := self._news():
            for subscriber in self.subscribers:
                if keys := list(dict.fromkeys(key for _, topic, key in changes if topic == subscriber.topic)):
                    subscriber.refresh(keys)
            self._arrive(changes[-1][0])
            if len(changes) < AT_ONCE:
                break
        self._heard_at = began

    def _news(self) -> list[tuple[int, str, str]]:
        newer = Change.objects.filter(number__gt=self.version).order_by("number")
        return list(newer.values_list("number", "topic", "key")[:AT_ONCE])

    def _load(self) -> None:
        """The version is read before the facts: a change between the two is merely loaded twice."""
        version = latest()
        for subscriber in self.subscribers:
            subscriber.load()
        self._arrive(version)
        self._loaded.set()

    def _arrive(self, version: int) -> None:
        self.version = version
        self._reached = [*self._reached[1 - HISTORY :], (version, time.time())]
        self._beaten_at = -math.inf
        for listener in self.listeners:
            listener()

    # --- The heartbeat ---

    def beat(self) -> None:
        """Tells how far this process has come; at once when that has changed."""
        if self.version is None or time.monotonic() - self._beaten_at < HEARTBEAT_S:
            return
        self._beaten_at = time.monotonic()
        values = {"version": self.version, "reached": self._reached, "seen_at": timezone.now()}
        if not Process.objects.filter(pk=self.id).update(**values):
            whose = {"host": socket.gethostname()[:255], "pid": os.getpid(), "started_at": self.started_at}
            Process.objects.create(id=self.id, **whose, **values)
            Process.objects.filter(seen_at__lt=timezone.now() - FORGET_AFTER).delete()


def processes() -> list[Process]:
    """Those heard of within the last hour, the newest first."""
    return list(Process.objects.order_by("-started_at")[:1_000])


def in_force_since(process: Process, number: int) -> datetime | None:
    """When ``process`` came to know of change ``number``; None where it does not yet. At the latest: a process remembers
    so many arrivals only."""
    if process.version < number:
        return None
    at = next((at for version, at in process.reached if version >= number), process.started_at.timestamp())
    return datetime.fromtimestamp(at, UTC)


def is_lost(process: Process) -> bool:
    return process.seen_at < timezone.now() - LOST_AFTER


def purge() -> int:
    """Forgets old changes, but the newest one, which is the version."""
    return purge_rows(Change.objects.filter(at__lt=timezone.now() - KEPT, number__lt=latest()).order_by("at"))
