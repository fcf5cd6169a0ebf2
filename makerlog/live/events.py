"""What happened, told to the sockets of every process once it is committed.

A stream is a name: ``tasks``, ``maker:7``, ``maker:7:own``. Whoever tells an event decides there and then, from the row in
its transaction, which streams may hear of it; a socket follows one stream, and is let in to those it may follow. So
nothing is asked per event and socket.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
import redis
from django.conf import settings
from django.db import transaction
from prometheus_client import Counter

from makerlog.api.renderers import written
from makerlog.api.store import Breaker, client

# One PUBLISH goes over a connection that is there already; a Redis that has not taken it by then is away.
PATIENCE_S = 0.025
LOST = Counter("makerlog_events_lost", "Transactions whose events reached no socket, for Redis was away.")


@dataclass(frozen=True)
class Event:
    """``kind``: the type of its frame. ``payload``: plain data. ``streams``: who hears of it; nobody twice."""

    kind: str
    payload: Any
    streams: tuple[str, ...]


def publish(*events: Event) -> None:
    """Tells ``events`` when the transaction commits. Nothing here fails the request: what Redis does not take is lost, and
    counted; sockets ask for what they missed (task.sync)."""
    heard = [event for event in events if event.streams]
    if heard:
        transaction.on_commit(partial(publisher.send, packed(heard)), robust=True)


def frame(kind: str, payload: Any, **more: Any) -> bytes:
    """What a client reads."""
    return written({"type": kind, "payload": payload, **more})


def packed(events: Iterable[Event]) -> bytes:
    """Two lines an event: its streams and its frame. JSON holds no line break."""
    lines = [line for event in events for line in (orjson.dumps(event.streams), frame(event.kind, event.payload))]
    return b"\n".join(lines)


def unpacked(message: bytes) -> Iterator[tuple[list[str], bytes]]:
    """The streams and the frame of each event."""
    lines = message.split(b"\n")
    for streams, text in zip(lines[::2], lines[1::2], strict=True):
        yield orjson.loads(streams), text


class Publisher:
    """Speaks to Redis from the thread that committed: one round trip, and no more than a moment where Redis is away."""

    def __init__(self, connection: redis.Redis, channel: str) -> None:
        self.connection = connection
        self.channel = channel
        self.breaker = Breaker("writing")

    def send(self, message: bytes) -> None:
        if self.breaker.closed or self.breaker.may_probe():
            try:
                self.connection.publish(self.channel, message)
            except redis.RedisError as error:
                self.breaker.open(error)
            else:
                self.breaker.close()
                return
        LOST.inc()


def channel_name() -> str:
    """Channels are shared by all databases of a Redis: another service there must not hear ours."""
    return f"makerlog:live:{hashlib.sha256(settings.SECRET_KEY.encode()).hexdigest()[:16]}"


publisher = Publisher(client(settings.REDIS_URL, connect=PATIENCE_S, answer=PATIENCE_S), channel_name())
