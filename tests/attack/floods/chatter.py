"""WebSockets that write frames as fast as they are taken, in a process of their own: `python -m ...chatter '{"port": ...}'`.

Each socket is opened anew when the service ends it. Stops by itself. Prints one line of JSON: how many frames and bytes were
taken, how often a socket was opened, and how each ended.
"""

import asyncio
import json
import os
import struct
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

MASK = b"\0\0\0\0"  # which leaves a payload as it is
WRITTEN_AT_ONCE = 64 * 1024
REOPEN_S = 0.05
OPEN_LATE_S = 10.0
CLOSE = 0x8


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True) -> bytes:
    """As a client writes one; of less than 64 KiB."""
    size = len(payload)
    length = bytes([size | 0x80 * masked]) if size < 126 else bytes([126 | 0x80 * masked]) + struct.pack("!H", size)
    return bytes([opcode | 0x80 * fin]) + length + MASK * masked + payload


FRAMES = {
    "pongs": frame(0xA),
    "pings": frame(0x9),
    "long pings": frame(0x9, b"x" * 125),
    "texts": frame(0x1, b"{}"),
    "binary": frame(0x2),
    "fragments": frame(0x1, fin=False) + frame(0x0) * 1_000,
    "closes": frame(0x8),
    "unmasked": frame(0xA, masked=False),
    "reserved": frame(0xF),
    "syncs": frame(0x1, b'{"type":"task.sync","payload":{"last_date":"2020-01-01T00:00:00Z"}}'),
}


@dataclass(frozen=True)
class Plan:
    """``frames``: the kinds, one of FRAMES for each socket in turn; ``addresses``: what proxies at ``sources`` forward."""

    port: int
    seconds: float
    path: str
    sockets: int
    frames: list[str]
    addresses: list[str]
    sources: list[str] = field(default_factory=lambda: ["127.0.0.1"])


@dataclass
class Chatter:
    plan: Plan
    bytes_taken: int = 0
    frames_taken: int = 0
    ends: Counter[str] = field(default_factory=Counter)

    async def run(self) -> None:
        end = time.monotonic() + self.plan.seconds
        await asyncio.gather(*(self.keep_open(number, end) for number in range(self.plan.sockets)))

    async def keep_open(self, number: int, end: float) -> None:
        parent = os.getppid()
        while time.monotonic() < end and os.getppid() == parent:
            try:
                async with asyncio.timeout_at(asyncio.get_running_loop().time() + end - time.monotonic()):
                    self.ends[await self.talk(number)] += 1
            except TimeoutError:
                self.ends["held to the end"] += 1
            except OSError:
                self.ends["reset"] += 1
            await asyncio.sleep(REOPEN_S)

    async def talk(self, number: int) -> str:
        """Until the service ends it: the status of a refused handshake, the code of a close, or "cut off"."""
        plan = self.plan
        source = (plan.sources[number % len(plan.sources)], 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", plan.port, local_addr=source)
        try:
            writer.write(self.handshake(plan.addresses[number % len(plan.addresses)]))
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 101"):
                return head[9:12].decode()
            self.ends["opened"] += 1
            return await self.flood(reader, writer, FRAMES[plan.frames[number % len(plan.frames)]])
        except (OSError, asyncio.IncompleteReadError):
            return "cut off"
        finally:
            writer.transport.abort()

    async def flood(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, frames: bytes) -> str:
        chunk = frames * max(1, WRITTEN_AT_ONCE // len(frames))
        code = asyncio.ensure_future(closed_with(reader))
        try:
            while not code.done():
                writer.write(chunk)
                await asyncio.wait({asyncio.ensure_future(writer.drain()), code}, return_when=asyncio.FIRST_COMPLETED)
                self.bytes_taken += len(chunk)
                self.frames_taken += len(chunk) // len(frames)
            return await code
        finally:
            code.cancel()

    def handshake(self, address: str) -> bytes:
        lines = [
            f"GET {self.plan.path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.plan.port}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            f"X-Forwarded-For: {address}",
        ]
        return "\r\n".join([*lines, "", ""]).encode()


async def closed_with(reader: asyncio.StreamReader) -> str:
    """The code of the close frame that comes, as text; "cut off" where none does."""
    try:
        while True:
            first, size = await reader.readexactly(2)
            if size == 126:
                size = int.from_bytes(await reader.readexactly(2))
            elif size == 127:
                size = int.from_bytes(await reader.readexactly(8))
            payload = await reader.readexactly(size)
            if first & 0x0F == CLOSE:
                return str(int.from_bytes(payload[:2]))
    except (OSError, asyncio.IncompleteReadError):
        return "cut off"


def main(text: str) -> None:
    plan = Plan(**json.loads(text))
    if not all(source.startswith("127.") for source in plan.sources):
        raise SystemExit("A flood stays within 127.0.0.0/8.")
    chatter = Chatter(plan)
    asyncio.run(chatter.run())
    print(json.dumps({"bytes": chatter.bytes_taken, "frames": chatter.frames_taken, "ends": chatter.ends}))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
