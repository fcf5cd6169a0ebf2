"""Open WebSockets, in a process of their own: `python -m tests.attack.floods.listeners '{"port": 8000, ...}'`.

Says "open" once all that can be are, then listens until its input ends, or for ``seconds`` at most. Prints one line of
JSON: for each socket a Heard. Moments are those of the machine's monotonic clock.
"""

import asyncio
import contextlib
import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

OPENED_AT_ONCE = 50
OPEN_LATE_S = 10.0
TEXT, CLOSE, PING = 0x1, 0x8, 0x9
PONG = b"\x8a\x80\x00\x00\x00\x00"  # empty, and masked as a client's frames are
MARK = re.compile(rb"mark-\d+")


@dataclass(frozen=True)
class Plan:
    """``addresses``: one for each socket, as the proxies at ``sources`` forward it."""

    port: int
    seconds: float
    path: str
    addresses: list[str]
    sources: list[str]


@dataclass
class Heard:
    """``marks``: when a frame with each mark came; ``code`` 0 with ``closed_at``: cut off without a word."""

    address: str
    opened: bool = False
    closed_at: float | None = None
    code: int = 0
    marks: dict[str, float] = field(default_factory=dict)


class Listener(asyncio.Protocol):
    def __init__(self, plan: Plan, heard: Heard) -> None:
        self.plan = plan
        self.heard = heard
        self.received = b""
        self.settled = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        head = f"GET {self.plan.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.plan.port}\r\n"
        upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        key = f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Forwarded-For: {self.heard.address}\r\n\r\n"
        transport.write(f"{head}{upgrade}{key}".encode())

    def data_received(self, data: bytes) -> None:
        self.received += data
        if not self.heard.opened:
            head, end, rest = self.received.partition(b"\r\n\r\n")
            if not end:
                return
            self.heard.opened, self.received = head.startswith(b"HTTP/1.1 101"), rest
            self.settle()
        for kind, payload in self.frames():
            self.take(kind, payload, time.monotonic())

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """The server's whole frames: never masked, and short enough for a length of two bytes."""
        while len(self.received) >= 4 or (len(self.received) >= 2 and self.received[1] < 126):
            size, start = self.received[1], 2
            if size == 126:
                size, start = int.from_bytes(self.received[2:4]), 4
            if len(self.received) < start + size:
                return
            frame, self.received = self.received[: start + size], self.received[start + size :]
            yield frame[0] & 0x0F, frame[start:]

    def take(self, kind: int, payload: bytes, now: float) -> None:
        if kind == PING:
            self.transport.write(PONG)
        elif kind == CLOSE:
            self.heard.code = int.from_bytes(payload[:2])
            self.heard.closed_at = now
            self.transport.abort()
        elif kind == TEXT:
            for mark in MARK.findall(payload):
                self.heard.marks.setdefault(mark.decode(), now)

    def connection_lost(self, error: Exception | None) -> None:
        self.heard.closed_at = self.heard.closed_at or time.monotonic()
        self.settle()

    def settle(self) -> None:
        if not self.settled.done():
            self.settled.set_result(None)


async def listen(plan: Plan) -> list[Heard]:
    all_heard = [Heard(address) for address in plan.addresses]
    turns = asyncio.Semaphore(OPENED_AT_ONCE)

    async def open_one(number: int, heard: Heard) -> None:
        async with turns:
            source = plan.sources[number % len(plan.sources)]
            loop = asyncio.get_running_loop()
            try:
                async with asyncio.timeout(OPEN_LATE_S):
                    _, listener = await loop.create_connection(
                        lambda: Listener(plan, heard), "127.0.0.1", plan.port, local_addr=(source, 0)
                    )
                    await listener.settled
            except (OSError, TimeoutError):
                heard.closed_at = time.monotonic()

    end = time.monotonic() + plan.seconds
    await asyncio.gather(*(open_one(number, heard) for number, heard in enumerate(all_heard)))
    print("open", flush=True)  # noqa: T201
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(end_of_input(), max(0.0, end - time.monotonic()))
    return all_heard


async def end_of_input() -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
    await ended.wait()


def main(text: str) -> None:
    heard = asyncio.run(listen(Plan(**json.loads(text))))
    print(json.dumps([asdict(each) for each in heard]))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
