"""What holders of genuine tokens were refused of late, so that they can be told why: the newest few of each token, in the
memory of this process and, until somebody takes them, on their way to where all processes put theirs. Pure."""

import json
import re
from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock
from typing import Any, NamedTuple

from makerlog.gate.answers import Answer

EACH = 20  # of one token, where all processes put theirs
OWN = 5  # of one token that this process keeps as well, for while that place is away
MOST = 2_000  # tokens, those refused last
LARGEST = 8 * 1024  # bytes of an answer that is looked into
LIMIT = re.compile(r'The limit "([a-z-]+)"')


class Refused(NamedTuple):
    """One answer. ``at``: Unix seconds; ``route``: as the URLconf has it, or the path; ``retry_after``: seconds."""

    request_id: str
    at: float
    method: str
    route: str
    status: int
    code: str | None
    limit: str | None
    retry_after: int | None


def refused(answer: Answer, *, request_id: str, at: float, method: str, route: str) -> Refused:
    """What ``answer`` says, in the project's one shape. Where fields were wrong it has no code."""
    said = _said(answer.body)
    limit = LIMIT.search(str(said.get("detail", ""))) if answer.status == 429 else None
    wait = next((value for name, value in answer.headers if name.lower() == b"retry-after"), b"")
    code = said.get("code")
    return Refused(
        *(request_id, at, method, route, answer.status),
        code if isinstance(code, str) else None,
        limit[1] if limit else None,
        int(wait) if wait.isdigit() else None,
    )


def _said(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body) if len(body) <= LARGEST else None
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


class Refusals:
    def __init__(self, most: int = MOST, each: int = EACH, own: int = OWN) -> None:
        self.most = most
        self.each = each
        self.own = own
        self._kept: OrderedDict[str, tuple[Refused, ...]] = OrderedDict()
        self._untold: OrderedDict[str, tuple[Refused, ...]] = OrderedDict()
        self._lock = Lock()

    def note(self, token: str, what: Refused) -> None:
        """``token``: its public id."""
        with self._lock:
            for ring, each in ((self._kept, self.own), (self._untold, self.each)):
                ring[token] = (*ring.get(token, ()), what)[-each:]
                ring.move_to_end(token)
                if len(ring) > self.most:
                    ring.popitem(last=False)

    def of(self, tokens: Iterable[str]) -> list[Refused]:
        with self._lock:
            return [each for token in tokens for each in self._kept.get(token, ())]

    def take(self) -> dict[str, list[Refused]]:
        """By token, what nobody took yet."""
        with self._lock:
            taken, self._untold = self._untold, OrderedDict()
        return {token: list(ring) for token, ring in taken.items()}


refusals = Refusals()  # of this process
