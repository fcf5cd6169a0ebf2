"""Answers the gate gives by itself, and how any answer leaves.

The one place in the gate that knows the error body: ``{"detail": ..., "code": ...}``.
"""

import random
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import orjson
from starlette.types import Send

Headers = list[tuple[bytes, bytes]]
PIECE = 64 * 1024  # bytes: what a transport buffers before it asks to wait
AT_ONCE = "makerlog.at_once"  # in a scope: what sends a whole answer, and says whether it could

# What tells one caller how their limits stand.
RATE_LIMITS = ("RateLimit", "RateLimit-Policy", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
# What scripts of any origin may read of an answer, beside its body.
EXPOSED = (
    *RATE_LIMITS, "Link", "ETag", "X-Request-Id", "Retry-After", "X-Makerlog-Level", "Idempotency-Replayed",
    "X-Ignored-Parameters",
)  # fmt: skip
# Of every answer: any origin may read it.
OPEN: Headers = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", ", ".join(EXPOSED).encode()),
]
# Of every answer that we write ourselves.
FOR_ANYBODY: Headers = [(b"content-type", b"application/json"), *OPEN, (b"cache-control", b"no-store")]


class Answer(NamedTuple):
    """A whole answer. ``headers`` carry the right Content-Length (none for 204 and 304). ``public_for``: seconds for which
    anybody without a credential may have it. ``shared``: it was made for somebody else. ``secret``: what every reader gets
    another of, wherever it stands in the answer; b"" where there is none."""

    status: int
    headers: Headers
    body: bytes
    public_for: float = 0.0
    shared: bool = False
    secret: bytes = b""


def fitted(written: bytes) -> bytes:
    """``written``, in as much memory as it has bytes. orjson writes into a buffer of up to fifteen times as much and does not
    shrink it, and no length tells: whatever it wrote and is kept goes through here, else the bounds of what is kept lie."""
    return bytes(memoryview(written))


def new_request_id() -> str:
    """Not a secret. Not from the system either: what asks it may wait for a thread that computes."""
    return f"{random.getrandbits(128):032x}"


class Refusal(Exception):
    """The gate will not let this request through. Subclasses stand beside the rule that they enforce."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad_request"
    outcome: ClassVar[str] = "refused"  # as metrics call it
    detail: str = "The request cannot be understood."
    retry_after: int | None = None  # seconds

    @property
    def body(self) -> dict[str, object]:
        """What is said, in the project's one shape."""
        return {"detail": self.detail, "code": self.code}

    @property
    def written(self) -> bytes:
        return orjson.dumps(self.body)

    def answer(self, request_id: str) -> Answer:
        extra = [] if self.retry_after is None else [(b"retry-after", b"%d" % self.retry_after)]
        return in_json(self.status, self.written, request_id, extra)


class ServerFault(Refusal):
    status = 500
    outcome = "failed"
    code = "server_error"
    detail = "The server failed on this request; its log has the X-Request-Id."


class Stopping(Refusal):
    status = 503
    outcome = "shed"
    code = "stopping"
    detail = "The server is restarting; try again."
    retry_after = 2


def error(status: int, detail: str, code: str, request_id: str, extra: Headers | None = None) -> Answer:
    """An error in the project's one shape."""
    return as_json(status, {"detail": detail, "code": code}, request_id, extra)


def as_json(status: int, content: dict[str, object], request_id: str, extra: Headers | None = None) -> Answer:
    """A JSON answer that any origin may read and nobody may keep."""
    return in_json(status, orjson.dumps(content), request_id, extra)


def in_json(status: int, body: bytes, request_id: str, extra: Headers | None = None) -> Answer:
    """The same, of what is written already."""
    size, number = (b"content-length", b"%d" % len(body)), (b"x-request-id", request_id.encode())
    return Answer(status, [size, number, *FOR_ANYBODY, *(extra or ())], body)


def ignore(size: int) -> None:
    """For ``deliver``, where nobody wants to know."""


async def deliver(answer: Answer, method: str, send: Send, note_unsent: Callable[[int], None] = ignore) -> None:
    """Send all of ``answer``; HEAD gets the headers of the GET and no body.

    A large body goes in pieces, each waiting for the reader: so a slow one is seen to move, or not to. ``note_unsent`` is
    told how many bytes of the body are not written yet.
    """
    body = b"" if method == "HEAD" else answer.body
    note_unsent(len(body))
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    last = max(0, len(body) - 1) // PIECE * PIECE
    for start in range(0, last, PIECE):
        await send({"type": "http.response.body", "body": body[start : start + PIECE], "more_body": True})
        note_unsent(len(body) - start - PIECE)
    await send({"type": "http.response.body", "body": body[last:]})
    note_unsent(0)
