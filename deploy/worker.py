"""The uvicorn worker under gunicorn: what uvicorn is told that gunicorn's own settings cannot say."""

import os
import signal
import time
from typing import Any

from uvicorn_worker import UvicornWorker

from deploy.glibc import give_back
from makerlog.gate.connection import Connection
from makerlog.gate.limits import Limits
from makerlog.gate.socket import Socket


class Worker(UvicornWorker):
    CONFIG_KWARGS: dict[str, Any] = {
        "loop": "auto",
        "http": Connection,
        "ws": Socket,
        "ws_max_size": Limits.message,
        "ws_per_message_deflate": False,  # a frame is the same for everybody, and a socket costs 50 KB less
        "ws_ping_interval": 25,  # shorter than the 60 s nginx keeps a silent connection
        "ws_ping_timeout": 20,
        "lifespan": "on",  # a lifespan that fails stops the boot instead of being taken for "not supported"
        "proxy_headers": False,  # the gate alone decides who the client is
        "server_header": False,
        "access_log": False,
        "limit_max_requests": None,  # it would count refusals, and replace a worker every minute of a flood; see below
        "timeout_notify": 5,
        "timeout_graceful_shutdown": 25,  # ends the lifespan in good order before gunicorn's 30 s are over
    }

    async def callback_notify(self) -> None:
        """The heartbeat. Memory that lies free is given back. A worker whose gunicorn was killed would serve on for ever,
        with nobody to stop it; one that has run Django ``max_requests`` times makes room for a fresh one."""
        await super().callback_notify()
        give_back()
        if os.getppid() != self.ppid or (self.wsgi.pool.begun >= self.max_requests and self._is_drained()):
            os.kill(os.getpid(), signal.SIGTERM)

    def _is_drained(self) -> bool:
        """Begins to close each connection with its answer. True once none is open, or none that was when it began: an idle
        one lives for ``keepalive`` seconds at most. Meanwhile new ones are accepted, for this may be the only worker."""
        connections = self.wsgi.connections
        if not connections.is_draining:
            self.draining_since = time.monotonic()
            connections.drain()
        return not len(connections) or time.monotonic() - self.draining_since > self.cfg.keepalive
