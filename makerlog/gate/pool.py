"""A bounded queue in front of a bounded pool of threads.

All decisions are made on the event loop, so there is nothing to lock: a thread takes work that was already admitted
and hands back the outcome. That costs one turn of the loop between two jobs of a busy thread, some 50 microseconds,
and buys that lanes can choose who is next.
"""

import asyncio
import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

from makerlog.gate.answers import Refusal
from makerlog.gate.body import HungUp

T = TypeVar("T")


class NoRoom(Refusal):
    """Too many wait already, or this one has waited long enough."""

    status = 503
    code = "busy"
    detail = "The server is busy; try again in a moment."
    retry_after = 1


class Job(Generic[T]):
    """One piece of work. ``future`` has its result; it raises NoRoom or HungUp when the work was never begun."""

    __slots__ = ("future", "loop", "timer", "work")

    def __init__(self, work: Callable[[], T]) -> None:
        self.work = work
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[T] = self.loop.create_future()
        self.timer: asyncio.TimerHandle | None = None


class Pool(Generic[T]):
    """``threads`` run, at most ``waiting`` more wait for at most ``longest_wait`` seconds.

    Use it from one event loop only. ``running``, ``len(pool)`` (waiting) and ``shed`` are there to be measured.
    """

    def __init__(self, name: str, *, threads: int, waiting: int, longest_wait: float) -> None:
        self.name = name
        self.size = threads
        self.most_waiting = waiting
        self.longest_wait = longest_wait
        self.running = 0
        self.shed = 0
        self._queue: OrderedDict[Job[T], None] = OrderedDict()
        self._admitted: SimpleQueue[Job[T] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def __len__(self) -> int:
        return len(self._queue)

    def offer(self, work: Callable[[], T]) -> Job[T]:
        """Begin ``work``, or queue it. Raises NoRoom at once when the queue is full. ``work`` must not raise."""
        if self.running < self.size:
            job = Job(work)
            self._begin(job)
            return job
        if len(self._queue) >= self.most_waiting:
            self.shed += 1
            raise NoRoom
        return self._enqueue(Job(work))

    def waits(self, job: Job[T]) -> bool:
        return job in self._queue

    def forget(self, job: Job[T]) -> None:
        """The client hung up: work that still waits is never begun. What runs already runs to its end."""
        self._turn_away(job, HungUp())

    async def close(self, seconds: float) -> None:
        """Turn away who waits and stop the threads; those still busy after ``seconds`` end with the process."""
        for job in list(self._queue):
            self._turn_away(job, NoRoom())
        for _ in self._threads:
            self._admitted.put(None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while any(thread.is_alive() for thread in self._threads):
                    await asyncio.sleep(0.01)
        self._threads.clear()

    def _enqueue(self, job: Job[T]) -> Job[T]:
        self._queue[job] = None
        job.timer = job.loop.call_later(self.longest_wait, self._expire, job)
        return job

    def _expire(self, job: Job[T]) -> None:
        self.shed += 1
        self._turn_away(job, NoRoom())

    def _turn_away(self, job: Job[T], reason: Exception) -> None:
        if job not in self._queue:
            return
        self._leave_queue(job)
        if not job.future.done():
            job.future.set_exception(reason)

    def _leave_queue(self, job: Job[T]) -> None:
        del self._queue[job]
        if job.timer is not None:
            job.timer.cancel()

    def _begin(self, job: Job[T]) -> None:
        self.running += 1
        # Started when first needed, so that a server which forks after loading has its threads in the right process.
        if self.running > len(self._threads):
            self._start_thread()
        self._admitted.put(job)

    def _start_thread(self) -> None:
        # Daemons: a view that never returns must not keep a stopping process alive.
        name = f"{self.name}-{len(self._threads)}"
        thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self) -> None:
        """A thread's life. It keeps one context: a fresh one per job would open Django's cache connections anew."""
        while (job := self._admitted.get()) is not None:
            outcome = _outcome(job.work)
            try:
                job.loop.call_soon_threadsafe(self._finish, job, outcome)
            except RuntimeError:
                return  # the loop is closed: the process is ending
            del job, outcome  # an idle thread must not keep the last body alive

    def _finish(self, job: Job[T], outcome: T | "Crash") -> None:
        self.running -= 1
        if not job.future.done():
            if isinstance(outcome, Crash):
                job.future.set_exception(outcome)
            else:
                job.future.set_result(outcome)
        self._begin_next()

    def _begin_next(self) -> None:
        while self._queue and self.running < self.size:
            job = next(iter(self._queue))
            self._leave_queue(job)
            if not job.future.done():
                self._begin(job)


class Crash(Exception):
    """Work raised although it must not. The cause is what it raised (a future cannot hold every exception)."""


def _outcome(work: Callable[[], T]) -> T | Crash:
    try:
        return work()
    except BaseException as error:
        crash = Crash(repr(error))
        crash.__cause__ = error
        return crash
