"""One client connection: uvicorn's own protocol, with an end to everything that a client may leave unfinished.

Stock uvicorn waits for ever for the rest of a header, keeps headers of any size, and has no limit on sockets but the
process's own: 230 half-sent headers made it unreachable. Here each stage has a deadline and a size, and where sockets run
short the longest idle goes. None of it costs a thread.
"""

import asyncio
import logging
import resource
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from httptools import HttpParserUpgrade
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from makerlog.env import Network
from makerlog.gate.address import UNIX_PEER, peer_is_trusted
from makerlog.gate.answers import AT_ONCE, PIECE, Answer, Headers, Refusal, new_request_id
from makerlog.gate.backlog import CONNECTION, READER, Reader
from makerlog.gate.body import has_body
from makerlog.gate.level import lockdown
from makerlog.gate.limits import Limits
from makerlog.gate.networks import SITE_CLIENTS, client_of, site_of

log = logging.getLogger("makerlog.connection")
log.setLevel(logging.ERROR)  # what clients send wrong is theirs to know: a flood of it must not fill the log


class Malformed(Refusal):
    detail = "This is not HTTP."


class HeadTimeout(Refusal):
    status = 408
    code = "request_timeout"
    detail = "The request's headers did not arrive in time."


class HeadTooLarge(Refusal):
    status = 431
    code = "headers_too_large"

    def __init__(self, most: int) -> None:
        super().__init__()
        self.detail = f"The request line and headers are larger than {most} bytes together."


class TooManyHeaders(Refusal):
    status = 431
    code = "headers_too_large"

    def __init__(self, most: int) -> None:
        super().__init__()
        self.detail = f"The request has more than {most} headers."


class NoSocket(Refusal):
    detail = "A WebSocket is opened by a GET without a body."


class TwoHosts(Refusal):
    """RFC 9112, 3.2: whoever reads the first and whoever reads the last would not mean the same."""

    detail = "The request has more than one Host header."


class TooManyPieces(Refusal):
    code = "too_many_chunks"
    detail = "The body comes in too many small chunks; send fewer and larger ones."


class Connections:
    """All client connections of this process, sockets and requests alike; those that wait for a request, oldest first.

    ``trusted``: proxies, which hold many connections for many clients: no cap for them, and no ban closes theirs.
    """

    def __init__(self, limits: Limits, trusted: Sequence[Network] = ()) -> None:
        self.limits = limits
        self.trusted = trusted
        self.most = most_connections(limits)
        self.dropped = 0
        self.upgraded = 0  # became WebSockets, which hold descriptors like any other
        self.is_draining = False  # each answer closes its connection
        self._all: dict[Connection, str | None] = {}  # None: a trusted proxy's
        self._idle: dict[Connection, None] = {}
        self._of_peer: Counter[str] = Counter()
        self._of_site: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._all)

    def add(self, connection: "Connection", peer: str) -> bool:
        """False: this peer has as many as one may have, or there is no room and nobody idle."""
        client = None if peer_is_trusted(peer, self.trusted) else client_of(peer or UNIX_PEER)
        if client is not None and self._has_enough(client):
            return False
        if len(self._all) + self.upgraded >= self.most and not self._drop_idle():
            return False
        self._all[connection] = client
        if client is not None:
            self._of_peer[client] += 1
            self._of_site[site_of(client)] += 1
        return True

    def _has_enough(self, client: str) -> bool:
        most = self.limits.connections_per_peer
        return self._of_peer[client] >= most or self._of_site[site_of(client)] >= most * SITE_CLIENTS

    def remove(self, connection: "Connection") -> None:
        client = self._all.pop(connection, None)
        self._idle.pop(connection, None)
        if client is not None:
            for counter, key in ((self._of_peer, client), (self._of_site, site_of(client))):
                counter[key] -= 1
                if not counter[key]:
                    del counter[key]

    def is_idle(self, connection: "Connection", idle: bool) -> None:
        """Whether ``connection`` waits for a request, or for the rest of its head."""
        self._idle.pop(connection, None)
        if idle and connection in self._all:
            self._idle[connection] = None

    def drain(self) -> None:
        """From now on every answer says `Connection: close`. An idle connection stays open: a proxy may be sending a request
        on it at this moment, and sends a POST that was cut off to nobody else."""
        if not self.is_draining:
            self.is_draining = True
            for connection in self._all:
                connection.close_after_answer()

    def close_banned(self, is_banned: Callable[[str], bool]) -> None:
        """Ends connections whose own peer is banned: at once, or with the answer that is under way."""
        for connection, client in list(self._all.items()):
            if client is not None and is_banned(connection.peer):
                HttpToolsProtocol.shutdown(connection)

    def is_proxy(self, connection: "Connection") -> bool:
        return connection in self._all and self._all[connection] is None

    def _drop_idle(self) -> bool:
        """Closes the one that was idle longest; a proxy's only where there is no other."""
        found = next((each for each in self._idle if self._all[each] is not None), None)
        found = found or next(iter(self._idle), None)
        if found is None:
            return False
        self.dropped += 1
        self.remove(found)
        found.transport.abort()
        return True


def most_connections(limits: Limits) -> int:
    """So many that files, the database and Redis find descriptors left."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = limits.connections if descriptors == resource.RLIM_INFINITY else descriptors - limits.descriptors_kept
    return max(16, min(limits.connections, room))


class Connection(HttpToolsProtocol):
    """``app`` is a FrontDoor, whose ``connections`` it joins and whose ``hang_ups`` it counts."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = log
        self.all: Connections = self.app.connections
        self.limits = self.all.limits
        self.peer = ""
        self._head = 0  # bytes of the current message's line, headers and trailers
        self._head_is_complete = False  # what comes after it are trailers, and no header of the request
        self._pieces = self._body_bytes = 0  # of the current message's body, as the parser found them
        self._unparsed = 0  # bytes in pieces of which the parser has made nothing yet
        self._between = False  # two requests: from the first byte on, the next one's head has its deadline
        self._packet = b""  # that is being parsed
        self._at_once = 0  # requests in the packet at hand that were answered without a task
        self._refused = False
        self._answering: RequestResponseCycle | None = None  # `cycle` is the newest, which may wait for this one
        self._unsent = 0  # bytes of its answer that are not written yet
        self._reason: Refusal = Malformed()  # why the parser stops
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    # --- The transport's side ---

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.peer = self.client[0] if self.client else ""
        if not self.all.add(self, self.peer):
            transport.abort()
            return
        transport.set_write_buffer_limits(self.limits.unwatched)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        if self.cycle is not None and not self.cycle.response_complete:
            self.app.hang_ups.count()
        if self._answering is not None:
            # uvicorn tells the newest request only; an older one would write to a closed transport, and log it.
            self._answering.disconnected = True
            self._answering.message_event.set()
            self.app.hung_up(self._answering.scope)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused or self.transport.is_closing():
            return
        self._between = self.timeout_keep_alive_task is not None
        self._unparsed += len(data)
        self._at_once = 0
        self._packet = data
        super().data_received(data)
        self._packet = b""
        if self._between:
            self._wait_for_head()
        if max(self._head, self._unparsed) > self.limits.head:
            self._refuse(HeadTooLarge(self.limits.head))

    def handle_websocket_upgrade(self) -> None:
        path, _, query = self.url.partition(b"?")
        asked: Any = {
            "headers": self.headers,
            "client": self.client,
            "path": path.decode("latin-1"),
            "query_string": query,
        }
        if refusal := self.app.reception.turn_away(asked):
            self._refuse(refusal)
            return
        self._end()
        self.transport.set_write_buffer_limits()
        super().handle_websocket_upgrade()
        parsed = sys.exception()  # by which the parser says where the head of an upgrade ends
        if isinstance(parsed, HttpParserUpgrade) and (behind := self._packet[parsed.args[0] :]):
            protocol: Any = self.transport.get_protocol()
            protocol.data_received(behind)

    def pause_writing(self) -> None:
        """The reader is slow. It may be, as long as something moves and there is memory for what waits."""
        super().pause_writing()
        self._write_timer = self.loop.call_later(self.limits.write_seconds, self.transport.abort)
        self._join_backlog()

    def _join_backlog(self) -> None:
        scope: Any = self._answering.scope if self._answering else {}
        reader = scope.get(READER) or Reader(client_of(self.peer or UNIX_PEER), False)
        self.app.backlog.wait(self, reader, self.transport.get_write_buffer_size() + self._unsent)

    def shutdown(self) -> None:
        """The server stops: it accepts nobody any more, and waits for its connections. A proxy's that is idle has a moment
        for the request that may be on its way."""
        self.all.drain()
        if self._is_answering() or not self.all.is_proxy(self):
            super().shutdown()
        else:
            self.loop.call_later(self.limits.idle_stop_seconds, super().shutdown)

    def close_after_answer(self) -> None:
        """Where the head of the answer is on its way, the next one says it."""
        if self._is_answering() and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def cut_off(self) -> None:
        if self._answering is not None:
            self._answering.disconnected = True  # else uvicorn would log that its answer was not finished
        self.transport.abort()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.app.backlog.forget(self)
        if self._write_timer is not None:
            self._write_timer.cancel()

    # --- The parser's side ---

    def on_message_begin(self) -> None:
        self._head = self._pieces = self._body_bytes = 0
        self._head_is_complete = False
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._head += len(url)
        self._unparsed = 0
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head += len(name) + len(value) + 4
        self._unparsed = 0
        if self._head_is_complete:
            return  # a trailer: it would speak for a request that was admitted without it
        if len(self.headers) >= self.limits.headers:
            self._stop_parsing(TooManyHeaders(self.limits.headers))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._between = False
        self._head_is_complete = True
        self._stop_waiting()
        self._unparsed = 0
        if self._head > self.limits.head:
            self._stop_parsing(HeadTooLarge(self.limits.head))
        if max(len(self.pipeline), self._at_once) >= self.limits.pipelined:
            self._stop_parsing(Malformed())  # in the middle of another answer: it is told nothing
        if sum(name == b"host" for name, _ in self.headers) > 1:
            self._stop_parsing(TwoHosts())
        if self._opens_socket() and not self._may_open_socket():
            self._stop_parsing(NoSocket())
        super().on_headers_complete()

    def _opens_socket(self) -> bool:
        return self.parser.should_upgrade() and self._should_upgrade()

    def _may_open_socket(self) -> bool:
        """Stock uvicorn waits for the body of one for ever, and then answers nothing."""
        return self.parser.get_method() == b"GET" and not has_body({"headers": self.headers})

    def _stop_parsing(self, reason: Refusal) -> None:
        self._reason = reason
        raise ValueError("the parser stops here, and send_400_response says why")

    def on_body(self, body: bytes) -> None:
        """One chunk, or as much of a body as came at once. Each takes as long as a kilobyte: they are counted as they are
        found, so that one packet of tiny ones ends here too."""
        self._unparsed = 0
        self._pieces += 1
        self._body_bytes += len(body)
        if self._pieces > self.limits.pieces + self._body_bytes // self.limits.piece:
            self._stop_parsing(TooManyPieces())
        super().on_body(body)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """A task only for what the door does not answer at once; a reader that is slow is waited for in one."""
        self._answering = cycle
        self._unsent = 0
        if self.all.is_draining:
            cycle.keep_alive = False
        # Where the connection stays, the parser passes over a body that nobody waits for; who asked first sends none.
        stays = cycle.keep_alive and not cycle.waiting_for_100_continue
        answer = None if self.flow.write_paused else self.app.greet(cycle.scope, passes_over=stays)
        if answer is None:
            cycle.scope[AT_ONCE] = partial(self._answer, cycle)  # type: ignore[literal-required]
            cycle.scope[CONNECTION] = self  # type: ignore[literal-required]
            in_task = partial(super()._start_asgi_task, cycle, app)
            if self.flow.write_paused or not self.app.begin(cycle.scope, in_task):
                in_task()
        elif not self.transport.is_closing():
            self._at_once += 1
            self._complete(cycle, answer)

    def _answer(self, cycle: RequestResponseCycle, answer: Answer) -> bool:
        """Sends all of ``answer`` at once, where that can be: whether it could."""
        if cycle.disconnected or cycle.response_started or self.transport.is_closing():
            return False
        if self.flow.write_paused or len(answer.body) > PIECE:
            return False
        self._complete(cycle, answer)
        return True

    def note_unsent(self, size: int) -> None:
        self._unsent = size
        if self.flow.write_paused and not self.transport.is_closing():
            self._join_backlog()

    def _complete(self, cycle: RequestResponseCycle, answer: Answer) -> None:
        """Sends ``answer`` in one piece, and leaves ``cycle`` as its own ``send`` would."""
        cycle.response_started = cycle.response_complete = True
        cycle.scope.pop(AT_ONCE, None)  # type: ignore[misc]  # leads back to the cycle
        cycle.scope.pop(CONNECTION, None)  # type: ignore[misc]
        cycle.waiting_for_100_continue = False
        cycle.message_event.set()
        close = [] if cycle.keep_alive else [(b"connection", b"close")]
        self.transport.write(on_the_wire(answer, [*self.server_state.default_headers, *close]))
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self.all.is_idle(self, self.timeout_keep_alive_task is not None)

    def send_400_response(self, msg: str) -> None:
        self._refuse(HeadTooLarge(self.limits.head) if self._head > self.limits.head else self._reason)

    # --- Deadlines ---

    def _wait_for_head(self) -> None:
        self._stop_waiting()
        self.all.is_idle(self, True)
        self._head_timer = self.loop.call_later(self.limits.head_seconds, self._head_is_late)

    def _stop_waiting(self) -> None:
        self.all.is_idle(self, False)
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._refuse(HeadTimeout())

    def _refuse(self, refusal: Refusal) -> None:
        """Answers what never became a request, and closes: with a moment for the client to read it, for closing on bytes
        that are still coming would reset the connection."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        if self.cycle is not None and not self.cycle.response_complete and not self._forget_unread():
            self.transport.abort()  # in the middle of another answer
            return
        self.transport.write(
            on_the_wire(refusal.answer(new_request_id()), [lockdown.header, (b"connection", b"close")])
        )
        self.transport.write_eof()
        self.loop.call_later(self.limits.linger, self.transport.abort)

    def _forget_unread(self) -> bool:
        """Whether the request under way could be given up, as if its client were gone: nothing was begun for it, for its body
        is not here yet."""
        cycle = self.cycle
        if self.pipeline or cycle.response_started or not cycle.more_body:
            return False
        cycle.disconnected = True
        cycle.message_event.set()
        return True

    def _end(self) -> None:
        self._stop_waiting()
        self.resume_writing()
        self.all.remove(self)


def on_the_wire(answer: Answer, more: Headers) -> bytes:
    """``answer`` in HTTP/1.1, with ``more`` headers."""
    lines = [name + b": " + value for name, value in [*more, *answer.headers]]
    return STATUS_LINE[answer.status] + b"\r\n".join([*lines, b"", answer.body])
