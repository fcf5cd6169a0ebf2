"""`make bench`: what it costs to tell many sockets, and to hold them."""

import asyncio
import time
from typing import Any, cast

import pytest
import redis
import uvloop

from makerlog.live.events import Event, channel_name, packed
from tasks.events import EVERYBODY
from tests.benchmarks import servers
from tests.benchmarks.board import Board, Row
from tests.benchmarks.data import GIVEN, Community
from tests.benchmarks.servers import Server
from tests.benchmarks.size import SIZE
from tests.benchmarks.test_speed import ADDRESSES

pytestmark = pytest.mark.bench
A_SECOND = 100  # events told
MARK = b'"type":"task.created"'
PATIENCE = 20.0  # seconds
HANDSHAKE = (
    "GET /explore/stream/ HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nX-Forwarded-For: {address}\r\n\r\n"
)


class Follower(asyncio.Protocol):
    """Counts the tasks that it is told of, and looks at nothing else."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.heard = 0
        self.tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(HANDSHAKE.format(address=self.address).encode())

    def data_received(self, data: bytes) -> None:
        text = self.tail + data
        self.heard += text.count(MARK)
        self.tail = text[1 - len(MARK) :]


class Crowd:
    """Sockets that follow the stream of all tasks, each from an address of its own."""

    def __init__(self, server: Server, store: "redis.Redis", task: Any) -> None:
        self.server = server
        self.store = store
        self.message = packed([Event("task.created", task, (EVERYBODY,))])
        self.followers: list[Follower] = []

    @property
    def heard(self) -> int:
        return sum(each.heard for each in self.followers)

    def tell(self) -> None:
        self.store.publish(channel_name(), self.message)

    async def gather(self) -> None:
        """Until all have heard something."""
        loop = asyncio.get_running_loop()
        for address in ADDRESSES[: SIZE.sockets]:
            _, follower = await loop.create_connection(lambda at=address: Follower(at), "127.0.0.1", self.server.port)
            self.followers.append(follower)
        async with asyncio.timeout(PATIENCE):
            while not all(each.heard for each in self.followers):
                self.tell()
                await asyncio.sleep(0.2)
        await self.quiet()

    async def quiet(self) -> None:
        """Until nobody hears anything for half a second."""
        before = -1
        while before < self.heard:
            before = self.heard
            await asyncio.sleep(0.5)

    async def listen(self, seconds: float) -> tuple[int, int, float]:
        """How many messages were heard, how many there were, and the CPU that the server took for it."""
        before, cpu, began = self.heard, self.server.cpu(), time.monotonic()
        told = int(seconds * A_SECOND)
        for number in range(told):
            await asyncio.sleep(began + number / A_SECOND - time.monotonic())
            self.tell()
        await self.quiet()
        return self.heard - before, told * len(self.followers), self.server.cpu() - cpu

    async def rounds(self) -> tuple[list[tuple[int, int, float]], int]:
        """What each round was, and the memory of the worker while all are there."""
        try:
            await self.gather()
            return [await self.listen(SIZE.seconds) for _ in range(SIZE.rounds)], self.server.memory()
        finally:
            for each in self.followers:
                each.transport.abort()
            await asyncio.sleep(0.1)


def test_a_crowd_of_sockets_is_told(community: Community, table: Board, settings: Any) -> None:
    settings.SECRET_KEY = GIVEN["SECRET_KEY"]  # the channel is named after it
    server = servers.ours(community.variables)
    try:
        server.wait("/health")
        task = server.ask("GET", f"/tasks/{community.facts.tasks[0]}/")[1]
        empty = server.memory()
        with redis.Redis.from_url(community.variables["REDIS_URL"]) as store:
            crowd = Crowd(server, store, task)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                rounds, full = runner.run(crowd.rounds())
        kept = (full - empty) / len(crowd.followers) / 1024
    finally:
        server.stop()
    heard, there_were, cpu = (sum(each) for each in zip(*rounds, strict=True))
    work = f"WebSocket fan-out, {SIZE.sockets:,} sockets"
    details = {"heard": heard, "told": there_were, "bytes": len(crowd.message)}
    table.add(Row(work, "messages a second of CPU", by_cpu=heard / cpu, unit="", details=details))
    table.add(Row(f"memory of a socket, of {SIZE.sockets:,}", "frames under way included", measured=kept, unit=" KiB"))
