"""One client's WebSocket: uvicorn's own protocol, with an end to everything that a client may do or leave undone; and all
of them together, so that whoever is banned or revoked is found among the open ones.

No socket has a queue or a task of its own for what it is sent: an event is one frame of bytes, written to the transports
of all who follow it. A reader that does not take what it is sent is cut off; nothing is kept for it.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

from starlette.types import Send
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State

from makerlog.gate.answers import Refusal, new_request_id
from makerlog.gate.buckets import Bucket
from makerlog.gate.caller import Caller
from makerlog.gate.connection import Connections, Malformed, on_the_wire
from makerlog.gate.frames import FrameScanner
from makerlog.gate.lanes import client_in
from makerlog.gate.level import lockdown
from makerlog.gate.networks import SITE_CLIENTS, site_of

log = logging.getLogger("makerlog.socket")
log.setLevel(logging.CRITICAL)  # what clients send wrong is theirs to know: a flood of it must not fill the log

GOING_AWAY = 1001
FAULT = 1011
CREDENTIAL = 4401
BANNED = 4403
TOO_MANY = 4429
LONGEST_REASON = 120  # bytes; the wire takes 123


class TooManySockets(Refusal):
    status = 429
    code = "too_many_sockets"
    outcome = "throttled"
    detail = "You have too many sockets open; close some of them first."


class NoRoomForSockets(Refusal):
    status = 503
    code = "busy"
    outcome = "shed"
    detail = "The server has no room for another socket; try again in a moment."


def close_code(refusal: Refusal) -> int:
    """What a socket is closed with where a request would be answered so."""
    return FAULT if refusal.status == 500 else 4000 + refusal.status


def text_frame(text: bytes) -> bytes:
    """What goes over the wire, the same for every socket: servers do not mask, and nothing is compressed."""
    return Frame(Opcode.TEXT, text).serialize(mask=False)


class Place(NamedTuple):
    """Of whom a socket is. ``site``: "" for one with a genuine token, which stands for itself wherever it comes from."""

    client: Hashable
    site: str


class Sockets:
    """All WebSockets of this process that were let in. Used on the event loop, but for ``close_where`` and ``of_makers``."""

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self.limits = connections.limits
        self.most = min(self.limits.sockets, connections.most * 3 // 4)
        self.most_anonymous = max(1, self.most // 2)
        self.dropped = 0  # readers that were too slow
        self.evicted = 0  # anonymous ones that made room
        self.unread = 0  # bytes that all had not taken at the last look
        self.loop: asyncio.AbstractEventLoop | None = None
        self._all: dict[Socket, Place] = {}
        self._anonymous: dict[Socket, None] = {}  # the oldest first
        self._of_client: Counter[Hashable] = Counter()
        self._of_site: Counter[str] = Counter()
        self._of_maker: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._all)

    def add(self, socket: "Socket", caller: Caller) -> None:
        """Raises TooManySockets or NoRoomForSockets."""
        place = Place(client_in(caller), "" if caller.token else site_of(caller.address))
        most = self.limits.sockets_per_client
        if self._of_client[place.client] >= most or (place.site and self._of_site[place.site] >= most * SITE_CLIENTS):
            raise TooManySockets
        if len(self._all) >= self.most or (place.site and len(self._anonymous) >= self.most_anonymous):
            self._evict_oldest_anonymous()
        self.loop = socket.loop
        socket.caller = caller
        self._all[socket] = place
        self._of_client[place.client] += 1
        if place.site:
            self._anonymous[socket] = None
            self._of_site[place.site] += 1

    def _evict_oldest_anonymous(self) -> None:
        """Raises NoRoomForSockets where there is none. Its place is free at once, though its end may take a moment."""
        oldest = next(iter(self._anonymous), None)
        if oldest is None:
            raise NoRoomForSockets
        self.evicted += 1
        self.remove(oldest)
        oldest.end(close_code(NoRoomForSockets()), NoRoomForSockets.detail)

    def belongs(self, socket: "Socket", maker: int) -> None:
        """``socket`` is this maker's. Raises TooManySockets."""
        if self._of_maker[maker] >= self.limits.sockets_per_maker:
            raise TooManySockets
        socket.maker = maker
        self._of_maker[maker] += 1

    def remove(self, socket: "Socket") -> None:
        place = self._all.pop(socket, None)
        if place is None:
            return
        _take_one(self._of_client, place.client)
        if place.site:
            del self._anonymous[socket]
            _take_one(self._of_site, place.site)
        if socket.maker is not None:
            _take_one(self._of_maker, socket.maker)

    def tokens(self) -> set[str]:
        """The public ids of the tokens that sockets were opened with. May be called from any thread."""
        return {socket.caller.token for socket in list(self._all) if socket.caller and socket.caller.token}

    def makers(self) -> set[int]:
        """May be called from any thread."""
        return {socket.maker for socket in list(self._all) if socket.maker is not None}

    def close_refused(self, refuse: Callable[["Socket"], None]) -> None:
        """Closes the sockets for which ``refuse`` raises a Refusal, in its words. May be called from any thread."""
        if self.loop is not None and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._close_refused, refuse)

    def _close_refused(self, refuse: Callable[["Socket"], None]) -> None:
        for socket in list(self._all):
            try:
                refuse(socket)
            except Refusal as refusal:
                socket.end(close_code(refusal), str(refusal.body["detail"]))

    def close_where(self, condition: Callable[["Socket"], bool], code: int, reason: str) -> None:
        """Closes the sockets of which ``condition`` is true. May be called from any thread."""
        if self.loop is not None and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._close_where, condition, code, reason)

    def _close_where(self, condition: Callable[["Socket"], bool], code: int, reason: str) -> None:
        for socket in list(self._all):
            if condition(socket):
                socket.end(code, reason)

    @property
    def most_unread(self) -> int:
        """Bytes that one socket may leave unread."""
        short = self.unread > self.limits.unread_in_all
        return self.limits.unread // 8 if short else self.limits.unread


def _take_one(counter: Counter[Any], key: Hashable) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]


class Socket(WebSocketsSansIOProtocol):
    """``app`` is a FrontDoor. Whoever answers the socket finds this in its scope, as ``socket``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        app: Any = self.app
        self.logger = self.conn.logger = log
        self.all: Sockets = app.sockets
        self.limits = self.all.limits
        self.close_timeout = self.limits.close_seconds
        self.caller: Caller | None = None
        self.maker: int | None = None  # whose token it is, once the database has been asked
        self._expiry: asyncio.TimerHandle | None = None
        self._ended: tuple[int, str] | None = None  # before it was open
        self._scanner = FrameScanner()
        self._frames = Bucket(self.limits.messages, self.limits.messages_back)
        self._bytes = Bucket(self.limits.received, self.limits.received_back)
        self._early = b""  # sent before the handshake was answered

    @property
    def is_open(self) -> bool:
        return self.conn.state is State.OPEN and self.handshake_complete and not self.transport.is_closing()

    async def open(self, send: Send) -> None:
        """Accepts it; what ended it in the meantime closes it at once."""
        if not self.handshake_complete:
            await send({"type": "websocket.accept"})
        if self._ended is not None:
            self.end(*self._ended)
        early, self._early = self._early, b""
        if early:
            self._take(early)

    # --- What is sent ---

    async def send(self, message: Any) -> None:
        """Raises ClientDisconnected where the socket has ended meanwhile, which uvicorn takes for a fault of the app's."""
        await self.writable.wait()
        if self.close_sent:
            raise ClientDisconnected
        await super().send(message)

    def deliver(self, frame: bytes) -> int:
        """Sends a whole frame, as ``text_frame`` makes it, and says how many bytes the reader has yet to take."""
        if not self.is_open:
            return 0
        unread = self.transport.get_write_buffer_size()
        if unread and unread + len(frame) > self.all.most_unread:
            self.all.dropped += 1
            self.transport.abort()
            return 0
        self.transport.write(frame)
        return unread

    def end(self, code: int, reason: str = "") -> None:
        """Closes from our side, one that is not open yet as soon as it is. Whoever does not answer the close in time is cut
        off."""
        if not self.is_open:
            self._ended = self._ended or (code, reason)
            return
        reason = reason.encode()[:LONGEST_REASON].decode(errors="ignore")
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self._cut_off_soon()

    def end_at(self, seconds: float) -> None:
        """So long from now the token that opened it expires."""
        self._expiry = self.loop.call_later(max(0.0, seconds), self.end, CREDENTIAL, "This token has expired.")

    def shutdown(self) -> None:
        """The server stops: not all at once, or all would be back at once."""
        seconds = random.uniform(0, self.limits.socket_stop_seconds)  # noqa: S311
        self.loop.call_later(seconds, self._go_away)

    def _go_away(self) -> None:
        self.end(GOING_AWAY, "The server is restarting; come back.")
        if not self.handshake_complete:
            self.transport.close()

    # --- The transport's side ---

    def connection_made(self, transport: Any) -> None:
        self.all.connections.upgraded += 1
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.all.connections.upgraded -= 1
        self.all.remove(self)
        if self._expiry is not None:
            self._expiry.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if not self.handshake_initiated:
            self._shake_hands(data)
            return
        self._bytes.charge(max(len(data), self.limits.least_received), self.loop.time())
        if self.handshake_complete:
            self._take(data)
        else:
            self._keep_early(data)

    async def run_asgi(self) -> None:
        scope: Any = self.scope
        scope["socket"] = self
        await super().run_asgi()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()

    def _cut_off_soon(self) -> None:
        if self.close_timer is None:
            self.close_timer = self.loop.call_later(self.close_timeout, self.transport.abort)

    # --- What is received ---

    def _shake_hands(self, head: bytes) -> None:
        """The head of the request, which the connection has read and found to be HTTP."""
        try:
            super().data_received(head)
        except ValueError:  # uvicorn takes a path for ASCII
            self.handshake_initiated = False
        if not self.handshake_initiated:
            close = [lockdown.header, (b"connection", b"close")]
            self.transport.write(on_the_wire(Malformed().answer(new_request_id()), close))
            self.transport.close()

    def _keep_early(self, data: bytes) -> None:
        """What comes before the handshake is answered is parsed after that. Few clients send anything so early."""
        self._early += data
        if len(self._early) > self.limits.message or self._bytes.left(self.loop.time()) < 0:
            self.transport.abort()

    def _take(self, data: bytes) -> None:
        """Parses what the client may send, and nothing once either side has said the end."""
        now = self.loop.time()
        self._frames.charge(self._scanner.count(data, self._frames.left(now)), now)
        if min(self._frames.left(now), self._bytes.left(now)) < 0:
            self._stop_listening()
        elif not self.is_open:
            if self._scanner.saw_close:
                self.transport.close()
        else:
            super().data_received(data)
            if self.transport.get_write_buffer_size() > self.all.most_unread:  # whoever pings and reads no answer
                self.transport.abort()
        if self.transport.is_closing():
            self._cut_off_soon()  # closing waits for a reader to take what is left, for ever if need be

    def _stop_listening(self) -> None:
        """The client is over its budget: nothing more is read. It finds the close, and is cut off soon."""
        if self.is_open:
            self.end(TOO_MANY, "Too many messages.")
        self.read_paused = False  # or uvicorn would read on once its queue is empty
        self.transport.pause_reading()
