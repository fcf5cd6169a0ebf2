"""A real uvicorn on 127.0.0.1 around a front door, and the plainest possible clients."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import uvicorn

from makerlog.gate.connection import Connection
from makerlog.gate.door import FrontDoor
from makerlog.gate.limits import Lane
from makerlog.gate.socket import Socket

DEADLINE_S = 5.0


def until(true: Callable[[], object], seconds: float = DEADLINE_S) -> None:
    """Poll until ``true()``; fail after ``seconds``."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.005)


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Service:
    door: FrontDoor
    port: int

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, **kw: Any) -> Reply:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        try:
            connection.request(method, path, body, headers or {}, **kw)
            return _reply(connection.getresponse())
        finally:
            connection.close()

    def get(self, path: str, headers: dict[str, str] | None = None) -> Reply:
        return self.ask("GET", path, headers=headers)

    def dial(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S)

    def raw(self, request: bytes) -> Reply:
        """The answer to ``request``, sent byte for byte."""
        with self.dial() as connection:
            connection.sendall(request)
            response = HTTPResponse(connection)
            response.begin()
            return _reply(response)


def _reply(response: HTTPResponse) -> Reply:
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Reply(response.status, headers, response.read())


@contextlib.contextmanager
def serve(door: FrontDoor) -> Iterator[Service]:
    config = uvicorn.Config(
        door,
        host="127.0.0.1",
        port=0,
        http=Connection,
        ws=Socket,
        ws_max_size=door.limits.message,
        ws_per_message_deflate=False,
        lifespan="on",
        proxy_headers=False,
        log_config=None,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started or not thread.is_alive())
    try:
        yield Service(door, server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(DEADLINE_S)
        assert not thread.is_alive(), "the server did not stop"


def one_lane(threads: int = 8, waiting: int = 64, **values: Any) -> tuple[Lane, ...]:
    """For whoever has no token, and one client may have all of it; beside it one thread each for probes and tokens."""
    anonymous = Lane("anonymous", threads=threads, waiting=waiting, **{"per_client": 1_000, **values})
    return Lane("ops", threads=1, waiting=1, per_client=1), Lane("token", threads=1, waiting=9, per_client=9), anonymous


def mirror(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """WSGI: answers with what it was given, as JSON."""
    body = environ["wsgi.input"].read()
    seen = {key: value for key, value in environ.items() if isinstance(value, str)}
    content = json.dumps({"environ": seen, "body": body.decode("latin-1"), "size": len(body)}).encode()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [content]


@dataclass
class Stuck:
    """WSGI: holds its thread until let go. ``paths`` are the requests that reached it."""

    go: threading.Event = field(default_factory=threading.Event)
    paths: list[str] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        self.paths.append(environ["PATH_INFO"])
        self.go.wait(DEADLINE_S)
        start_response("200 OK", [])
        return [b"done"]


def says(status: str, headers: list[tuple[str, str]], *chunks: bytes) -> Callable[..., Any]:
    """WSGI: always the same answer."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response(status, headers)
        return list(chunks)

    return app


def is_refusal(reply: Reply, status: int, code: str) -> None:
    """The one error shape, on every path that can refuse."""
    assert reply.status == status, reply
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "Retry-After" in reply.headers["access-control-expose-headers"]
    assert reply.headers["cache-control"] == "no-store"
    assert len(reply.headers["x-request-id"]) == 32
    assert set(reply.json()) == {"detail", "code"}
    assert reply.json()["code"] == code
