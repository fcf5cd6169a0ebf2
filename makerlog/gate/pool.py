"""Admission control: bounded queues, the lanes, in front of a bounded pool of threads.

All decisions are made on the event loop, so there is nothing to lock: a thread takes work that was already admitted
and hands back the outcome. That costs one turn of the loop between two jobs of a busy thread, some 50 microseconds,
and buys that lanes can choose who is next: the highest lane first, and within a lane the client with the least work of
late. So a flood waits behind everybody else, from however many connections it comes. While others ask as well, one client
runs in at most a third of a lane's places, and dear requests for a part of the time; alone, in all of them.
"""

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import partial
from queue import SimpleQueue
from typing import Generic, TypeVar

from makerlog.gate.answers import Refusal
from makerlog.gate.body import HungUp
from makerlog.gate.deadline import Deadline
from makerlog.gate.demand import REQUEST_S, Demand
from makerlog.gate.fibres import Elsewhere, Fibres
from makerlog.gate.limits import Lane

T = TypeVar("T")
Light = Callable[[], T | None]

CLEARLY = 1.5  # so many times as much as a newcomer must one who waits have asked for, to be turned away for it
CLIENT_SHARE = 3  # one client runs in a third of a lane's places at most, while others ask as well
DEAR_S = 0.05  # a request that takes longer is dear: a client gets a part of the time for those
HELD_WAIT_S = 5.0  # for so long a request waits for its client's own places, while others are free
SOON_S = 0.002  # the least that who had its part of the time waits
IN_USE_S = 1.0  # a lane is in use for so long after it was asked for
STRAINED_S = 1.0  # after the loop was late: lower lanes get a part of what they get otherwise
STRAINED = 1 / 4


class NoRoom(Refusal):
    """Too many wait already, or this one has waited long enough."""

    status = 503
    code = "busy"
    outcome = "shed"
    detail = "The server is busy; try again in a moment."
    retry_after = 1


class TooManyAtOnce(NoRoom):
    """One client holds all the places that one client may have."""

    code = "too_many_at_once"
    detail = "Too many of your requests are under way; let some of them finish first."


class Job(Generic[T]):
    """One piece of work. ``future`` has its result; it raises NoRoom or HungUp when the work was never begun, and the refusal
    of its ``deadline`` once that has passed. ``light``: the same in a fibre, unless it gives None or raises Elsewhere: then
    the work takes a thread."""

    __slots__ = (
        "asked_at",
        "begun_at",
        "client",
        "deadline",
        "demand",
        "end",
        "future",
        "lane",
        "light",
        "loop",
        "timer",
        "work",
    )

    def __init__(
        self,
        work: Callable[[], T],
        light: Light[T] | None,
        lane: "_Lane[T]",
        client: Hashable,
        demand: float,
        deadline: Deadline,
    ) -> None:
        self.work = work
        self.light = light
        self.lane = lane
        self.client = client
        self.demand = demand
        self.deadline = deadline
        self.loop = asyncio.get_running_loop()
        self.asked_at = self.loop.time()
        self.begun_at: float | None = None  # None: waits, or was turned away
        self.future: asyncio.Future[T] = self.loop.create_future()
        self.end: asyncio.TimerHandle | None = None
        self.timer: asyncio.TimerHandle | None = None  # of its waiting

    def settle(self, outcome: T | Exception) -> None:
        """Tells whoever waits for it, if somebody still does."""
        if self.end is not None:
            self.end.cancel()
        if self.future.done():
            return
        if isinstance(outcome, Exception):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)


class _Lane(Generic[T]):
    """A lane's state: who waits, how many run, and how much work it may begin (see limits.Lane)."""

    def __init__(self, limits: Lane, remembered: int) -> None:
        self.limits = self.usual = limits
        self.demand = Demand(half_life=limits.half_life, most=remembered)
        self.waiting: list[Job[T]] = []
        self.clients: Counter[Hashable] = Counter()  # in flight and waiting
        self.running_of: Counter[Hashable] = Counter()
        self.writing_of: Counter[Hashable] = Counter()  # of these, what has no light form
        self.running = 0
        self.places = 0  # its own threads and those it may borrow
        # What one client's requests took longer than DEAR_S each, and the most of it while others ask as well.
        self.dear = Demand(half_life=limits.half_life, most=remembered)
        self.most_dear = self.dear.of_constant(limits.client_part) if limits.client_part < 1.0 else float("inf")
        self._latest: tuple[Hashable, float] = (None, -IN_USE_S)  # who asked last, and when
        self._another_at = -IN_USE_S  # when anybody else did
        self.shed = 0
        self.used_at = -IN_USE_S
        self._rests_until = 0.0
        self._left = limits.burst
        self._left_at = 0.0

    def seconds_to_begin(self, now: float) -> float:
        """How long until it may begin work again, threads aside."""
        rest = max(0.0, self._rests_until - now)
        if self.limits.begins:
            self._left = min(self.limits.burst, self._left + (now - self._left_at) * self.limits.begins)
            self._left_at = now
            return max(rest, (1.0 - self._left) / self.limits.begins)
        return rest

    def rest(self, now: float, worked: float, part: float) -> None:
        """After ``worked`` seconds, leave as many to others as make it that ``part`` of this lane's share."""
        if self.limits.share < 1.0:
            self._rests_until = now + worked * (1.0 / (self.limits.share * part) - 1.0)

    def refill(self) -> None:
        self._left = self.limits.burst

    def arrive(self, client: Hashable, now: float) -> float:
        """Notes a request of ``client``: its demand."""
        latest, at = self._latest
        if latest != client:
            self._another_at = at
        self._latest = client, now
        self.used_at = now
        return self.demand.arrive(client)

    def begin(self, job: Job[T]) -> None:
        self.running += 1
        self.running_of[job.client] += 1
        if job.light is None:
            self.writing_of[job.client] += 1
        self._left -= 1.0

    def finish(self, job: Job[T], worked: float) -> None:
        self.running -= 1
        for running, takes_part in ((self.running_of, True), (self.writing_of, job.light is None)):
            running[job.client] -= takes_part
            if running[job.client] <= 0:
                del running[job.client]
        self.forget(job.client)
        more = max(0.0, worked - REQUEST_S)
        self.demand.add(job.client, more)
        if worked > DEAR_S:
            self.dear.add(job.client, worked - DEAR_S)
        for each in self.waiting:
            if each.client == job.client:
                each.demand += more

    def next(self, now: float) -> Job[T] | None:
        """The client with the least work of late, of those that may run now; among equals, the first."""
        holds: dict[Hashable, float] = {}
        for job in self.waiting:
            kind = job.client, job.light is None
            if kind not in holds:
                holds[kind] = self.seconds_held(job, now)
        free = (job for job in self.waiting if not holds[job.client, job.light is None])
        return min(free, key=lambda job: job.demand, default=None)

    def seconds_held(self, job: Job[T], now: float) -> float:
        """How long at least the client of ``job`` must leave what is free to others: 0.0 where it may run now.

        One client's writes wait for each other at its maker's row: they run one by one while others ask, and in a third of
        the places where nobody does, else they would hold what the next who comes needs.
        """
        client, most = job.client, self.client_places
        if job.light is None and self.limits.client_part < 1.0 and self.writing_of.get(client, 0) >= most:
            return IN_USE_S  # or until one of its own has finished
        if not self.has_others(client, now):
            return 0.0
        is_second_write = job.light is None and self.limits.client_part < 1.0 and client in self.writing_of
        if is_second_write or self.running_of.get(client, 0) >= most:
            return IN_USE_S
        seconds = self.dear.fades_to(client, self.most_dear)
        return min(IN_USE_S, max(SOON_S, seconds)) if seconds else 0.0

    @property
    def client_places(self) -> int:
        """In so many one client runs at most while others ask."""
        return max(1, self.places // CLIENT_SHARE)

    def has_others(self, client: Hashable, now: float) -> bool:
        """Whether anybody else waits, or came lately."""
        latest, at = self._latest
        others_at = self._another_at if latest == client else at
        return now - others_at < IN_USE_S or any(job.client != client for job in self.waiting)

    def greediest(self) -> Job[T]:
        return max(self.waiting, key=lambda job: job.demand)

    def forget(self, client: Hashable) -> None:
        self.clients[client] -= 1
        if not self.clients[client]:
            del self.clients[client]


class Pool(Generic[T]):
    """Use it from one event loop only. ``running``, ``len(pool)`` (waiting), ``begun`` and ``lanes`` are there to be
    measured.

    ``lanes``: the highest first. What a client asked of a lane of late decides who waits there: by lane, so that no crowd
    in one makes another forget, and whoever looked around before signing in is not behind those who only knock.
    ``remembered``: clients, in each. ``fibres``: of the work under way, so much may do without its thread.
    """

    def __init__(self, lanes: Sequence[Lane], remembered: int = 20_000, fibres: int = 0) -> None:
        self.lanes: dict[str, _Lane[T]] = {lane.name: _Lane(lane, remembered) for lane in lanes}
        self.size = sum(lane.threads for lane in lanes)
        self.begun = 0
        self._order = list(self.lanes.values())
        for number, place in enumerate(self._order):
            place.places = sum(each.limits.threads for each in self._order[number:])
        self._admitted: SimpleQueue[Job[T] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._fibres = Fibres(fibres)
        self._wake: asyncio.Handle | None = None
        self._strained_at = -STRAINED_S
        self._wakes_at = 0.0  # kept here: for what is due at once, uvloop gives a handle that does not know

    def __len__(self) -> int:
        return sum(len(lane.waiting) for lane in self._order)

    @property
    def running(self) -> int:
        return sum(lane.running for lane in self._order)

    @property
    def shed(self) -> int:
        return sum(lane.shed for lane in self._order)

    def offer(
        self,
        work: Callable[[], T],
        lane: str,
        client: Hashable,
        light: Light[T] | None = None,
        deadline: Deadline | None = None,
    ) -> Job[T]:
        """Begin ``work``, or queue it. Raises NoRoom at once where there is no place. ``work`` must not raise.
        ``deadline``: see ``deadline_in``, which is asked where none is given."""
        place = self.lanes[lane]
        self._refuse_greed(place, client)
        demand = place.arrive(client, asyncio.get_running_loop().time())
        job = Job(work, light, place, client, demand, deadline or self.deadline_in(lane))
        at_once = self._is_free_for(job)
        if not at_once:
            self._make_room(place, job)
        place.clients[client] += 1
        # The thread of one that is late is free when the work ends.
        job.end = job.loop.call_at(job.deadline.moment, self._give_up, job)
        if at_once:
            self._begin(job)
        else:
            self._enqueue(job)
        return job

    def _is_free_for(self, job: Job[T]) -> bool:
        lane, now = job.lane, job.asked_at
        is_free = self._may_begin(lane) and not lane.waiting and not lane.seconds_to_begin(now)
        return is_free and not lane.seconds_held(job, now)

    def deadline_in(self, lane: str) -> Deadline:
        """Of work that is offered now."""
        return Deadline(asyncio.get_running_loop().time() + self.lanes[lane].limits.deadline)

    def refuse(self, lane: str, client: Hashable) -> None:
        """Raises TooManyAtOnce where ``client`` has all that one may have; NoRoom where there is no place and none to be
        made. For whoever wants to know before there is any work; ``offer`` asks again."""
        place = self.lanes[lane]
        self._refuse_greed(place, client)
        if len(place.waiting) >= place.limits.waiting > 0 and not self._gives_way(
            place, place.demand.of(client) + REQUEST_S
        ):
            place.demand.arrive(client)
            place.shed += 1
            raise NoRoom

    def _refuse_greed(self, place: _Lane[T], client: Hashable) -> None:
        if place.clients.get(client, 0) >= place.limits.per_client:
            place.shed += 1
            raise TooManyAtOnce

    def waits(self, job: Job[T]) -> bool:
        return job in job.lane.waiting

    def slow_down(self, lane: str, begins: float | None) -> None:
        """Begin at most so much work a second for ``lane`` from now on; None: as much as its limits say."""
        place = self.lanes[lane]
        usual = place.usual
        place.limits = usual if begins is None else replace(usual, burst=max(1.0, begins), begins=begins)
        place.refill()

    def forget(self, job: Job[T]) -> None:
        """The client hung up: work that still waits is never begun. What runs already runs to its end."""
        self._turn_away(job, HungUp())

    async def close(self, seconds: float) -> None:
        """Turn away who waits and stop the threads; those still busy after ``seconds`` end with the process."""
        for lane in self._order:
            for job in list(lane.waiting):
                self._turn_away(job, NoRoom())
        for _ in self._threads:
            self._admitted.put(None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while any(thread.is_alive() for thread in self._threads):
                    await asyncio.sleep(0.01)
        self._threads.clear()
        self._fibres.close()

    # --- Who gets a place ---

    def _make_room(self, lane: _Lane[T], job: Job[T]) -> None:
        """Where the queue is full, one who waits goes if it asked for clearly more of late; else this one."""
        if len(lane.waiting) < lane.limits.waiting:
            return
        lane.shed += 1
        greediest = self._gives_way(lane, job.demand)
        if greediest is None:
            raise NoRoom
        self._turn_away(greediest, NoRoom())

    def _gives_way(self, lane: _Lane[T], demand: float) -> Job[T] | None:
        """Of those who wait, who is turned away for a newcomer of that demand. Clearly more: a crowd of equals would only
        push each other out, which costs more than it changes."""
        greediest = lane.greediest() if lane.waiting else None
        return greediest if greediest is not None and greediest.demand >= CLEARLY * demand else None

    def _enqueue(self, job: Job[T]) -> None:
        job.lane.waiting.append(job)
        job.timer = job.loop.call_later(job.lane.limits.longest_wait, self._expire, job)
        self._begin_next()

    def _give_up(self, job: Job[T]) -> None:
        """Nobody waits for it any longer, whether it was begun or not."""
        reason = job.deadline.refusal
        self._turn_away(job, reason)
        job.settle(reason)

    def _expire(self, job: Job[T]) -> None:
        """It has waited long enough. A client's part of time and places delays, and refuses nothing soon while there is a
        place: all requests are dear while the database is slow."""
        lane, is_free = job.lane, self._may_begin(job.lane) and not job.lane.seconds_to_begin(job.loop.time())
        if is_free and lane.running_of.get(job.client, 0) < lane.client_places and self.waits(job):
            self._leave_queue(job)
            self._begin(job)
        elif job.loop.time() - job.asked_at < HELD_WAIT_S and lane.seconds_held(job, job.loop.time()):
            job.timer = job.loop.call_later(lane.limits.longest_wait, self._expire, job)
        else:
            lane.shed += 1
            self._turn_away(job, NoRoom())

    def _turn_away(self, job: Job[T], reason: Exception) -> None:
        if job not in job.lane.waiting:
            return
        self._leave_queue(job)
        job.lane.forget(job.client)
        job.settle(reason)

    def _leave_queue(self, job: Job[T]) -> None:
        job.lane.waiting.remove(job)
        if job.timer is not None:
            job.timer.cancel()

    # --- Who is next ---

    def _may_begin(self, lane: _Lane[T]) -> bool:
        """Whether a thread is free for ``lane``: its own, or a lower lane's; those above keep theirs."""
        running = threads = 0
        reached = False
        for each in reversed(self._order):
            running += each.running
            threads += each.limits.threads
            reached = reached or each is lane
            if reached and running >= threads:
                return False
        return True

    def _begin_next(self) -> None:
        for lane in self._order:
            while lane.waiting and self._may_begin(lane):
                now = asyncio.get_running_loop().time()
                if seconds := lane.seconds_to_begin(now):
                    self._wake_in(seconds)
                    break
                job = lane.next(now)
                if job is None:
                    self._wake_in(min(lane.seconds_held(each, now) for each in lane.waiting))
                    break
                self._leave_queue(job)
                if job.future.done():
                    lane.forget(job.client)
                else:
                    self._begin(job)

    def _wake_in(self, seconds: float) -> None:
        """A lane that may begin nothing now is looked at again when it may; the soonest counts."""
        loop = asyncio.get_running_loop()
        moment = loop.time() + seconds
        if self._wake is None or self._wakes_at > moment:
            if self._wake is not None:
                self._wake.cancel()
            self._wake, self._wakes_at = loop.call_later(seconds, self._look_again), moment

    def _look_again(self) -> None:
        self._wake = None
        self._begin_next()

    # --- The fibres and the threads ---

    def _begin(self, job: Job[T]) -> None:
        job.begun_at = job.loop.time()
        job.lane.begin(job)
        self.begun += 1
        if job.light is None or not self._fibres.begin(partial(_outcome, job.light), partial(self._after_fibre, job)):
            self._to_thread(job)

    def _after_fibre(self, job: Job[T], outcome: "T | Crash | None") -> None:
        if outcome is None:
            self._to_thread(job)
        else:
            self._finish(job, outcome)

    def _to_thread(self, job: Job[T]) -> None:
        # Started when first needed, so that a server which forks after loading has its threads in the right process.
        if self.running > len(self._threads):
            self._start_thread()
        self._admitted.put(job)

    def _start_thread(self) -> None:
        # Daemons: a view that never returns must not keep a stopping process alive.
        thread = threading.Thread(target=self._run, name=f"web-{len(self._threads)}", daemon=True)
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
        job.lane.finish(job, 0.0 if job.begun_at is None else job.loop.time() - job.begun_at)
        self._let_rest(job)
        job.settle(outcome)
        self._begin_next()

    def _let_rest(self, job: Job[T]) -> None:
        """A thread that works takes time from all others of the process, whichever lane they are of."""
        if job.begun_at is not None and self._is_used_above(job.lane):
            now = job.loop.time()
            job.lane.rest(now, now - job.begun_at, self.part)

    def strain(self) -> None:
        """The loop came late to what it had to do: there is more than this process can."""
        self._strained_at = asyncio.get_running_loop().time()

    @property
    def part(self) -> float:
        """Of what lower lanes may take otherwise, while higher ones are in use."""
        return STRAINED if asyncio.get_running_loop().time() - self._strained_at < STRAINED_S else 1.0

    def is_used_above(self, name: str) -> bool:
        """Whether somebody asked a lane above ``name`` for anything in the last second."""
        return self._is_used_above(self.lanes[name])

    def _is_used_above(self, lane: _Lane[T]) -> bool:
        now = asyncio.get_running_loop().time()
        return any(now - each.used_at < IN_USE_S for each in self._order[: self._order.index(lane)])


class Crash(Exception):
    """Work raised although it must not. The cause is what it raised (a future cannot hold every exception)."""


def _outcome(work: Callable[[], T]) -> T | Crash:
    try:
        return work()
    except Elsewhere:
        raise
    except BaseException as error:
        crash = Crash(repr(error))
        crash.__cause__ = error
        return crash
