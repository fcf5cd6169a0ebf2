"""Code that waits as in any thread, on the event loop's own: while a fibre waits, the loop does everything else.

A thread that is given a read waits for Redis, for PostgreSQL and for the interpreter, and is woken each time: that takes
longer than what it is woken for. A fibre (a greenlet) goes on as soon as the loop hears of its answer, as a coroutine does,
but runs the same code as a thread.

In a fibre is waited for sockets alone, and by ``wait_for``. What would hold the loop up in any other way says so before it
begins (``need_thread``), or is refused by Django (SynchronousOnlyOperation): then a thread does the whole work.
"""

import asyncio
import contextlib
import select
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from greenlet import getcurrent, greenlet

T = TypeVar("T")

Prepare = Callable[[], None]

FAILED_S = 1.0  # for so long a fibre is out of use that could not be prepared
LATE_S = 0.02  # at most so much later than asked for a wait ends in vain


class Elsewhere(BaseException):
    """This takes a thread. ``prepare``: what one has to do before this fibre can do it. Nobody's error, so that no code on
    the way takes it for one."""

    def __init__(self, prepare: Prepare | None = None) -> None:
        super().__init__()
        self.prepare = prepare


class Wait(NamedTuple):
    """For ``socket`` to be ready for ``events`` (select.POLLIN or POLLOUT), so many ``seconds`` at most."""

    socket: int
    events: int
    seconds: float


class Done(NamedTuple):
    """A piece of work ``found`` this; or it took a thread, which has to ``prepare`` something."""

    found: Any
    prepare: Prepare | None = None


class Fibre(greenlet):
    """Does one piece of work after the other, as a thread does, and keeps what is its ``Own``.

    The loop itself is never asked for anything in a fibre, always after it has come back: greenlet lays the stack of a fibre
    that goes on over the loop's, where libuv keeps what it works on. A worker that did so died within minutes.
    """

    def __init__(self) -> None:
        super().__init__(self._live)
        self.rest = getcurrent()  # of the loop's work
        self.work: Callable[[], Any] | None = None
        self.said: Wait | Done | None = None
        self.own: dict[Own[Any], Any] = {}

    def begin(self, work: Callable[[], Any]) -> Wait | Done:
        """Until it waits or is done. ``work`` must raise nothing but Elsewhere."""
        self.work = work
        return self.go_on()

    def go_on(self, *heard: bool) -> Wait | Done:
        """What it waited for was ``heard`` of, or not in time."""
        self.switch(*heard)
        said, self.said = self.said, None
        assert said is not None
        return said

    def wait(self, asked: Wait) -> bool:
        self.said = asked
        return bool(self.rest.switch())

    def _live(self) -> None:
        """An idle fibre must not keep the last work alive, nor what it found: no variable holds them, and no argument."""
        while True:
            self.said = self._done()
            self.rest.switch()

    def _done(self) -> Done:
        work, self.work = self.work, None
        assert work is not None
        try:
            return Done(work())
        except Elsewhere as elsewhere:
            return Done(None, elsewhere.prepare)


class Waiting(NamedTuple):
    """``until``: seconds of the loop's clock."""

    fibre: Fibre
    done: Callable[[Any], None]
    until: float


class Fibres:
    """At most ``most``, on one event loop. Who worked last works next: few are in use where few are enough.

    What they wait for is watched by an epoll of their own, which is all that the loop knows of: to tell the loop of each
    socket, and to take it back, takes it four times as long, and it does not bear that one is closed meanwhile.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._made = 0
        self._idle: list[Fibre] = []
        self._waiting: dict[int, Waiting] = {}  # by socket
        self._epoll: select.epoll | None = None
        self._watches_time = False

    def begin(self, work: Callable[[], T | None], done: Callable[[T | None], None]) -> bool:
        """Whether a fibre was free: then ``work``, which must raise nothing but Elsewhere, has begun, and the loop will call
        ``done`` with what it gave; None: it takes a thread."""
        fibre = self._free()
        if fibre is not None:
            self._follow(fibre, done, fibre.begin(work))
        return fibre is not None

    def close(self) -> None:
        """Ends those that are idle: what they hold is not found by the garbage collector otherwise."""
        while self._idle:
            self._idle.pop().throw()
        if self._epoll is not None:
            asyncio.get_running_loop().remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll = None

    def _free(self) -> Fibre | None:
        if self._idle:
            return self._idle.pop()
        if self._made >= self.most:
            return None
        self._made += 1
        return Fibre()

    def _follow(self, fibre: Fibre, done: Callable[[Any], None], said: Wait | Done) -> None:
        if isinstance(said, Wait):
            self._watch(fibre, done, said)
        else:
            self._rest(fibre, said.prepare)
            asyncio.get_running_loop().call_soon(done, said.found)

    # --- Waiting ---

    def _watch(self, fibre: Fibre, done: Callable[[Any], None], asked: Wait) -> None:
        loop = asyncio.get_running_loop()
        self._waiting[asked.socket] = Waiting(fibre, done, loop.time() + asked.seconds)
        epoll, once = self._epoll or self._listen(loop), asked.events | select.EPOLLONESHOT
        try:
            epoll.modify(asked.socket, once)
        except FileNotFoundError:  # a new one; the kernel forgets what is closed
            epoll.register(asked.socket, once)
        if not self._watches_time:
            self._watches_time = True
            loop.call_later(LATE_S, self._give_up, loop)

    def _listen(self, loop: asyncio.AbstractEventLoop) -> select.epoll:
        epoll = self._epoll = select.epoll()
        loop.add_reader(epoll.fileno(), self._hear, epoll)
        return epoll

    def _hear(self, epoll: select.epoll) -> None:
        for socket, _ in epoll.poll(0):
            self._over(socket, True)

    def _over(self, socket: int, ready: bool) -> None:
        waiting = self._waiting.pop(socket, None)
        if waiting is not None:  # else it was ready too late
            self._follow(waiting.fibre, waiting.done, waiting.fibre.go_on(ready))

    def _give_up(self, loop: asyncio.AbstractEventLoop) -> None:
        """On those who have waited long enough."""
        now = loop.time()
        for socket in [socket for socket, waiting in self._waiting.items() if waiting.until <= now]:
            self._over(socket, False)
        self._watches_time = bool(self._waiting)
        if self._watches_time:
            loop.call_later(LATE_S, self._give_up, loop)

    # --- Resting ---

    def _rest(self, fibre: Fibre, prepare: Prepare | None) -> None:
        if prepare is None:
            self._idle.append(fibre)
        else:
            arguments = (asyncio.get_running_loop(), fibre, prepare)
            threading.Thread(target=self._prepare, args=arguments, name="prepares", daemon=True).start()

    def _prepare(self, loop: asyncio.AbstractEventLoop, fibre: Fibre, prepare: Prepare) -> None:
        try:
            prepare()
        except Exception:  # whoever reads in a thread meanwhile is told
            time.sleep(FAILED_S)
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process is ending
            loop.call_soon_threadsafe(self._idle.append, fibre)


def wait_for(socket: int, events: int, seconds: float) -> bool:
    """Whether ``socket`` was ready for ``events`` (select.POLLIN or POLLOUT) within so long. In a thread, that waits."""
    here = getcurrent()
    if isinstance(here, Fibre):
        return here.wait(Wait(socket, events, seconds))
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
        self._of_thread = threading.local()

    def __call__(self) -> T:
        here: Any = getcurrent()
        of: dict[Any, Any] = here.own if isinstance(here, Fibre) else self._of_thread.__dict__
        mine = of.get(self)
        if mine is None:
            mine = of[self] = self.make()
        return mine
