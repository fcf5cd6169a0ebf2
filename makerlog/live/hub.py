"""Hands events to the sockets of this process: one subscription, one task, and no work per socket but writing.

A frame is made once. What comes in quick succession is written together, at most ten times a second, so that however
much is told, the loop spends a bounded share on it. With Redis away sockets stay open and hear nothing; the hub finds back
by itself. Whatever was lost on the way is said by one ``resync`` frame, which names what to read again by REST.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any

import redis.asyncio
from django.conf import settings
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from makerlog.gate.socket import Socket, text_frame
from makerlog.live.events import EVERY_STREAM, RESYNC, channel_name, frame, unpack_events

logger = logging.getLogger("makerlog.live")

GATHER_S = 0.1
MOST_AT_ONCE = 64 * 1024  # bytes for one stream in GATHER_S, and one frame always; the rest is lost, counted and said
# From the first reason for a resync to its frame. Answers are shared for a second: whoever read sooner would read old ones.
RESYNC_AFTER_S = 1.0
RESYNC_EVERY_S = 3.0  # at most, on one stream: each sends all who follow it to read
TURN = 200  # sockets that are written to before others have their turn on the loop
RETRY_S = 0.5
CONNECT_S = 1.0
SILENCE_S = 5.0  # after which Redis is asked whether it is there; twice in vain, and the connection is made anew


class Waiting:
    """What one stream's followers are yet to be written: MOST_AT_ONCE bytes, and one frame always."""

    def __init__(self) -> None:
        self.frames: list[tuple[str, bytes]] = []  # source and data, in order
        self._bytes: Counter[str] = Counter()  # of each source

    def add(self, source: str, data: bytes) -> int:
        """How many frames were lost to make room: of the source that has most here, its newest first. So a few makers who
        post much lose their own events and nobody else's."""
        self.frames.append((source, data))
        self._bytes[source] += len(data)
        lost = 0
        while len(self.frames) > 1 and self._bytes.total() > MOST_AT_ONCE:
            self._drop(max(self._bytes, key=lambda each: self._bytes[each]))
            lost += 1
        return lost

    def _drop(self, source: str) -> None:
        newest = next(at for at in reversed(range(len(self.frames))) if self.frames[at][0] == source)
        _, data = self.frames.pop(newest)
        self._bytes[source] -= len(data)

    @property
    def data(self) -> bytes:
        return b"".join(data for _, data in self.frames)


class Resyncs:
    """The streams whose followers are to read again, and when they are told."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}  # by stream
        self._said: dict[str, float] = {}

    def add(self, stream: str, now: float) -> None:
        if stream not in self._due:
            self._due[stream] = max(now + RESYNC_AFTER_S, self._said.get(stream, now) + RESYNC_EVERY_S)

    def take(self, now: float) -> list[str]:
        """Those that are due."""
        due = [stream for stream, at in self._due.items() if at <= now]
        for stream in due:
            del self._due[stream]
            self._said[stream] = now
        return due

    def forget(self, stream: str) -> None:
        """Nobody follows it any more."""
        self._due.pop(stream, None)
        self._said.pop(stream, None)

    def next_in(self, now: float) -> float | None:
        """Seconds; None where there is none."""
        return max(0.0, min(self._due.values()) - now) if self._due else None


class Hub:
    """A service of the front door's. ``connected``: whether it hears of events now."""

    def __init__(self, url: str, channel: str) -> None:
        self.url = url
        self.channel = channel
        self.listeners: dict[str, Callable[[bytes], None]] = {}  # of streams that this process follows itself
        self.connected = False
        self.lost = 0  # frames that were too many for their stream
        self._followers: dict[str, dict[Socket, None]] = {}
        self._waiting: dict[str, Waiting] = {}
        self._resyncs = Resyncs()
        self._resync_frames: dict[str, bytes] = {}  # of the streams that are followed
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._tasks = [self._loop.create_task(self._listen()), self._loop.create_task(self._hand_out())]

    def stop(self) -> None:
        """Called in a thread, while the loop still runs."""
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(CONNECT_S)

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- Who follows what ---

    def join(self, stream: str, socket: Socket, paths: Collection[str] = ()) -> None:
        """``paths``: where REST answers what the stream shows."""
        self._followers.setdefault(stream, {})[socket] = None
        self._resync_frames.setdefault(stream, text_frame(frame(RESYNC, {"read": [*paths]})))

    def leave(self, stream: str, socket: Socket) -> None:
        followers = self._followers.get(stream, {})
        followers.pop(socket, None)
        if not followers:
            self._followers.pop(stream, None)
            self._resync_frames.pop(stream, None)
            self._resyncs.forget(stream)

    def streams(self) -> list[str]:
        """That somebody here follows. May be called from any thread."""
        return list(self._followers)

    def close(self, stream: str, maker: int | None, code: int, reason: str) -> None:
        """Closes what this maker has open of ``stream``; None: what anybody has. May be called from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._close, stream, maker, code, reason)

    def _close(self, stream: str, maker: int | None, code: int, reason: str) -> None:
        for socket in list(self._followers.get(stream, {})):
            if maker in (None, socket.maker):
                socket.end(code, reason)

    # --- From Redis ---

    async def _listen(self) -> None:
        while True:
            try:
                await self._follow()
            except (redis.RedisError, OSError) as error:
                self._say(connected=False, error=error)
            except Exception:  # what is on the channel must not end the task that hears of it
                logger.exception("The hub stumbled; it goes on.")
            await asyncio.sleep(RETRY_S)

    async def _follow(self) -> None:
        once = Retry(NoBackoff(), 0)
        async with contextlib.AsyncExitStack() as stack:
            client = await stack.enter_async_context(
                redis.asyncio.Redis.from_url(self.url, socket_connect_timeout=CONNECT_S, retry=once)
            )
            pubsub = await stack.enter_async_context(client.pubsub())
            async with asyncio.timeout(2 * CONNECT_S):
                await pubsub.subscribe(self.channel)
            await self._hear(pubsub)

    async def _hear(self, pubsub: Any) -> None:
        """Until the connection is lost, or Redis has said nothing for too long."""
        silent = 0
        while silent < 2:
            message = await pubsub.get_message(timeout=SILENCE_S)
            if message is None:
                silent += 1
                await pubsub.ping()
                continue
            silent = 0
            if message["type"] == "subscribe":
                self._say(connected=True)
            elif message["type"] == "message":
                self.hear(message["data"])
        raise redis.TimeoutError("it is silent")

    def _say(self, *, connected: bool, error: Exception | None = None) -> None:
        """Once each time that Redis goes away or comes back. Nobody knows what was told in between."""
        if connected and not self.connected:
            self._resync([EVERY_STREAM])
        if connected != self.connected and error:
            logger.warning("Redis does not answer; sockets hear nothing until it does: %s", error)
        self.connected = connected

    # --- To the sockets ---

    def hear(self, message: bytes) -> None:
        """Keeps what somebody here follows until it is handed out."""
        for event in unpack_events(message):
            for listener in filter(None, map(self.listeners.get, event.streams)):
                listener(event.text)
            if event.is_resync:
                self._resync(event.streams)
                continue
            followed = [stream for stream in event.streams if stream in self._followers]
            if not followed:
                continue
            data = text_frame(event.text)
            for stream in followed:
                self._keep(stream, event.source, data)
            self._wake.set()

    def _keep(self, stream: str, source: str, data: bytes) -> None:
        if lost := self._waiting.setdefault(stream, Waiting()).add(source, data):
            self.lost += lost
            self._resync([stream])

    def _resync(self, streams: Collection[str]) -> None:
        now = asyncio.get_running_loop().time()
        for stream in self._followers if EVERY_STREAM in streams else streams:
            if stream in self._followers:
                self._resyncs.add(stream, now)
        self._wake.set()

    async def _hand_out(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._resyncs.next_in(loop.time())):
                    await self._wake.wait()
            self._wake.clear()
            waiting, self._waiting = self._waiting, {}
            for stream, frames in waiting.items():
                await self._write(stream, frames.data)
            for stream in self._resyncs.take(loop.time()):
                await self._write(stream, self._resync_frames.get(stream, b""))
            await asyncio.sleep(GATHER_S)

    async def _write(self, stream: str, data: bytes) -> None:
        unread = 0
        for number, socket in enumerate(list(self._followers.get(stream, {})), 1):
            unread += socket.deliver(data)
            socket.all.unread = unread
            if number % TURN == 0:
                await asyncio.sleep(0)


hub = Hub(settings.REDIS_URL, channel_name())
