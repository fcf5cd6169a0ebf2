"""Work done again and again in a thread of its own, in the process that serves: a service of the front door's."""

import threading
import time

from django.db import connection

from makerlog.gate import deadline

SILENCE_S = 3.0  # how long the work waits for a database that gives no sign of life


class Repeating:
    """``work``, which must not raise, about every ``every`` seconds. Its database connection is its own."""

    name: str
    every: float

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def work(self) -> None:
        raise NotImplementedError

    def ended(self) -> None:
        """The last thing that the thread does; must not raise."""

    @property
    def alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Does nothing where it runs already. Call it in the process that serves: no thread outlives a fork."""
        if self.alive:
            return
        with self._starting:
            if not self.alive:
                self._stop.clear()
                self._thread = threading.Thread(target=self._repeat, name=self.name, daemon=True)
                self._thread.start()

    def stop(self, seconds: float = 2.0) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _repeat(self) -> None:
        deadline.bound_silence(SILENCE_S)
        while not self._stop.is_set():
            began = time.monotonic()
            self.work()
            self._stop.wait(max(0.0, self.every - (time.monotonic() - began)))
        self.ended()
        connection.close()
