"""The front door: every request's first stop and last.

Health, status? Answered here. A file? Handed to files. Otherwise: who is calling, did they ask in vain too often, the body
within bounds, a thread within a second, and Django in it. A refusal is an exception raised where its rule stands and answered
in one place.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from time import time
from typing import Any, Protocol, TypeVar

from prometheus_client import Gauge
from starlette.types import ASGIApp, Receive, Scope, Send

from makerlog.env import Network
from makerlog.gate import metrics, readiness, wsgi
from makerlog.gate.address import UNIX_PEER
from makerlog.gate.answers import Answer, Refusal, ServerFault, Stopping, in_json
from makerlog.gate.backlog import CONNECTION, READER, Backlog, Reader
from makerlog.gate.banned import BanGuard, Spared, is_spared
from makerlog.gate.bans import BanIndex
from makerlog.gate.body import Bodies, HungUp, has_body, has_small_body, until_hung_up
from makerlog.gate.caller import ADMIN, Caller, Link, Recognise, Ticket, identify
from makerlog.gate.connection import Connections
from makerlog.gate.files import Files, Folder
from makerlog.gate.hang_ups import HangUps
from makerlog.gate.lanes import CHARGED, WHOSE, Owners, client_in, lane_of
from makerlog.gate.level import NORMAL, UNDER_ATTACK, lockdown
from makerlog.gate.limits import Limits
from makerlog.gate.notes import Notes
from makerlog.gate.pool import Job, Pool
from makerlog.gate.preflight import preflight
from makerlog.gate.reception import Reception, Switches, nothing_there
from makerlog.gate.refusals import refusals, refused
from makerlog.gate.seen import ROUTE, Observer, Observers, without_secrets
from makerlog.gate.sharing import FIRST, Mode, Sharing, for_anybody, read_of
from makerlog.gate.socket import Sockets
from makerlog.gate.spent import Spent
from makerlog.gate.status import PATHS as STATUS
from makerlog.gate.status import status
from makerlog.gate.strikes import Strikes, TooManyRefusals
from makerlog.gate.to_sign_in import for_browser
from makerlog.gate.visit import Visit, Work

log = logging.getLogger("makerlog.gate")

T = TypeVar("T")

HEALTH = {"/health", "/health/"}
ADMIN_ROOT = ADMIN.removesuffix("/")
VISIT = "makerlog.visit"  # in a scope: the request as the connection brought it to the door
FROM_MEMORY = Mode(keep=10.0, stale=60.0, work=5.0)  # for whoever shows no token, under attack


class Service(Protocol):
    """Something with a thread of its own, started in the process that serves."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class FrontDoor:
    """The ASGI application around a WSGI one.

    ``folders`` maps URL prefixes ("/static/") to folders; ``trusted`` are the proxies whose forwarded headers count;
    ``recognise`` tells a genuine token, ``ticket`` staff's, ``known`` their devices and ``link`` what alerts send them;
    ``hashing`` are the paths where a password is hashed; ``guard`` knows who is banned; ``services`` run beside it, from its
    lifespan's start to its end; ``streams`` answers the WebSockets that are let in; ``gauges`` are sampled beside its own;
    ``observers`` are told of every request that is over (see seen.py); ``fast`` answers what it can in place of the
    application; ``switches`` refuses a stream that is switched. ``shares``: identical reads without a credential have one
    answer.
    """

    def __init__(
        self,
        app: wsgi.WSGIApp,
        *,
        trusted: Sequence[Network] = (),
        folders: dict[str, Folder] | None = None,
        limits: Limits | None = None,
        guard: BanGuard | None = None,
        recognise: Recognise = lambda header: None,
        ticket: Ticket = lambda cookies: False,
        known: Ticket = lambda cookies: False,
        link: Link = lambda path: "",
        hashing: frozenset[str] = frozenset(),
        services: Sequence[Service] = (),
        streams: ASGIApp | None = None,
        gauges: Mapping[Gauge, Callable[[], float]] | None = None,
        observers: Sequence[Observer] = (),
        switches: Switches = lambda path, credential, now: None,
        fast: wsgi.FastPath | None = None,
        shares: bool = False,
    ) -> None:
        self.app = app
        self.fast = fast
        self.trusted = trusted
        self.guard = guard or BanGuard(BanIndex(), Notes())
        self.recognise = recognise
        self.ticket = ticket
        self.known = known
        self.link = link
        self.hashing = hashing
        self.services = services
        self.limits = limits or Limits()
        self.owners = Owners(self.limits.remembered)
        self.strikes = Strikes(self.limits, client_in=self.owners.client_in)
        self.spent = Spent()
        self.readiness = readiness.Readiness()
        self.shares = shares
        self.level = NORMAL  # that the mode of sharing follows
        self.spared = Spared(self.guard, self.limits)
        self.bodies = Bodies(self.limits)
        self.connections = Connections(self.limits, trusted)
        self.backlog = Backlog(self.limits)
        self.hang_ups = HangUps(self.limits.hang_ups_told)
        self.files = Files(folders or {}, self.limits)
        self.loop: asyncio.AbstractEventLoop | None = None
        self.pool: Pool[Any] = Pool(self.limits.lanes, self.limits.remembered, self.limits.fibres)
        self.sharing = Sharing(
            self.limits, is_tight=lambda: self.pool.is_used_above("anonymous"), part=lambda: self.pool.part
        )
        self.sockets = Sockets(self.connections)
        self.observers = Observers([self.guard.notes.observe, *observers])
        self.reception = Reception(
            streams or nothing_there,
            sockets=self.sockets,
            pool=self.pool,
            guard=self.guard,
            strikes=self.strikes,
            trusted=trusted,
            recognise=recognise,
            warn=self._warn_of_forwarded,
            observers=self.observers,
            switches=switches,
        )
        self.sampler = metrics.Sampler(self.pool, self._gauges() | dict(gauges or {}))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            visit: Visit = scope.get(VISIT) or self._met(scope)
            visit.receive, visit.send = receive, send
            await self._http(visit)
        elif scope["type"] == "websocket":
            await self.reception(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)

    def _gauges(self) -> dict[Gauge, Callable[[], float]]:
        return {
            metrics.CONNECTIONS: lambda: len(self.connections),
            metrics.DROPPED: lambda: self.connections.dropped,
            metrics.BODIES: lambda: self.bodies.held,
            metrics.UNREAD: lambda: self.backlog.held,
            metrics.UNREAD_DROPPED: lambda: self.backlog.dropped,
            metrics.FILES: lambda: self.files.sending,
            metrics.FILES_DROPPED: lambda: self.files.places.dropped,
            metrics.SHARED: lambda: self.sharing.held,
            metrics.SOCKETS: lambda: len(self.sockets),
            metrics.SOCKETS_DROPPED: lambda: self.sockets.dropped,
            metrics.SOCKETS_EVICTED: lambda: self.sockets.evicted,
        }

    def bans_changed(self) -> None:
        """Ends the connections and sockets of whoever is banned now, and the sockets of streams that are switched. May be
        called from any thread."""
        self.reception.close_refused()
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self.connections.close_banned, self._is_banned)

    def forget_shared(self) -> None:
        """What was shared until now is asked for anew. May be called from any thread."""
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self.sharing.forget)

    def answer_from_memory(self, mode: Mode) -> None:
        """How far answers to nobody in particular stand in for work (see sharing.py). May be called from any thread."""
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self._set, mode)

    def _set(self, mode: Mode) -> None:
        self.sharing.mode = mode
        self.pool.slow_down("anonymous", mode.work)

    def _follow_level(self) -> None:
        """Asked with each request: a level is over at its second, and nobody is told."""
        if lockdown.level != self.level:
            self.level = lockdown.level
            self._set(FROM_MEMORY if self.level == UNDER_ATTACK else Mode())

    def _is_banned(self, peer: str) -> bool:
        """From everything: on a connection the next request may carry a token."""
        return self.guard.bans.refusal(peer or UNIX_PEER, genuine=True, now=time()) is not None

    def greet(self, scope: Scope, *, passes_over: bool = False) -> Answer | None:
        """The whole answer, where the head decides it and no body is on its way, or a small one that is passed over as it
        comes: then nothing else is made for this request, which is what keeps a flood cheap. None: ``__call__`` goes on with
        the same scope."""
        visit = scope[VISIT] = self._met(scope)
        if visit.ready is None:
            return None
        if has_body(scope) and not (passes_over and has_small_body(scope, self.limits.small_body)):
            return None
        answer = visit.whole(visit.ready)
        self._over(visit)
        return answer

    def begin(self, scope: Scope, in_task: Callable[[], None]) -> bool:
        """Whether what ``greet`` left open is under way without a task, which an ordinary read takes as long to make as to
        go through: it is answered by whoever finishes its work. ``in_task``: where it turns out to need one."""
        visit: Visit = scope[VISIT]
        caller = visit.caller
        if visit.ready is not None or caller is None or visit.lane != "token" or self.fast is None:
            return False
        if visit.method != "GET" or has_body(scope):
            return False
        visit.work = self._unless_refused(visit, lambda: self._offer(visit, caller, scope, b""))
        if visit.work is None:
            return False
        visit.body_was_read = True
        visit.work.job.future.add_done_callback(partial(self._finished, visit, caller, in_task))
        return True

    def hung_up(self, scope: Scope) -> None:
        """Its client is gone. What ``begin`` began, and still waits for a place, is given up."""
        visit: Visit | None = scope.get(VISIT)
        if visit is not None and visit.work is not None:
            self.pool.forget(visit.work.job)

    def _finished(
        self, visit: Visit, caller: Caller, in_task: Callable[[], None], future: asyncio.Future[Answer]
    ) -> None:
        """Of errors, there is more to say than can be said at once."""
        good = future.exception() is None and future.result().status < 400
        if good and self._unless_refused(visit, lambda: visit.answer_at_once(future.result())):
            assert visit.work is not None
            self._worked(visit, caller, visit.work)
            self._note(visit, caller, future.result())
            self._over(visit)
        else:
            in_task()

    def _met(self, scope: Scope) -> Visit:
        """A request at the stops for which its head is enough."""
        visit = Visit(scope, self.strikes)
        visit.ready = self._unless_refused(visit, lambda: self._meet(visit)) or visit.ready
        return visit

    def _unless_refused(self, visit: Visit, step: Callable[[], T]) -> T | None:
        """What ``step`` gives; None where it is refused or fails: then that is the answer."""
        try:
            return step()
        except Refusal as refusal:
            self._turn_away(visit, refusal)
        except Exception:
            visit.ready = self._fault(visit).answer(visit.request_id)
        return None

    def _meet(self, visit: Visit) -> Answer | None:
        """These stops, in order. An answer ends them; so does a Refusal."""
        if visit.path in HEALTH and visit.method in ("GET", "HEAD"):
            return self._health(visit.request_id)
        if visit.path in STATUS and visit.method in ("GET", "HEAD"):
            return status(visit.scope, lockdown.now, visit.request_id)
        if readiness.is_asked(visit.scope) and (answer := self.readiness.at_hand(visit.scope, visit.request_id)):
            return answer
        caller = visit.caller = identify(visit.scope, self.trusted, self.recognise, self.ticket, self.known, self.link)
        self._warn_of_forwarded(caller, visit.began)
        self.guard.refuse(caller, visit.method, visit.path, visit.began)
        self.spared.refuse_if_spent(caller, visit.path, visit.began)
        if caller.asks:
            self.strikes.refuse_if_spent(caller, visit.method, visit.path)  # for tokens: no browser sends one with it
            return preflight(visit.request_id)
        if self.files.serve(visit.path):
            self._meet_file(visit, caller)
            return None
        self.strikes.refuse_if_spent(caller, visit.method, visit.path)
        if visit.method != "OPTIONS" or caller.token is not None:
            self.spent.refuse(client_in(caller), visit.path)
        visit.lane = lane_of(caller, visit.method, visit.path, self.hashing)
        return self._room(visit, caller)

    def _meet_file(self, visit: Visit, caller: Caller) -> None:
        """The same stops, for a file. What the pages of staff are made of is read from addresses with strikes too, at times:
        theirs may be one of many."""
        try:
            self.strikes.refuse_if_spent(caller, visit.method, visit.path)
        except TooManyRefusals:
            if not self.spared.may_read_file(caller, visit.path):
                raise
        self._refuse_if_unread(visit, caller)

    def _room(self, visit: Visit, caller: Caller) -> Answer | None:
        """An answer that is at hand for anybody needs no room. Raises NoRoom where it needs some and there is none."""
        self._follow_level()
        reader = self._refuse_if_unread(visit, caller)
        if self.shares and caller.token is None:
            visit.read = read_of(visit.scope, visit.request_id)
        answer = self.sharing.at_hand(visit.read, client_in(caller)) if visit.read else None
        if answer is not None:
            visit.outcome = "shared"
        elif visit.read is None or not self.sharing.expects(visit.read):
            self.pool.refuse(queue_of(visit), reader.client)
        return answer

    def _refuse_if_unread(self, visit: Visit, caller: Caller) -> Reader:
        """Notes whose memory it is that the answer takes until it is read. Raises TooManyAtOnce where they left too much; not
        to staff, who may share an address with whoever did."""
        reader = visit.scope[READER] = Reader(self.owners.client_in(caller), caller.token is not None)
        if not (caller.ticket or caller.known or caller.link or is_spared(visit.path)):
            self.backlog.refuse_if_full(reader)
        return reader

    async def _http(self, visit: Visit) -> None:
        try:
            await self._let_in(visit)
        except Refusal as refusal:
            await self._refuse(visit, refusal)
        except HungUp:
            visit.outcome = "hung_up"
        except asyncio.CancelledError:
            # Only a server at the end of its graceful stop cancels; the client is told rather than cut off.
            await self._refuse(visit, Stopping())
        except Exception:
            await self._refuse(visit, self._fault(visit))
        self._over(visit)

    def _fault(self, visit: Visit) -> Refusal:
        log.exception("Request %s failed in the gate: %s %s", visit.request_id, visit.method, visit.path)
        visit.outcome = ServerFault.outcome
        return ServerFault()

    def _over(self, visit: Visit) -> None:
        self._count_uncharged(visit)
        metrics.count(visit.lane, visit.outcome)
        self._tell(visit)
        visit.scope.pop(VISIT, None)
        visit.scope.pop(CONNECTION, None)

    def _count_uncharged(self, visit: Visit) -> None:
        """A credential is charged for whatever becomes of its request; a file that is there has limits of its own."""
        if visit.caller is None or visit.caller.token is None or CHARGED in visit.told:
            return
        if not (200 <= visit.status < 400 and self.files.serve(visit.path)):
            self.strikes.count_uncharged(visit.status, visit.caller)

    def _tell(self, visit: Visit) -> None:
        caller = visit.caller
        self.observers.tell(
            visit.scope,
            caller,
            lane=visit.lane,
            outcome=visit.outcome,
            status=visit.status,
            waited=visit.waited,
            worked=visit.worked,
            maker=self.owners.maker_of(caller.token) if caller else None,
            told=visit.told,
            request_id=visit.request_id,
        )

    async def _let_in(self, visit: Visit) -> None:
        """What needs more than the head: a file, or a body and Django's answer."""
        caller = visit.caller
        if visit.ready is not None or caller is None:
            return await visit.refuse(visit.ready or ServerFault().answer(visit.request_id), self.limits.linger)
        if self.files.serve(visit.path):
            return await self._send_file(visit, caller)
        answer = await self._answer(visit, caller)
        self._note(visit, caller, answer)
        return await visit.answer(answer)

    async def _send_file(self, visit: Visit, caller: Caller) -> None:
        try:
            await self.files(visit.scope, visit.receive, visit.reply, visit.request_id, visit.scope[READER])
        except Refusal as refusal:
            self.strikes.count(refusal.status, caller, visit.path)
            raise

    def _note(self, visit: Visit, caller: Caller, answer: Answer) -> None:
        """What ``answer`` means for the caller's next request."""
        visit.outcome = "shared" if answer.shared else metrics.outcome_of(answer.status)
        self.strikes.count(answer.status, caller, visit.path)
        self.spent.note(answer, client_in(caller))
        if answer.status < 300:
            self.guard.note_if_slipped(caller, visit.method, visit.path, began=visit.began, now=time())
        self._remember_refusal(visit, answer)

    async def _answer(self, visit: Visit, caller: Caller) -> Answer:
        """An answer that others share, where it may be one; else Django's, for this caller."""
        if readiness.is_asked(visit.scope):
            scope = for_anybody(visit.scope)
            return await self.readiness.answer(
                scope, visit.lane, visit.request_id, lambda: self._offer(visit, caller, scope, b"").job.future
            )
        if visit.read is None:
            return await self._admit(visit, caller, visit.scope)
        scope = for_anybody(visit.scope)
        return await self.sharing.answered(visit.read, client_in(caller), lambda: self._admit(visit, caller, scope))

    async def _admit(self, visit: Visit, caller: Caller, scope: Scope) -> Answer:
        """Django's answer to ``scope``, if there is room in the caller's lane."""
        if visit.work is not None:  # since ``begin``
            return await self._result(visit, caller, visit.work)
        async with self.bodies.read(visit.scope, visit.receive, genuine=caller.token is not None) as body:
            visit.body_was_read = True
            return await self._result(visit, caller, self._offer(visit, caller, scope, body))

    def _offer(self, visit: Visit, caller: Caller, scope: Scope, body: bytes) -> Work:
        """Raises NoRoom."""
        lane = queue_of(visit)
        deadline = self.pool.deadline_in(lane)
        environ = wsgi.environ_of(scope, body, caller, visit.request_id)
        environ |= {"makerlog.deadline": deadline, "makerlog.lane": lane}
        work = partial(wsgi.run, self.app, environ, self.limits.answer, self.fast)
        light = partial(wsgi.run_lightly, environ, self.fast) if self.fast and visit.method == "GET" else None
        return Work(self.pool.offer(work, lane, self.owners.client_in(caller), light, deadline), environ)

    def _worked(self, visit: Visit, caller: Caller, work: Work) -> None:
        metrics.note_begin(work.job)
        visit.worked_on(work)
        self.owners.learn(caller.token, work.environ.get(WHOSE))

    async def _result(self, visit: Visit, caller: Caller, work: Work) -> Answer:
        job = work.job
        try:
            return await (self._watched(job, visit.receive) if self.pool.waits(job) else job.future)
        finally:
            self._worked(visit, caller, work)

    def _warn_of_forwarded(self, caller: Caller, now: float) -> None:
        if caller.claimed is not None:
            genuine = caller.token is not None
            evaded = self.guard.bans.refusal(caller.claimed, genuine=genuine, now=now) if caller.claimed else None
            self.guard.notes.forwarded(caller.address, now, evaded.id if evaded else None)

    def _health(self, request_id: str) -> Answer:
        return in_json(200, health(lockdown.level), request_id)

    async def _watched(self, job: Job[Answer], receive: Receive) -> Answer:
        """While the job waits for a thread, the client is watched for hanging up."""
        watch = asyncio.ensure_future(until_hung_up(receive))
        watch.add_done_callback(lambda _: self.pool.forget(job))
        try:
            return await job.future
        finally:
            watch.cancel()

    def _turn_away(self, visit: Visit, refusal: Refusal) -> Answer:
        if visit.path.startswith(ADMIN_ROOT):
            refusal = for_browser(refusal, visit.caller, visit.method, visit.path, *page_asked(visit.scope))
        visit.outcome = refusal.outcome
        answer = visit.ready = refusal.answer(visit.request_id)
        self._remember_refusal(visit, answer)
        return answer

    async def _refuse(self, visit: Visit, refusal: Refusal) -> None:
        await visit.refuse(self._turn_away(visit, refusal), self.limits.linger)

    @staticmethod
    def _remember_refusal(visit: Visit, answer: Answer) -> None:
        """For the holder of the genuine token that it was sent with."""
        if answer.status < 400 or visit.caller is None or visit.caller.token is None:
            return
        where = {"method": visit.method, "route": visit.told.get(ROUTE) or without_secrets(visit.path)}
        refusals.note(visit.caller.token, refused(answer, request_id=visit.request_id, at=time(), **where))

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        self.loop = asyncio.get_running_loop()
        self.files.bound_disk_threads()
        self.sampler.start()
        for service in self.services:
            service.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.sampler.stop()
        await self.pool.close(self.limits.stop_seconds)
        self.observers.tell_all()
        self.hang_ups.tell()
        for service in self.services:
            await asyncio.to_thread(service.stop)
        await send({"type": "lifespan.shutdown.complete"})


def queue_of(visit: Visit) -> str:
    """The lane whose room it takes: its own, but for the page where staff sign in, which is made for all of them."""
    return "sign_in" if visit.read and visit.read.key in FIRST else visit.lane


def page_asked(scope: Scope) -> tuple[str, str]:
    """The query, and the Accept header."""
    accept = next((value for name, value in scope["headers"] if name == b"accept"), b"")
    return scope.get("query_string", b"").decode("latin-1"), accept.decode("latin-1")


@lru_cache(maxsize=4)
def health(level: str) -> bytes:
    """To the letter as it is documented: who watches a service looks for words in its answer."""
    return json.dumps({"healthy": True, "level": level}).encode()
