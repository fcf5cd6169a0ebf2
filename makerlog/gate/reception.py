"""A WebSocket's stops, as door.py has a request's: who is calling, are they banned, do they come too often, is their token
genuine, is there room? All of it on the event loop, before anybody asks the database.

A socket is accepted once it follows its stream, so whoever sees it open misses nothing from then on. One that is refused is
accepted too, and closed: a browser is told why only by the code of that.
"""

import contextlib
import logging
import re
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic, time
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.utils import ClientDisconnected

from makerlog.env import Network
from makerlog.gate import deadline, metrics
from makerlog.gate.answers import Refusal, ServerFault
from makerlog.gate.banned import BanGuard
from makerlog.gate.buckets import AddressBuckets, Buckets
from makerlog.gate.caller import Caller, Recognise, identify
from makerlog.gate.deadline import Deadline
from makerlog.gate.lanes import client_in
from makerlog.gate.pool import Crash, NoRoom, Pool
from makerlog.gate.seen import Observers
from makerlog.gate.socket import BANNED, Socket, Sockets, close_code
from makerlog.gate.strikes import Strikes

log = logging.getLogger("makerlog.gate")

T = TypeVar("T")

# Path, Authorization header (b"" for none), Unix seconds. Raises a Refusal.
Switches = Callable[[str, bytes, float], None]

ALL = "all"

# What a browser may send: "null", or a scheme and a host. Any of them is let in (deploy/decisions/0008-sockets.md).
ORIGIN = re.compile(rb"null|[a-z][a-z0-9+.-]{0,40}://[^\s/?#@\\]{0,260}", re.IGNORECASE)


class BadOrigin(Refusal):
    status = 403
    code = "bad_origin"
    detail = "The Origin header is no origin."


class BadCredential(Refusal):
    status = 401
    code = "bad_credential"
    detail = "This is no token of ours, or it has expired or was revoked."


class NoSuchStream(Refusal):
    status = 404
    code = "not_found"
    detail = "There is no such stream."


class TooManyConnects(Refusal):
    status = 429
    code = "too_many_connects"
    outcome = "throttled"
    detail = "You open sockets too often; wait a moment."


class InAHurry(NoRoom):
    """So many come for a moment only that requests would wait for them."""


class Reception:
    """``app`` answers the sockets that are let in; it finds in the scope ``socket``, and ``ask``, which runs work in a thread
    of the caller's lane. ``warn`` is told of every caller, ``observers`` of every socket when it is let in or refused, as it
    may stay open for hours. ``switches`` refuses a stream that is switched."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        sockets: Sockets,
        pool: Pool[Any],
        guard: BanGuard,
        strikes: Strikes,
        trusted: Sequence[Network],
        recognise: Recognise,
        warn: Callable[[Caller, float], None],
        observers: Observers,
        switches: Switches = lambda path, credential, now: None,
    ) -> None:
        self.app = app
        self.sockets = sockets
        self.pool = pool
        self.guard = guard
        self.strikes = strikes
        self.trusted = trusted
        self.recognise = recognise
        self.warn = warn
        self.observers = observers
        self.switches = switches
        limits = sockets.limits
        connects = limits.connects, limits.connects_back, limits.connecting_clients
        self.connects_by_token = Buckets(*connects)
        self.connects_by_address = AddressBuckets(*connects)
        self.brief = Buckets(limits.brief, limits.brief_back, 1)  # of all together

    def turn_away(self, scope: Scope) -> Refusal | None:
        """Before the handshake: a plain answer to whoever shows no genuine token, while others need the loop more and such
        sockets come and go."""
        if self.brief.left(ALL) >= 1.0 or not self.pool.is_used_above("anonymous"):
            return None
        try:
            take_credential(scope)
            caller = identify(scope, self.trusted, self.recognise)
        except Refusal:
            return None  # told after the handshake, as all others are
        if caller.token is not None:
            return None
        refusal = InAHurry()
        metrics.count("sockets", refusal.outcome)
        self.observers.tell(scope, caller, lane="sockets", outcome=refusal.outcome, status=refusal.status)
        return refusal

    def _note_brief(self, socket: Socket, began: float) -> None:
        """``socket`` is over. Where the loop is late, one counts for more."""
        limits = self.sockets.limits
        genuine = socket.caller is not None and socket.caller.token is not None
        if not genuine and monotonic() - began < limits.brief_seconds and self.brief.left(ALL) > -limits.brief_debt:
            self.brief.charge(ALL, 1 / self.pool.part)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        outcome, began = "served", monotonic()
        socket: Socket = scope["socket"]
        try:
            await receive()  # websocket.connect
            credential = take_credential(scope)
            caller = self._met(socket, scope, credential)
            await self.app({**scope, "ask": partial(self.ask, caller)}, receive, send)
        except Refusal as refusal:
            outcome = refusal.outcome
            await refuse(socket, send, close_code(refusal), str(refusal.body["detail"]))
        except ClientDisconnected:
            outcome = "hung_up"
        except Exception:
            log.exception("The socket %s failed.", scope["path"])
            outcome = "failed"
            await refuse(socket, send, close_code(ServerFault()), "The server failed; its log says more.")
        metrics.count("sockets", outcome)
        self._note_brief(socket, began)

    def _met(self, socket: Socket, scope: Scope, credential: bytes) -> Caller:
        """Who it is that was let in. Raises a Refusal. Observers are told either way."""
        caller = None
        outcome, status = "served", 101
        try:
            refuse_bad_origin(scope)
            caller = identify(scope, self.trusted, self.recognise)
            self._let_in(socket, scope, credential, caller)
        except Refusal as refusal:
            outcome, status = refusal.outcome, refusal.status
            raise
        finally:
            self.observers.tell(scope, caller, lane="sockets", outcome=outcome, status=status)
        return caller

    def _let_in(self, socket: Socket, scope: Scope, credential: bytes, caller: Caller) -> None:
        """The stops of a socket, in order. Raises a Refusal."""
        now = time()
        self.warn(caller, now)
        self.guard.refuse(caller, "GET", scope["path"], now)
        self.strikes.refuse_if_spent(caller, "GET", scope["path"])
        if not self._may_connect(caller):
            raise TooManyConnects
        if credential and caller.token is None:
            self.strikes.count(BadCredential.status, caller, scope["path"])
            raise BadCredential
        self.switches(scope["path"], credential, now)
        self.sockets.add(socket, caller)

    def _may_connect(self, caller: Caller) -> bool:
        if caller.token is not None:
            return self.connects_by_token.take(caller.token)
        return self.connects_by_address.take(caller.address)

    def _refuse_switched(self, socket: Socket, now: float) -> None:
        scope: Any = socket.scope
        self.switches(scope["path"], take_credential(scope), now)

    async def ask(self, caller: Caller, work: Callable[[], T]) -> T:
        """What ``work`` returns, from a thread of the caller's lane. Raises NoRoom, the refusal of its deadline, or what
        ``work`` raises."""
        lane = "token" if caller.token else "anonymous"
        by = self.pool.deadline_in(lane)
        job = self.pool.offer(partial(within, by, work), lane, client_in(caller), deadline=by)
        try:
            return await job.future
        except Crash as crash:
            raise crash.__cause__ or crash from None
        finally:
            metrics.note_begin(job)

    def close_refused(self) -> None:
        """Closes the open sockets of whoever is banned now, and those of streams that are switched. May be called from any
        thread."""
        now = time()
        self.sockets.close_refused(lambda socket: self._refuse_switched(socket, now))
        self.sockets.close_where(
            lambda socket: socket.caller is not None and self.guard.standing(socket.caller, "GET", "", now) is not None,
            BANNED,
            "This address is banned.",
        )


async def refuse(socket: Socket, send: Send, code: int, reason: str) -> None:
    with contextlib.suppress(ClientDisconnected):
        await socket.open(send)
        socket.end(code, reason)


async def nothing_there(scope: Scope, receive: Receive, send: Send) -> None:
    raise NoSuchStream


def within(by: Deadline, work: Callable[[], T]) -> T:
    with deadline.of_request(by):
        return work()


def refuse_bad_origin(scope: Scope) -> None:
    """A native app sends none; a browser sends one, which must be one."""
    origins = [value for name, value in scope["headers"] if name == b"origin"]
    if len(origins) > 1 or not all(ORIGIN.fullmatch(origin) for origin in origins):
        raise BadOrigin


def take_credential(scope: Scope) -> bytes:
    """The Authorization header, b"" where there is none; ``?token=`` becomes one, and is gone from the query."""
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    sent = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    token = next((value for name, value in query if name == "token"), None)
    if token is None:
        return sent
    rest = [(name, value) for name, value in query if name != "token"]
    scope["query_string"] = urlencode(rest, encoding="latin-1", errors="replace").encode("latin-1")
    if not sent:
        sent = b"Token " + token.encode("latin-1", "replace")
        scope["headers"] = [*scope["headers"], (b"authorization", sent)]
    return sent
