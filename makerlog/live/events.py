"""What happened, told to the sockets of every process once it is committed.

A stream is a name: ``tasks``, ``maker:7``, ``maker:7:own``. Whoever tells an event decides there and then, from the row in
its transaction, which streams may hear of it; a socket follows one stream, and is let in to those it may follow. So
nothing is asked per event and socket.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import orjson
import redis
from django.conf import settings
from django.db import transaction
from prometheus_client import Counter

from makerlog.api.renderers import written
from makerlog.api.store import Breaker, client

# One PUBLISH goes over a connection that is there already; a Redis that has not taken it by then is away.
PATIENCE_S = 0.025
RESYNC = "resync"  # the type of the frame that says: more changed than is told one by one, read again by REST
EVERY_STREAM = "*"
SOURCE = "from:"  # before the source of an event, which travels among the names of its streams
MOST_OWED = 1_000  # streams; beyond that it is all of them
LOST = Counter("makerlog_events_lost", "Transactions whose events reached no socket, for Redis was away.")


@dataclass(frozen=True)
class Event:
    """``kind``: the type of its frame. ``payload``: plain data. ``streams``: who hears of it; nobody twice. ``source``: the
    maker whose doing it is; where there is too much for a stream, whoever has most of it loses first."""

    kind: str
    payload: Any
    streams: tuple[str, ...]
    source: int = 0


def publish(*events: Event) -> None:
    """Tells ``events`` when the transaction commits. Nothing here fails the request: what Redis does not take is lost, and
    counted; sockets ask for what they missed (task.sync)."""
    heard = [event for event in events if event.streams]
    if heard:
        transaction.on_commit(partial(publisher.send, packed(heard)), robust=True)


def resync(streams: Iterable[str]) -> None:
    """Has whoever follows these read again by REST, once the transaction has committed: for changes of many rows at once.
    What to read is known where the streams are followed (see live.hub)."""
    publish(Event(RESYNC, {}, tuple(dict.fromkeys(streams))))


def frame(kind: str, payload: Any, **more: Any) -> bytes:
    """What a client reads."""
    return written({"type": kind, "payload": payload, **more})


def packed(events: Iterable[Event]) -> bytes:
    """Two lines an event: its streams with its source, and its frame. JSON holds no line break."""
    lines: list[bytes] = []
    for event in events:
        source = [f"{SOURCE}{event.source}"] if event.source else []
        lines += orjson.dumps([*event.streams, *source]), frame(event.kind, event.payload)
    return b"\n".join(lines)


class Unpacked(NamedTuple):
    """An event as it comes from Redis. ``source``: "" where it is nobody's."""

    streams: list[str]
    source: str
    text: bytes

    @property
    def is_resync(self) -> bool:
        return self.text == RESYNC_TEXT


def unpack_events(message: bytes) -> Iterator[Unpacked]:
    lines = message.split(b"\n")
    for names, text in zip(lines[::2], lines[1::2], strict=True):
        streams = orjson.loads(names)
        source = streams.pop() if streams and streams[-1].startswith(SOURCE) else ""
        yield Unpacked(streams, source, text)


RESYNC_TEXT = frame(RESYNC, {})


class Publisher:
    """Speaks to Redis from the thread that committed: one round trip, and no more than a moment where Redis is away.

    Streams whose events Redis did not take are told to read again as soon as it takes one. A thread that fails at the
    moment when another succeeds may have its streams told at the next event only.
    """

    def __init__(self, connection: redis.Redis, channel: str) -> None:
        self.connection = connection
        self.channel = channel
        self.breaker = Breaker("writing")
        self._owed: set[str] = set()

    def send(self, message: bytes) -> None:
        if self.breaker.closed or self.breaker.may_probe():
            owed, self._owed = self._owed, set()
            try:
                self.connection.publish(self.channel, with_resync(message, owed))
            except redis.RedisError as error:
                self._owe(owed)
                self.breaker.open(error)
            else:
                self.breaker.close()
                return
        LOST.inc()
        self._owe({stream for event in unpack_events(message) for stream in event.streams})

    def _owe(self, streams: set[str]) -> None:
        owed = self._owed | streams
        self._owed = {EVERY_STREAM} if EVERY_STREAM in owed or len(owed) > MOST_OWED else owed


def with_resync(message: bytes, streams: set[str]) -> bytes:
    if not streams:
        return message
    return b"\n".join([message, packed([Event(RESYNC, {}, tuple(sorted(streams)))])])


def channel_name() -> str:
    """Channels are shared by all databases of a Redis: another service there must not hear ours."""
    return f"makerlog:live:{hashlib.sha256(settings.SECRET_KEY.encode()).hexdigest()[:16]}"


publisher = Publisher(client(settings.REDIS_URL, connect=PATIENCE_S, answer=PATIENCE_S), channel_name())
