"""One request on its way through the front door, and how far it has come."""

from collections.abc import Mapping
from time import time
from typing import Any, NamedTuple

from starlette.types import Message, Receive, Scope, Send

from makerlog.gate.answers import AT_ONCE, Answer, Headers, deliver, ignore, new_request_id
from makerlog.gate.backlog import CONNECTION, Waiting
from makerlog.gate.body import drain, has_body
from makerlog.gate.caller import Caller
from makerlog.gate.level import lockdown
from makerlog.gate.pool import Job
from makerlog.gate.sharing import Read
from makerlog.gate.strikes import Strikes


class Work(NamedTuple):
    job: Job[Answer]
    environ: dict[str, Any]


class Visit:
    """``lane`` and ``outcome`` are what metrics call it; ``status`` is 0 as long as no answer was begun. ``waited`` and
    ``worked`` are the seconds of its work in the pool, and ``told`` is the environ in which Django left what it knows.
    ``ready`` is the answer, where the head alone decided it, and ``read`` what is asked, where an answer may be
    shared. ``work`` is what its answer comes of, where it needs no task."""

    receive: Receive
    send: Send

    __slots__ = (
        "began",
        "body_was_read",
        "caller",
        "lane",
        "method",
        "outcome",
        "path",
        "read",
        "ready",
        "receive",
        "request_id",
        "scope",
        "send",
        "started",
        "status",
        "strikes",
        "told",
        "waited",
        "work",
        "worked",
    )

    def __init__(self, scope: Scope, strikes: Strikes) -> None:
        self.scope = scope
        self.strikes = strikes
        self.began = time()
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.request_id = new_request_id()  # a client's own is ignored: the log must not be written by it
        self.caller: Caller | None = None
        self.read: Read | None = None
        self.work: Work | None = None
        self.ready: Answer | None = None
        self.body_was_read = False
        self.started = False
        self.lane = "door"
        self.outcome = "served"
        self.status = 0
        self.waited = self.worked = 0.0
        self.told: Mapping[str, Any] = {}

    async def reply(self, message: Message) -> None:
        """``send``, with all headers."""
        self.started = True
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": self.headers(self.status, message["headers"])}
        await self.send(message)

    def headers(self, status: int, own: Headers) -> Headers:
        """``own``; on every answer, which level holds; on every refusal, how the caller's refusals stand, unless it tells a
        limit of its own."""
        if self.caller is None or not 400 <= status < 500 or tells_limit(own):
            return [*own, lockdown.header]
        return [*own, *self.strikes.headers(self.caller), lockdown.header]

    def whole(self, answer: Answer) -> Answer:
        """``answer`` as it leaves, for whoever sends it without ``reply``."""
        headers, body = self.headers(answer.status, answer.headers), b"" if self.method == "HEAD" else answer.body
        self.started, self.status = True, answer.status
        return Answer(answer.status, headers, body)

    def worked_on(self, work: Work) -> None:
        """It is over, or nobody waits for it any more."""
        job = work.job
        now = job.loop.time()
        begun = now if job.begun_at is None else job.begun_at
        self.waited, self.worked, self.told = begun - job.asked_at, now - begun, work.environ

    def answer_at_once(self, answer: Answer) -> bool:
        """Whether all of it could be sent."""
        send = self.scope.get(AT_ONCE)
        return send is not None and send(self.whole(answer))

    async def answer(self, answer: Answer) -> None:
        if not self.answer_at_once(answer):
            connection = self.connection
            await deliver(answer, self.method, self.reply, connection.note_unsent if connection else ignore)

    @property
    def connection(self) -> Waiting | None:
        return self.scope.get(CONNECTION)

    async def refuse(self, answer: Answer, linger: float) -> None:
        """``answer`` instead of what was asked for. Where a body is on its way: at once, listening ``linger`` seconds
        longer; then the connection is closed, and the rest of the body not waited for."""
        if self.started:
            if self.connection is not None:
                self.connection.cut_off()
            return  # without one, the server sees an unfinished answer and closes the connection
        if self.body_was_read or not has_body(self.scope):
            await self.answer(answer)
            return
        headers = [*answer.headers, (b"connection", b"close")]
        body = b"" if self.method == "HEAD" else answer.body
        await self.reply({"type": "http.response.start", "status": answer.status, "headers": headers})
        await self.reply({"type": "http.response.body", "body": body, "more_body": True})
        await drain(self.receive, linger)
        await self.reply({"type": "http.response.body", "body": b""})


def tells_limit(headers: Headers) -> bool:
    return any(name == b"ratelimit" for name, _ in headers)
