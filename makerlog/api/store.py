"""The connection to Redis that a process's limits and cache share, and what keeps a Redis that is away from holding us up."""

import logging
import threading
import time
from typing import Any

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = logging.getLogger("makerlog.store")

CONNECT_S = 0.1
ANSWER_S = 0.15  # twice that and a connection's greeting stay well below half a second
PROBE_EVERY_S = 1.0


def client(url: str, *, connect: float = CONNECT_S, answer: float = ANSWER_S) -> redis.Redis:
    """Asks once: by itself the client would try three times more. ``connect`` and ``answer``: patience, in seconds."""
    once = Retry(NoBackoff(), 0)
    return redis.Redis.from_url(url, socket_timeout=answer, socket_connect_timeout=connect, retry=once)


redis_client = client(settings.REDIS_URL)


class Line(threading.local):
    """A connection of each thread's own, for one command at a time: the client's way to it and back takes twice as long as
    the command. Nothing is sent twice."""

    def __init__(self, client: redis.Redis) -> None:
        self.connection = client.connection_pool.make_connection()
        self.stands = False

    def ask(self, *command: Any) -> Any:
        """Raises RedisError."""
        if self.stands and not self.is_clear():
            self.connection.disconnect()
        self.stands = False  # until it has answered: sending connects anew where it must, once
        self.connection.send_command(*command, check_health=False)
        answer = self.connection.read_response()
        self.stands = True
        return answer

    def is_clear(self) -> bool:
        """Whether nothing waits to be read: Redis may have hung up since."""
        try:
            return not self.connection.can_read()
        except (redis.RedisError, OSError):
            return False


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
