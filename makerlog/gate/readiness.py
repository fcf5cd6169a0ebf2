"""``/health/ready``: its servers are asked once a second at most, however many ask. Used on the event loop only.

An answer is good for everybody who asks for the same Host: Django refuses those that are not ours.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import NamedTuple

from starlette.types import Scope

from makerlog.gate.answers import Answer
from makerlog.gate.body import has_body

PATHS = {"/health/ready", "/health/ready/"}
FRESH_S = 1.0
MAX_HOSTS = 20
KEPT = {200, 503}
REQUEST_ID = b"x-request-id"


class Checked(NamedTuple):
    answer: Answer
    at: float


class Readiness:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._checked: OrderedDict[bytes, Checked] = OrderedDict()
        self._checks: dict[Hashable, asyncio.Future[Answer]] = {}

    def at_hand(self, scope: Scope, request_id: str) -> Answer | None:
        """The answer of the last second, if there is one."""
        checked = self._checked.get(host_of(scope))
        if checked is None or self.clock() - checked.at >= FRESH_S:
            return None
        return with_id(checked.answer, request_id)

    async def answer(
        self, scope: Scope, lane: str, request_id: str, check: Callable[[], asyncio.Future[Answer]]
    ) -> Answer:
        """What ``check`` gives, or one that is under way in the same lane: a probe of the platform waits for no stranger."""
        if answer := self.at_hand(scope, request_id):
            return answer
        host = host_of(scope)
        key = host, lane
        if key not in self._checks:
            self._checks[key] = future = check()
            future.add_done_callback(lambda done: self._finish(key, host, done))
        return with_id(await asyncio.shield(self._checks[key]), request_id)

    def _finish(self, key: Hashable, host: bytes, done: "asyncio.Future[Answer]") -> None:
        del self._checks[key]
        if done.cancelled() or done.exception() is not None or done.result().status not in KEPT:
            return
        self._checked[host] = Checked(done.result(), self.clock())
        if len(self._checked) > MAX_HOSTS:
            self._checked.popitem(last=False)


def is_asked(scope: Scope) -> bool:
    return scope["path"] in PATHS and scope["method"] in ("GET", "HEAD") and not has_body(scope)


def host_of(scope: Scope) -> bytes:
    return next((value for name, value in scope["headers"] if name == b"host"), b"")


def with_id(answer: Answer, request_id: str) -> Answer:
    kept = [(name, value) for name, value in answer.headers if name != REQUEST_ID]
    return answer._replace(headers=[*kept, (REQUEST_ID, request_id.encode())])
