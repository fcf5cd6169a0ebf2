"""Runs a WSGI application on a body that is here already, and gathers its whole answer (PEP 3333).

Works in a thread; knows nothing of the event loop. Our own because the general adapters stream both ways through
queues: twice the time per request, and a slow reader holds the thread.
"""

import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from time import monotonic
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

from starlette.types import Scope

from makerlog.gate import deadline
from makerlog.gate.answers import Answer, Headers, Refusal, ServerFault, fitted
from makerlog.gate.caller import Caller
from makerlog.gate.deadline import Deadline

log = logging.getLogger("makerlog.gate")

Environ = dict[str, Any]
WSGIApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

# Set by us, or by nobody: a client must not speak for a proxy, and the body's length is what was read.
DROPPED = {b"content-length", b"transfer-encoding", b"forwarded", b"x-real-ip", b"x-request-id", b"proxy"}
DROPPED_PREFIX = b"x-forwarded-"

# The server decides these, not the application.
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "content-length", "x-request-id"}
BODILESS = {204, 304}
# A parser of Python's or Django's needs the square of the length for some values, seconds of CPU for one of 32 KiB: the
# backslashes of a quoted cookie (Python before 3.11.10), and the semicolons of a quoted content type.
LONGEST_TYPE = 1_000  # bytes; a multipart boundary has 70 at most
ESCAPE = "\\"  # in no cookie of ours

# In the environ, by the application: seconds for which its answer may be given to anybody else without a credential.
PUBLIC_FOR = "makerlog.public_for"
# And the secret of a form in it, bytes that stand in cookie and body: 32 letters and digits, as Django has them.
CSRF = "makerlog.csrf"

# By us: the fast path has left this to the application.
TRIED = "makerlog.tried"

UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

CONSTANTS: Environ = {
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}


class TypeTooLong(Refusal):
    status = 431
    code = "headers_too_large"
    detail = f"The Content-Type is longer than {LONGEST_TYPE} bytes."


class AnswerTooLarge(Exception):
    """The application's answer is over the limit: a bug of ours, not of the client."""


def environ_of(scope: Scope, body: bytes, caller: Caller, request_id: str) -> Environ:
    """The environ for ``scope``. Text in it is bytes read as Latin-1, as PEP 3333 has it. Raises TypeTooLong."""
    server, port = scope.get("server") or ("localhost", None)
    environ = {
        **CONSTANTS,
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": scope.get("root_path", "").encode().decode("latin-1"),
        "PATH_INFO": _path(scope),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server if port else "localhost",
        "SERVER_PORT": str(port or 80),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": caller.address,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.url_scheme": caller.scheme,
        "wsgi.input": BytesIO(body),
        "makerlog.request_id": request_id,
    }
    _add_headers(environ, scope["headers"])
    return environ


class FastPath(Protocol):
    """Answers some requests without the application; neither raises. What it says depends on nothing but the environ."""

    def answer(self, environ: Environ) -> Answer | None:
        """None: the application's turn, with the same environ. In a fibre it may take a thread (Elsewhere)."""

    def learn(self, environ: Environ, answer: Answer) -> None:
        """What the application answered to what this did not take."""


def run_lightly(environ: Environ, fast: FastPath) -> Answer | None:
    """What ``run`` would answer, in a fibre. None, and Elsewhere: it takes a thread."""
    with deadline.of_request(environ["makerlog.deadline"]):
        answer = fast.answer(environ)
    if answer is None:
        environ[TRIED] = True
        return None
    return answer._replace(body=fitted(answer.body))


def run(app: WSGIApp, environ: Environ, most: int, fast: FastPath | None = None) -> Answer:
    """The application's answer, of at most ``most`` bytes. Never raises: a fault is logged and answered as a 500.

    ``environ["makerlog.deadline"]`` is the Deadline of what it waits for outside.
    """
    request_id = environ["makerlog.request_id"]
    try:
        by = environ.get("makerlog.deadline") or Deadline(monotonic() + deadline.SILENCE_S)
        with deadline.of_request(by):
            answer = None if fast is None or TRIED in environ else fast.answer(environ)
            answer = answer or _slow(app, environ, most, fast)
            return answer._replace(body=fitted(answer.body))
    except BaseException:  # SystemExit from a view must not end the thread either
        log.exception("Request %s failed: %s %s", request_id, environ["REQUEST_METHOD"], environ["PATH_INFO"])
        return ServerFault().answer(request_id)


def _slow(app: WSGIApp, environ: Environ, most: int, fast: FastPath | None) -> Answer:
    answer = _call(app, environ, most)
    if fast is not None:
        fast.learn(environ, answer)
    return answer


def _path(scope: Scope) -> str:
    """The path as sent, percent-decoded. ``scope["path"]`` will not do: what is not UTF-8 is lost in it."""
    raw = scope.get("raw_path") or scope["path"].encode()
    root = scope.get("root_path", "").encode()
    return unquote_to_bytes(raw.removeprefix(root)).decode("latin-1")


def _add_headers(environ: Environ, headers: Headers) -> None:
    for name, value in headers:
        # X_Forwarded_For and X-Forwarded-For would become the same key.
        if name in DROPPED or b"_" in name or name.startswith(DROPPED_PREFIX):
            continue
        key = name.decode("latin-1").upper().replace("-", "_")
        key = key if key == "CONTENT_TYPE" else f"HTTP_{key}"
        text = value.decode("latin-1")
        if key == "HTTP_COOKIE":
            text = ";".join(cookie for cookie in text.split(";") if ESCAPE not in cookie)
        if key in environ:
            text = environ[key] + ("; " if key == "HTTP_COOKIE" else ",") + text
        environ[key] = text
    if len(environ.get("CONTENT_TYPE", "")) > LONGEST_TYPE:
        raise TypeTooLong


def _call(app: WSGIApp, environ: Environ, most: int) -> Answer:
    started = _Started()
    chunks = app(environ, started.start_response)
    try:
        body = started.written + b"".join(_bounded(chunks, most))
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    return _answer(started, body, environ)


class _Started:
    """What the application said in start_response."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.written = b""

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: object = None
    ) -> Callable[[bytes], None]:
        """Nothing leaves before the end, so a second call simply replaces the first."""
        self.status = int(status[:3])
        self.headers = headers
        return self._write

    def _write(self, data: bytes) -> None:
        self.written += data


def _bounded(chunks: Iterable[bytes], most: int) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > most:
            raise AnswerTooLarge(f"over {most} bytes")
        yield chunk


def _answer(started: _Started, body: bytes, environ: Environ) -> Answer:
    headers = [_encoded(name, value) for name, value in started.headers if name.lower() not in HOP_BY_HOP]
    headers.append((b"x-request-id", environ["makerlog.request_id"].encode()))
    if not 200 <= started.status <= 599:
        raise ValueError(f"the application answered with status {started.status} (0: start_response was not called)")
    if started.status in BODILESS:
        return Answer(started.status, headers, b"")
    headers.append((b"content-length", b"%d" % _length(started, body, environ)))
    return Answer(started.status, headers, body, environ.get(PUBLIC_FOR, 0.0), secret=environ.get(CSRF, b""))


def _length(started: _Started, body: bytes, environ: Environ) -> int:
    """Bytes of the body; for HEAD of the body that GET would have, when the application says so."""
    if body or environ["REQUEST_METHOD"] != "HEAD":
        return len(body)
    return next((int(value) for name, value in started.headers if name.lower() == "content-length"), 0)


def _encoded(name: str, value: str) -> tuple[bytes, bytes]:
    """Raises ValueError for what would end the header early: the server would drop the connection over it."""
    if UNSENDABLE.search(name) or UNSENDABLE.search(value):
        raise ValueError(f"header {name!r} holds a control character")
    return name.lower().encode("latin-1"), value.encode("latin-1")
