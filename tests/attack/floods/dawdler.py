"""Clients that hold on to sockets and bodies, in a process of their own: `python -m ...dawdler '{"port": 8000, ...}'`.

Each is opened anew when the service ends it, as an attacker would. It stops by itself. Prints one line of JSON: for each
kind how many were held at the end, how often one was opened, and what the service answered.
"""

import contextlib
import errno
import json
import os
import random
import socket
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

TICK_S = 0.1
KIB = 1024
UPLOAD = 10 * KIB * KIB
REOPENED_A_TICK = 50  # of all together, so that it does not become a flood of connections
MULTIPART = (
    "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {length}\r\n\r\n--b\r\n"
    'Content-Disposition: form-data; name="content"\r\n\r\n'
)


@dataclass(frozen=True)
class Plan:
    """``kinds``: how many of each of KINDS. ``large``: the path of a large answer; ``token``: a genuine one."""

    port: int
    seconds: float
    kinds: dict[str, int]
    token: str
    large: list[str]
    sources: list[str] = field(default_factory=lambda: [f"127.0.0.{n}" for n in range(16, 32)])


class Dawdler:
    """One socket. ``begin`` is what it sends at once, ``goes_on`` what each tick."""

    window = 0  # bytes the kernel takes for it; 0: as many as it likes
    sends_every = 1  # ticks
    reads_every = 1
    one_source = False  # whether all of a kind come from one address

    def __init__(self, plan: Plan, number: int) -> None:
        self.plan = plan
        self.number = number
        self.socket: socket.socket | None = None
        self.pending = b""

    def begin(self) -> bytes:
        return b""

    def goes_on(self) -> bytes:
        return b""

    def reads(self) -> int:
        """Bytes it takes in a tick."""
        return 4096

    def host(self) -> str:
        return f"Host: 127.0.0.1:{self.plan.port}\r\n"


class Silent(Dawdler):
    reads_every = 10


class HalfHead(Dawdler):
    sends_every = 10

    def begin(self) -> bytes:
        return f"GET /tasks/ HTTP/1.1\r\n{self.host()}X-Half: ".encode()

    def goes_on(self) -> bytes:
        return b"x"


class Upload(Dawdler):
    """64 KiB a second of 10 MiB, with a genuine token: nobody else's are read at all."""

    def begin(self) -> bytes:
        head = MULTIPART.format(length=UPLOAD)
        return f"POST /tasks/ HTTP/1.1\r\n{self.host()}Authorization: Token {self.plan.token}\r\n{head}".encode()

    def goes_on(self) -> bytes:
        return b"x" * int(64 * KIB * TICK_S)


class Chunked(Dawdler):
    def begin(self) -> bytes:
        kind = "Content-Type: application/json\r\nTransfer-Encoding: chunked"
        return f"POST /tasks/ HTTP/1.1\r\n{self.host()}{kind}\r\n\r\n".encode()

    def goes_on(self) -> bytes:
        return b"1000\r\n" + b" " * 4096 + b"\r\n"


class SlowReader(Dawdler):
    window = 4096
    reads_every = 10

    def begin(self) -> bytes:
        path = self.plan.large[self.number % len(self.plan.large)]
        return f"GET {path} HTTP/1.1\r\n{self.host()}\r\n".encode()

    def reads(self) -> int:
        return 256


class UnreadAnswers(Dawdler):
    """Asks for one large answer after another and reads none: all of them wait in memory."""

    window = 4096
    sends_every = 10
    reads_every = 1_000_000

    def begin(self) -> bytes:
        return f"GET {self.plan.large[0]} HTTP/1.1\r\n{self.host()}\r\n".encode() * 4

    def goes_on(self) -> bytes:
        return self.begin()


class UnreadFiles(Dawdler):
    """All of them from one address, whose share of the places they would take."""

    window = 4096
    reads_every = 10
    one_source = True

    def begin(self) -> bytes:
        return f"GET {self.plan.large[-1]} HTTP/1.1\r\n{self.host()}\r\n".encode()

    def reads(self) -> int:
        return 256


class TinyChunks(Dawdler):
    """Chunks of one byte, 60 KB at a time, with a token that is none."""

    def begin(self) -> bytes:
        kind = "Content-Type: application/json\r\nAuthorization: Token made-up\r\nTransfer-Encoding: chunked"
        return f"POST /tasks/ HTTP/1.1\r\n{self.host()}{kind}\r\n\r\n".encode() + self.goes_on()

    def goes_on(self) -> bytes:
        return b"1\r\n \r\n" * 10_000


KINDS = {
    "silent": Silent,
    "half-heads": HalfHead,
    "uploads": Upload,
    "chunked": Chunked,
    "slow readers": SlowReader,
    "unread answers": UnreadAnswers,
    "unread files": UnreadFiles,
    "tiny chunks": TinyChunks,
}


class Dawdling:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.parent = os.getppid()
        self.all = [(kind, KINDS[kind](plan, n)) for kind, count in plan.kinds.items() for n in range(count)]
        self.counts: dict[str, Counter[str]] = {kind: Counter() for kind in plan.kinds}

    def run(self) -> dict[str, dict[str, int]]:
        end, tick = time.monotonic() + self.plan.seconds, 0
        while time.monotonic() < end and os.getppid() == self.parent:
            due = time.monotonic() + TICK_S
            self.tick(tick)
            tick += 1
            time.sleep(max(0.0, due - time.monotonic()))
        held = Counter(kind for kind, dawdler in self.all if dawdler.socket is not None)
        return {kind: {"held at the end": held[kind], **counts} for kind, counts in self.counts.items()}

    def tick(self, tick: int) -> None:
        for kind, dawdler in self.all:
            if dawdler.socket is not None:
                self.poke(kind, dawdler, tick + dawdler.number)
        closed = [(kind, dawdler) for kind, dawdler in self.all if dawdler.socket is None]
        random.shuffle(closed)  # so that the many of one kind leave room for the few of another
        for kind, dawdler in closed[:REOPENED_A_TICK] if tick else closed:
            self.open(kind, dawdler)

    def open(self, kind: str, dawdler: Dawdler) -> None:
        made = socket.socket()
        made.setblocking(False)
        if dawdler.window:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, dawdler.window)
        self.counts[kind]["opened"] += 1
        dawdler.socket, dawdler.pending = made, dawdler.begin()
        try:
            source = 0 if dawdler.one_source else dawdler.number % len(self.plan.sources)
            made.bind((self.plan.sources[source], 0))
            made.connect(("127.0.0.1", self.plan.port))
        except BlockingIOError:
            return
        except OSError:
            self.end(kind, dawdler, "refused connect")

    def poke(self, kind: str, dawdler: Dawdler, tick: int) -> None:
        try:
            self.send(dawdler, tick)
            if tick % dawdler.reads_every == 0:
                self.read(kind, dawdler)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOTCONN:  # that one is on its way still
                self.end(kind, dawdler, "reset")

    def send(self, dawdler: Dawdler, tick: int) -> None:
        if not dawdler.pending and tick % dawdler.sends_every == 0:
            dawdler.pending = dawdler.goes_on()
        if dawdler.pending and dawdler.socket is not None:
            with contextlib.suppress(BlockingIOError):
                dawdler.pending = dawdler.pending[dawdler.socket.send(dawdler.pending) :]

    def read(self, kind: str, dawdler: Dawdler) -> None:
        data = dawdler.socket.recv(dawdler.reads()) if dawdler.socket else b""
        if data.startswith(b"HTTP/1.1 "):
            self.counts[kind][data[9:12].decode("latin-1")] += 1
        if not data:
            self.end(kind, dawdler, "closed")

    def end(self, kind: str, dawdler: Dawdler, why: str) -> None:
        self.counts[kind][why] += 1
        assert dawdler.socket is not None
        dawdler.socket.close()
        dawdler.socket = None


def main(text: str) -> None:
    plan = Plan(**json.loads(text))
    if not all(source.startswith("127.") for source in plan.sources):
        raise SystemExit("A flood stays within 127.0.0.0/8.")
    print(json.dumps(Dawdling(plan).run()))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
