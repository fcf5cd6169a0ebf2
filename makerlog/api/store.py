"""The connection to Redis that a process's limits and cache share, and what keeps a Redis that is away from holding us up."""

import logging
import select
import socket
import threading
import time
from typing import Any

import hiredis
import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError
from redis.retry import Retry

from makerlog.gate.fibres import Own, need_thread, wait_for

logger = logging.getLogger("makerlog.store")

CONNECT_S = 0.1
ANSWER_S = 0.15  # twice that and a connection's greeting stay well below half a second
PROBE_EVERY_S = 1.0
READ_BYTES = 4_096


def client(url: str, *, connect: float = CONNECT_S, answer: float = ANSWER_S) -> redis.Redis:
    """Asks once: by itself the client would try three times more. ``connect`` and ``answer``: patience, in seconds. Each
    connection keeps as much memory as it reads at once, 64 KiB unless it is told otherwise."""
    return redis.Redis.from_url(
        url,
        socket_timeout=answer,
        socket_connect_timeout=connect,
        socket_read_size=READ_BYTES,
        retry=Retry(NoBackoff(), 0),
    )


redis_client = client(settings.REDIS_URL)


class Line:
    """Connections for one command at a time, one for each thread and each fibre."""

    def __init__(self, client: redis.Redis) -> None:
        self.mine = Own(lambda: Wire(client))

    def ask(self, *command: Any) -> Any:
        """Raises RedisError."""
        return self.mine().ask(command)


class Wire:
    """The client opens it; from then on it is spoken to by hand, for the client's way to it and back takes twice as long as
    the command, and a socket that has a time-out asks whether it may before each step. Nothing is sent twice."""

    def __init__(self, client: redis.Redis) -> None:
        self.connection = client.connection_pool.make_connection()
        self.stands = False

    def ask(self, command: tuple[Any, ...]) -> Any:
        if not (self.stands and self.is_clear()):
            need_thread(self.connect)
            self.connect()
        self.stands = False  # until it has answered
        try:
            self.say(hiredis.pack_command(command))
            answer = self.heard()
        except OSError as error:  # a TimeoutError is one
            raise redis.ConnectionError(f"no answer: {error!r}") from error
        self.stands = True
        if isinstance(answer, hiredis.ReplyError):
            raise (NoScriptError if str(answer).startswith("NOSCRIPT") else redis.ResponseError)(str(answer))
        return answer

    def connect(self) -> None:
        self.stands = False
        self.connection.disconnect()
        self.connection.connect()
        self.socket: socket.socket = self.connection._sock  # type: ignore[attr-defined]
        self.socket.setblocking(False)
        self.reader = hiredis.Reader()
        self.poller = select.poll()
        self.poller.register(self.socket, select.POLLIN)
        self.stands = True

    def is_clear(self) -> bool:
        """Whether nothing waits to be read: Redis may have hung up since."""
        return not self.poller.poll(0)

    def say(self, packed: bytes) -> None:
        """Nothing of ours lies in the socket before it, since all that came before was answered: it goes whole or not."""
        if self.socket.send(packed) < len(packed):
            raise redis.ConnectionError("Redis takes nothing more.")

    def heard(self) -> Any:
        while (answer := self.reader.gets()) is False:  # Redis says nothing that is read as False
            if not wait_for(self.socket.fileno(), select.POLLIN, ANSWER_S):
                raise TimeoutError
            if not (data := self.socket.recv(READ_BYTES)):
                raise redis.ConnectionError("Redis hung up.")
            self.reader.feed(data)
        return answer


class Breaker:
    """Opens at the first failure: from then on nobody waits for Redis, but for one probe a second."""

    def __init__(self, name: str) -> None:
        """``name``: what works without Redis meanwhile, for the log."""
        self.name = name
        self.closed = True
        self.lock = threading.Lock()
        self.next_probe = 0.0

    def open(self, error: Exception) -> None:
        with self.lock:
            first, self.closed = self.closed, False
            self.next_probe = time.monotonic() + PROBE_EVERY_S
        if first:
            logger.warning("Redis does not answer (%s); %s goes on without it.", error, self.name)

    def may_probe(self) -> bool:
        """Whether it is this caller who finds out if Redis is back."""
        with self.lock:
            if self.closed or time.monotonic() < self.next_probe:
                return False
            self.next_probe = time.monotonic() + PROBE_EVERY_S
            return True

    def close(self) -> None:
        with self.lock:
            first, self.closed = not self.closed, True
        if first:
            logger.warning("Redis answers again; %s uses it.", self.name)
