"""Hands events to the sockets of this process: one subscription, one task, and no work per socket but writing.

A frame is made once. What comes in quick succession is written together, at most ten times a second, so that however
much is told, the loop spends a bounded share on it. With Redis away sockets stay open and hear nothing; the hub finds back
by itself.
"""

import asyncio
import contextlib
import logging
from typing import Any

import redis.asyncio
from django.conf import settings
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from makerlog.gate.socket import Socket, text_frame
from makerlog.live.events import channel_name, unpacked

logger = logging.getLogger("makerlog.live")

GATHER_S = 0.1
MOST_AT_ONCE = 64 * 1024  # bytes for one stream in GATHER_S, and one frame always; the rest is lost, and counted
TURN = 200  # sockets that are written to before others have their turn on the loop
RETRY_S = 0.5
CONNECT_S = 1.0
SILENCE_S = 5.0  # after which Redis is asked whether it is there; twice in vain, and the connection is made anew


class Hub:
    """A service of the front door's. ``connected``: whether it hears of events now."""

    def __init__(self, url: str, channel: str) -> None:
        self.url = url
        self.channel = channel
        self.connected = False
        self.lost = 0  # frames that were too many for their stream
        self._followers: dict[str, dict[Socket, None]] = {}
        self._waiting: dict[str, list[bytes]] = {}
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

    def join(self, stream: str, socket: Socket) -> None:
        self._followers.setdefault(stream, {})[socket] = None

    def leave(self, stream: str, socket: Socket) -> None:
        followers = self._followers.get(stream, {})
        followers.pop(socket, None)
        if not followers:
            self._followers.pop(stream, None)

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
        """Once each time that Redis goes away or comes back."""
        if connected != self.connected and error:
            logger.warning("Redis does not answer; sockets hear nothing until it does: %s", error)
        self.connected = connected

    # --- To the sockets ---

    def hear(self, message: bytes) -> None:
        """Keeps what somebody here follows until it is handed out."""
        for streams, text in unpacked(message):
            followed = [stream for stream in streams if stream in self._followers]
            if not followed:
                continue
            data = text_frame(text)
            for stream in followed:
                self._keep(stream, data)
            self._wake.set()

    def _keep(self, stream: str, data: bytes) -> None:
        waiting = self._waiting.setdefault(stream, [])
        if waiting and sum(map(len, waiting)) + len(data) > MOST_AT_ONCE:
            self.lost += 1
        else:
            waiting.append(data)

    async def _hand_out(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            waiting, self._waiting = self._waiting, {}
            for stream, frames in waiting.items():
                await self._write(stream, b"".join(frames))
            await asyncio.sleep(GATHER_S)

    async def _write(self, stream: str, data: bytes) -> None:
        unread = 0
        for number, socket in enumerate(list(self._followers.get(stream, {})), 1):
            unread += socket.deliver(data)
            socket.all.unread = unread
            if number % TURN == 0:
                await asyncio.sleep(0)


hub = Hub(settings.REDIS_URL, channel_name())
