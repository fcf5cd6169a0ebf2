"""Code that waits as in any thread, on the event loop's own: while a fibre waits, the loop does everything else.

A thread that is given a read waits for Redis, for PostgreSQL and for the interpreter, and is woken each time: that takes
longer than what it is woken for. A fibre (a greenlet) goes on as soon as the loop hears of its answer, as a coroutine does,
but runs the same code as a thread.

In a fibre is waited for sockets alone, and by ``wait_for``. What would hold the loop up in any other way says so before it
begins (``need_thread``), or is refused by Django (SynchronousOnlyOperation): then a thread does the whole work.
"""

import asyncio
import logging
import select
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from greenlet import getcurrent, greenlet

log = logging.getLogger("makerlog.gate")

T = TypeVar("T")

Prepare = Callable[[], None]

FAILED_S = 1.0  # for so long a fibre is out of use that could not be prepared


class Elsewhere(BaseException):
    """This takes a thread. ``prepare``: what one has to do before this fibre can do it. Nobody's error, so that no code on
    the way takes it for one."""

    def __init__(self, prepare: Prepare | None = None) -> None:
        super().__init__()
        self.prepare = prepare


class Fibre(greenlet):
    """Does one piece of work after the other, as a thread does, and keeps what is its ``Own``."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(self._live)
        self.loop = loop
        self.rest = getcurrent()  # of the loop's work

    def _live(self, work: Callable[[], None]) -> None:
        while True:
            work()
            work = self.rest.switch()

    def wait_for(self, socket: int, events: int, seconds: float) -> bool:
        reads = events == select.POLLIN
        add, remove = ("add_reader", "remove_reader") if reads else ("add_writer", "remove_writer")
        timer = self.loop.call_later(seconds, self.switch, False)
        getattr(self.loop, add)(socket, self.switch, True)
        try:
            return bool(self.rest.switch())
        finally:
            # Before anybody may close the socket: the loop must not look at a number that is another's by then.
            getattr(self.loop, remove)(socket)
            timer.cancel()


class Fibres:
    """At most ``most``, on one event loop. Who worked last works next: few are in use where few are enough."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._made = 0
        self._idle: list[Fibre] = []

    def begin(self, work: Callable[[], T | None], done: Callable[[T | None], None]) -> bool:
        """Whether a fibre was free: then ``work``, which must raise nothing but Elsewhere, has begun, and the loop will call
        ``done`` with what it gave; None: it takes a thread."""
        fibre = self._free()
        if fibre is not None:
            fibre.switch(partial(self._work, fibre, work, done))
        return fibre is not None

    def close(self) -> None:
        """Ends those that are idle: what they hold is not found by the garbage collector otherwise."""
        while self._idle:
            self._idle.pop().throw()

    def _free(self) -> Fibre | None:
        if self._idle:
            return self._idle.pop()
        if self._made >= self.most:
            return None
        self._made += 1
        return Fibre(asyncio.get_running_loop())

    def _work(self, fibre: Fibre, work: Callable[[], T | None], done: Callable[[T | None], None]) -> None:
        prepare, found = None, None
        try:
            found = work()
        except Elsewhere as elsewhere:
            prepare = elsewhere.prepare
        # By the loop, for here is still the fibre, in which no other can begin.
        fibre.loop.call_soon(self._over, fibre, prepare, partial(done, found))

    def _over(self, fibre: Fibre, prepare: Prepare | None, done: Callable[[], None]) -> None:
        if prepare is None:
            self._idle.append(fibre)
        else:
            threading.Thread(target=self._prepare, args=(fibre, prepare), name="prepares", daemon=True).start()
        done()

    def _prepare(self, fibre: Fibre, prepare: Prepare) -> None:
        try:
            prepare()
        except Exception as error:
            log.warning("Reads take a thread: %s", error)
            time.sleep(FAILED_S)
        try:
            fibre.loop.call_soon_threadsafe(self._idle.append, fibre)
        except RuntimeError:
            return  # the loop is closed: the process is ending


def wait_for(socket: int, events: int, seconds: float) -> bool:
    """Whether ``socket`` was ready for ``events`` (select.POLLIN or POLLOUT) within so long. In a thread, that waits."""
    here = getcurrent()
    if isinstance(here, Fibre):
        return here.wait_for(socket, events, seconds)
    poller = select.poll()
    poller.register(socket, events)
    return bool(poller.poll(seconds * 1000))


def in_fibre() -> bool:
    return isinstance(getcurrent(), Fibre)


def need_thread(prepare: Prepare | None = None) -> None:
    """Raises Elsewhere in a fibre."""
    if in_fibre():
        raise Elsewhere(prepare)


class Own(Generic[T]):
    """Called, gives what this thread or fibre has and no other sees; made when it is first asked for."""

    def __init__(self, make: Callable[[], T]) -> None:
        self.make = make
        self._of: WeakKeyDictionary[greenlet, T] = WeakKeyDictionary()  # a thread is known by its main greenlet

    def __call__(self) -> T:
        here = getcurrent()
        mine = self._of.get(here)
        if mine is None:
            mine = self._of[here] = self.make()
        return mine
