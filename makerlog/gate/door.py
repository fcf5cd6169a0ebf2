"""The front door: every request's first stop and last.

Health? Answered here. A file? Handed to files. Otherwise: who is calling, did they ask in vain too often, the body within
bounds, a thread within a second, and Django in it. A refusal is an exception raised where its rule stands and answered in
one place.
"""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from time import monotonic, time
from typing import Protocol
from uuid import uuid4

from starlette.types import Message, Receive, Scope, Send

from makerlog.env import Network
from makerlog.gate import wsgi
from makerlog.gate.address import UNIX_PEER
from makerlog.gate.answers import Answer, Headers, Refusal, ServerFault, Stopping, as_json, deliver
from makerlog.gate.banned import BanGuard
from makerlog.gate.bans import BanIndex
from makerlog.gate.body import Bodies, HungUp, drain, has_body, has_hung_up, until_hung_up
from makerlog.gate.caller import Caller, Recognise, Ticket, identify
from makerlog.gate.connection import Connections
from makerlog.gate.demand import Demand
from makerlog.gate.files import Files, Folder
from makerlog.gate.hang_ups import HangUps
from makerlog.gate.lanes import client_in, lane_of
from makerlog.gate.limits import Limits
from makerlog.gate.notes import Notes
from makerlog.gate.pool import Job, Pool
from makerlog.gate.strikes import Strikes

log = logging.getLogger("makerlog.gate")

HEALTH = {"/health", "/health/"}
GOING_AWAY = 1001


class TooSlow(Refusal):
    """The whole request took longer than its lane allows."""

    status = 503
    code = "too_slow"
    detail = "This took too long; try again in a moment, or ask for less."
    retry_after = 5


class Service(Protocol):
    """Something with a thread of its own, started in the process that serves."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class FrontDoor:
    """The ASGI application around a WSGI one.

    ``folders`` maps URL prefixes ("/static/") to folders; ``trusted`` are the proxies whose forwarded headers count;
    ``recognise`` tells a genuine token and ``ticket`` staff's; ``hashing`` are the paths where a password is hashed;
    ``guard`` knows who is banned; ``services`` run beside it, from its lifespan's start to its end.
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
        hashing: frozenset[str] = frozenset(),
        services: Sequence[Service] = (),
    ) -> None:
        self.app = app
        self.trusted = trusted
        self.guard = guard or BanGuard(BanIndex(), Notes())
        self.recognise = recognise
        self.ticket = ticket
        self.hashing = hashing
        self.services = services
        self.limits = limits or Limits()
        self.strikes = Strikes(self.limits)
        self.bodies = Bodies(self.limits)
        self.connections = Connections(self.limits, trusted)
        self.hang_ups = HangUps(self.limits.hang_ups_told)
        self.files = Files(folders or {}, self.limits)
        self.level = "normal"
        self.loop: asyncio.AbstractEventLoop | None = None
        demand = Demand(half_life=self.limits.half_life, most=self.limits.remembered)
        self.pool: Pool[Answer] = Pool(self.limits.lanes, demand)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, _Reply(send, self.strikes))
        elif scope["type"] == "websocket":
            await _refuse_socket(receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)

    def bans_changed(self) -> None:
        """Ends the connections of whoever is banned from everything now. May be called from any thread."""
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self.connections.close_banned, self._is_banned)

    def _is_banned(self, peer: str) -> bool:
        anybody = Caller(peer or UNIX_PEER, "http", token="any")  # noqa: S106  (a connection may carry a token next)
        return self.guard.standing(anybody, "", time()) is not None

    async def _http(self, scope: Scope, receive: Receive, reply: "_Reply") -> None:
        request_id = uuid4().hex  # a client's own is ignored: the log must not be written by it
        try:
            await self._let_in(scope, receive, reply, request_id)
        except Refusal as refusal:
            await self._refuse(refusal, scope, receive, reply, request_id)
        except HungUp:
            self.hang_ups.count()
        except asyncio.CancelledError:
            # Only a server at the end of its graceful stop cancels; the client is told rather than cut off.
            await self._refuse(Stopping(), scope, receive, reply, request_id)
        except Exception:
            log.exception("Request %s failed in the gate: %s %s", request_id, scope["method"], scope["path"])
            await self._refuse(ServerFault(), scope, receive, reply, request_id)

    async def _let_in(self, scope: Scope, receive: Receive, reply: "_Reply", request_id: str) -> None:
        """The stops of a request, in order."""
        if scope["path"] in HEALTH and scope["method"] in ("GET", "HEAD"):
            return await deliver(self._health(request_id), scope["method"], reply)
        began = time()
        caller = reply.caller = identify(scope, self.trusted, self.recognise, self.ticket)
        self._note(caller, began)
        self.guard.refuse(caller, scope["path"], began)
        if self.files.serve(scope["path"]):
            return await self.files(scope, receive, reply, request_id)
        self.strikes.refuse_if_spent(caller, scope["method"], scope["path"])
        answer = await self._admit(caller, scope, receive, reply, request_id)
        self.strikes.count(answer.status, caller, scope["path"])
        if answer.status < 300:
            self.guard.note_if_slipped(caller, scope["path"], began=began, now=time())
        if await has_hung_up(receive):
            raise HungUp
        return await deliver(answer, scope["method"], reply)

    async def _admit(self, caller: Caller, scope: Scope, receive: Receive, reply: "_Reply", request_id: str) -> Answer:
        """Django's answer, if there is room in the caller's lane."""
        lane = lane_of(caller, scope["method"], scope["path"], self.hashing)
        client = client_in(caller)
        self.pool.refuse_greed(lane, client)
        async with self.bodies.read(scope, receive, genuine=caller.token is not None) as body:
            reply.body_was_read = True
            deadline = monotonic() + self.pool.lanes[lane].limits.deadline
            environ = wsgi.environ_of(scope, body, caller, request_id) | {"makerlog.deadline": deadline}
            job = self.pool.offer(partial(wsgi.run, self.app, environ, self.limits.answer), lane, client)
            return await self._result(job, receive, deadline - monotonic())

    def _note(self, caller: Caller, now: float) -> None:
        self.guard.notes.arrived(caller.address, caller.token, now)
        if caller.forwarded and not self.trusted:
            self.guard.notes.forwarded(now)

    def _health(self, request_id: str) -> Answer:
        content: dict[str, object] = {"healthy": True, "level": self.level}
        return as_json(200, content, request_id, [(b"x-makerlog-level", self.level.encode())])

    async def _result(self, job: Job[Answer], receive: Receive, seconds: float) -> Answer:
        """What the job answers in time. The thread of one that is late is free when the work ends."""
        try:
            async with asyncio.timeout(seconds):
                return await (self._watched(job, receive) if self.pool.waits(job) else job.future)
        except TimeoutError:
            self.pool.forget(job)
            raise TooSlow from None

    async def _watched(self, job: Job[Answer], receive: Receive) -> Answer:
        """While the job waits for a thread, the client is watched for hanging up."""
        watch = asyncio.ensure_future(until_hung_up(receive))
        watch.add_done_callback(lambda _: self.pool.forget(job))
        try:
            return await job.future
        finally:
            watch.cancel()

    async def _refuse(self, refusal: Refusal, scope: Scope, receive: Receive, reply: "_Reply", request_id: str) -> None:
        if reply.started:
            return  # the server sees an unfinished answer and closes the connection
        answer = refusal.answer(request_id)
        if reply.body_was_read or not has_body(scope):
            await deliver(answer, scope["method"], reply)
        else:
            await self._refuse_unread(answer, scope["method"], receive, reply)

    async def _refuse_unread(self, answer: Answer, method: str, receive: Receive, reply: "_Reply") -> None:
        """Answer at once, listen a little longer, then close: the rest of the body is not waited for."""
        headers = [*answer.headers, (b"connection", b"close")]
        body = b"" if method == "HEAD" else answer.body
        await reply({"type": "http.response.start", "status": answer.status, "headers": headers})
        await reply({"type": "http.response.body", "body": body, "more_body": True})
        await drain(receive, self.limits.linger)
        await reply({"type": "http.response.body", "body": b""})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        self.loop = asyncio.get_running_loop()
        self.files.bound_disk_threads()
        for service in self.services:
            service.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.pool.close(self.limits.stop_seconds)
        self.hang_ups.tell()
        for service in self.services:
            await asyncio.to_thread(service.stop)
        await send({"type": "lifespan.shutdown.complete"})


class _Reply:
    """``send``, remembering how far this request has come. Says on every refusal how the caller's refusals stand, unless a
    limit of the answer's own is told there."""

    __slots__ = ("body_was_read", "caller", "send", "started", "strikes")

    def __init__(self, send: Send, strikes: Strikes) -> None:
        self.send = send
        self.strikes = strikes
        self.caller: Caller | None = None
        self.started = False
        self.body_was_read = False

    async def __call__(self, message: Message) -> None:
        self.started = True
        if self.caller is not None and 400 <= message.get("status", 0) < 500 and not tells_limit(message["headers"]):
            message = {**message, "headers": [*message["headers"], *self.strikes.headers(self.caller)]}
        await self.send(message)


def tells_limit(headers: Headers) -> bool:
    return any(name == b"ratelimit" for name, _ in headers)


async def _refuse_socket(receive: Receive, send: Send) -> None:
    """No sockets yet: closing before accepting is an HTTP 403 on the wire."""
    await receive()
    await send({"type": "websocket.close", "code": GOING_AWAY})
