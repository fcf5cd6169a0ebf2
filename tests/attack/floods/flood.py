"""One flood at a stated rate, in a process of its own: `python -m tests.attack.floods.flood '{"port": 8000, ...}'`.

One epoll loop on plain sockets, so that an attacker who shares two cores with what it attacks takes little of them. The
flood ends by itself: after ``seconds``, at SIGTERM, or when whoever started it is gone. Prints one line of JSON, a Flooded.
"""

import contextlib
import errno
import json
import os
import re
import select
import signal
import socket
import struct
import sys
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlencode

from tests.attack.floods.targets import ADMIN, COSTLY, LOG_IN, LONG_TEXTS, SOCKETS, VAIN

PATIENCE_S = 10.0  # then a request counts as timed out, and its connection is closed
TICK_S = 0.002
SERVED = "23"  # a 101 is not: a socket is opened to whoever asks, and then told what it may
SHED = ("503", "429")
LOOPBACK = "127."
NUMBER = "{number}"  # in a path: what no other client asks for, so that nobody is answered with what another was
IP_BIND_ADDRESS_NO_PORT = 24  # Linux: many connections from one address to one port
LONGEST_REPLY = 20_000  # characters
JSON = "Content-Type: application/json\r\n"
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # leaves no connection in TIME_WAIT
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="(\w+)"')
COOKIE = re.compile(rb"(?i)\r\nset-cookie: (csrftoken=\w+)")


@dataclass(frozen=True)
class Plan:
    """``rate``: requests a second that are offered, 0 for as fast as they are answered; ``addresses``: of the clients, as
    the proxies at ``sources`` forward them, by turns."""

    port: int
    connections: int
    seconds: float
    target: str
    paths: list[str]
    addresses: list[str]
    rate: float = 0.0
    keep_alive: bool = True
    sources: list[str] = field(default_factory=lambda: ["127.0.0.1"])
    username: str = ""
    token: str = ""


@dataclass
class Flooded:
    """``offered``: what the rate asks for; ``unsent``: of these, where every connection still waited for its answer."""

    seconds: float
    offered: int
    unsent: int
    unfinished: int
    outcomes: dict[str, int]  # by status, or by what went wrong
    processor: float  # seconds of it that this process took

    @property
    def served(self) -> int:
        return sum(count for name, count in self.outcomes.items() if name[0] in SERVED)

    @property
    def answered(self) -> int:
        return sum(count for name, count in self.outcomes.items() if name.isdigit())

    def rate(self, count: int) -> float:
        return count / self.seconds

    def of(self, *statuses: int) -> int:
        return sum(self.outcomes.get(str(status), 0) for status in statuses)

    def __str__(self) -> str:
        parts = {"offered": self.offered, "served": self.served, "shed": self.of(503), "throttled": self.of(429)}
        parts["not sent, all connections waiting"] = self.unsent
        other = {name: count for name, count in self.outcomes.items() if name[0] not in SERVED and name not in SHED}
        rates = [f"{name} {self.rate(count):.0f}/s" for name, count in {**parts, **other}.items() if count]
        return ", ".join([*rates, f"{self.unfinished} unanswered at the end"])


class Client:
    """One of the attacker's connections, and what a browser would remember of it."""

    __slots__ = ("address", "cookie", "csrf", "head", "need", "received", "request", "sent_at", "socket")

    def __init__(self) -> None:
        self.socket: socket.socket | None = None
        self.request = b""  # what is not sent yet
        self.sent_at = 0.0
        self.received = b""
        self.need = 0  # bytes of the whole answer; 0 as long as it is not known, -1 where only the end tells
        self.csrf = self.cookie = ""
        self.address = ""


class Flood:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.parent = os.getppid()
        self.over = False
        self.epoll = select.epoll()
        self.clients = [Client() for _ in range(plan.connections)]
        self.idle = deque(self.clients)
        self.busy: dict[int, Client] = {}
        self.outcomes: Counter[str] = Counter()
        self.sent = 0
        self.offered = 0
        fixed = 0 if plan.target in (COSTLY, VAIN) else len(plan.paths) * len(plan.addresses)
        self.templates = [self.request_for(n) for n in range(fixed)]

    def run(self) -> Flooded:
        began = now = time.monotonic()
        end, looked = began + self.plan.seconds, began
        while now < end and not self.over and os.getppid() == self.parent:
            self.offer(now - began)
            for number, event in self.epoll.poll(TICK_S):
                self.heed(self.busy.get(number), event)
            now = time.monotonic()
            if now - looked > 0.5:
                looked = now
                self.give_up(now - PATIENCE_S)
        unfinished = sum(client.sent_at > 0 for client in self.busy.values())
        unsent = self.offered - self.sent
        return Flooded(now - began, self.offered, unsent, unfinished, dict(self.outcomes), time.process_time())

    def stop(self, *signalled: object) -> None:
        self.over = True

    def offer(self, seconds: float) -> None:
        """What is due by now; what finds no idle connection is not made up for later."""
        due = int(seconds * self.plan.rate) - self.offered if self.plan.rate else len(self.idle)
        self.offered += due
        for _ in range(min(due, len(self.idle))):
            self.sent += 1
            self.begin(self.idle.popleft())

    # --- One request ---

    def begin(self, client: Client) -> None:
        client.request = self.next_request(client)
        client.sent_at = time.monotonic()
        if client.socket is None and not self.connect(client):
            return
        self.send(client)

    def connect(self, client: Client) -> bool:
        """False: refused at once, which is counted."""
        made = socket.socket()
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        client.socket = made
        self.busy[made.fileno()] = client
        self.epoll.register(made, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
        with contextlib.suppress(BlockingIOError):
            try:
                made.bind((self.plan.sources[self.sent % len(self.plan.sources)], 0))
                made.connect(("127.0.0.1", self.plan.port))
            except OSError as error:
                if error.errno == errno.EINPROGRESS:
                    raise BlockingIOError from error
                self.end(client, failure(error))
                return False
        return True

    def send(self, client: Client) -> None:
        assert client.socket is not None
        try:
            count = client.socket.send(client.request)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            if error.errno not in (errno.ENOTCONN, errno.EAGAIN):
                self.end(client, failure(error))
            return
        client.request = client.request[count:]

    def heed(self, client: Client | None, event: int) -> None:
        if client is None or client.socket is None:
            return
        if client.request and event & select.EPOLLOUT:
            self.send(client)
        if client.socket is not None and event & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
            self.receive(client)

    def receive(self, client: Client) -> None:
        while client.socket is not None:
            try:
                data = client.socket.recv(262_144)
            except BlockingIOError:
                return
            except OSError as error:
                self.end(client, failure(error))
                return
            client.received += data
            if not data:
                self.closed(client)
                return
            if self.is_whole(client):
                self.answered(client)
                return

    def is_whole(self, client: Client) -> bool:
        if not client.need:
            head = client.received.find(b"\r\n\r\n")
            if head < 0:
                return False
            length = LENGTH.search(client.received, 0, head + 2)
            client.need = head + 4 + int(length[1]) if length else self.need_without_length(client, head)
        return 0 < client.need <= len(client.received)

    def need_without_length(self, client: Client, head: int) -> int:
        """A WebSocket that was opened has no end; other answers end with the connection."""
        return head + 4 if client.received.startswith(b"HTTP/1.1 101") else -1

    def closed(self, client: Client) -> None:
        if client.need == -1:
            self.answered(client)
        elif client.sent_at:
            self.end(client, "reset")
        else:
            self.drop(client)  # an idle one: nobody waited for anything

    def answered(self, client: Client) -> None:
        status = client.received[9:12].decode("latin-1")
        if self.plan.target == ADMIN:
            self.remember(client)
        goes_on = self.plan.keep_alive and client.need > 0 and self.plan.target != SOCKETS
        self.end(client, status, keep=goes_on and b"connection: close" not in client.received[: client.need].lower())

    def end(self, client: Client, outcome: str, *, keep: bool = False) -> None:
        self.outcomes[outcome] += 1
        client.sent_at, client.received, client.need, client.request = 0.0, b"", 0, b""
        if not keep:
            self.drop(client)
        self.idle.append(client)

    def drop(self, client: Client) -> None:
        if client.socket is not None:
            del self.busy[client.socket.fileno()]
            client.socket.close()
            client.socket = None

    def give_up(self, before: float) -> None:
        for client in [each for each in self.busy.values() if 0 < each.sent_at < before]:
            self.end(client, "timeout")

    # --- What is asked ---

    def next_request(self, client: Client) -> bytes:
        if self.plan.target == ADMIN and client.csrf:
            return self.form_of(client)
        if self.plan.target in (COSTLY, VAIN):
            return self.with_token(self.sent)
        number = self.sent % len(self.templates)
        client.address = self.plan.addresses[number % len(self.plan.addresses)]
        return self.templates[number]

    def request_for(self, number: int) -> bytes:
        plan = self.plan
        path, address = plan.paths[number // len(plan.addresses)], plan.addresses[number % len(plan.addresses)]
        path = path.replace(NUMBER, str(number))
        if plan.target == LOG_IN:
            body = json.dumps({"username": plan.username, "password": f"guess {number}"})
            return self.message("POST", path, address, body, JSON)
        if plan.target == LONG_TEXTS:
            body = json.dumps({"body": f"{number:04}{'a' * (LONGEST_REPLY - 4)}"})
            return self.message("POST", path, address, body, f"{JSON}Authorization: Token {plan.token}\r\n")
        return self.message("GET", path, address, more=UPGRADE if plan.target == SOCKETS else "")

    def with_token(self, number: int) -> bytes:
        """A path of these is "METHOD path token". What is posted names projects that there are not yet."""
        method, path, token = self.plan.paths[number % len(self.plan.paths)].split(" ")
        tasks = [{"content": " ".join(f"#n{number}t{task}x{tag}" for tag in range(10))} for task in range(50)]
        body = json.dumps(tasks) if method == "POST" else ""
        more = f"{JSON if body else ''}Authorization: Token {token}\r\n"
        return self.message(method, path, self.plan.addresses[0], body, more)

    def form_of(self, client: Client) -> bytes:
        """The admin's form, filled in as a browser would; the page it came on is used up."""
        fields = {"csrfmiddlewaretoken": client.csrf, "username": self.plan.username, "password": "guess"}
        more = f"Cookie: {client.cookie}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        client.csrf = ""
        return self.message("POST", self.plan.paths[0], client.address, urlencode(fields), more)

    def message(self, method: str, path: str, address: str, body: str = "", more: str = "") -> bytes:
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        close = "" if self.plan.keep_alive or self.plan.target == SOCKETS else "Connection: close\r\n"
        host = f"Host: 127.0.0.1:{self.plan.port}\r\nX-Forwarded-For: {address}\r\n"
        return f"{method} {path} HTTP/1.1\r\n{host}User-Agent: flood\r\n{more}{close}{length}\r\n{body}".encode()

    def remember(self, client: Client) -> None:
        token, cookie = TOKEN.search(client.received), COOKIE.search(client.received)
        if token and cookie:
            client.csrf, client.cookie = token[1].decode(), cookie[1].decode()


def failure(error: OSError) -> str:
    return "refused connect" if error.errno == errno.ECONNREFUSED else "reset"


UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def main(text: str) -> None:
    given: dict[str, Any] = json.loads(text)
    plan = Plan(**given)
    if not all(source.startswith(LOOPBACK) for source in plan.sources):
        raise SystemExit("A flood stays within 127.0.0.0/8.")
    flood = Flood(plan)
    signal.signal(signal.SIGTERM, flood.stop)
    print(json.dumps(asdict(flood.run())))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
