"""Who has spent all they may, as Django's throttle said a moment ago: told again at the door, eight times cheaper. Pure.

Only what every request is charged to counts (the token, its maker, the address), and only where nothing is left of it: then
no request of theirs could pass before ``Retry-After`` is over. Used on the event loop only, so nothing is locked.
"""

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from makerlog.gate.answers import OPEN, Answer, Headers, Refusal
from makerlog.gate.fading import let_go

MOST = 5_000  # clients, those told last
LONGEST_S = 5.0  # limits are asked again after that, whatever was said
NOTHING_LEFT = re.compile(rb'"(?:token|maker|address)";r=0;')
CORS = {name for name, _ in OPEN}
FREE = ("/limits", "/health", "/metrics", "/admin/")


class StillSpent(Refusal):
    """The 429 that Django gave this client a moment ago."""

    outcome = "throttled"

    def __init__(self, said: Answer) -> None:
        super().__init__()
        self.said = said

    def answer(self, request_id: str) -> Answer:
        # Django opens an answer to other origins only where one asks, and this may be for another than that was.
        kept = [(name, value) for name, value in self.said.headers if name != b"x-request-id" and name not in CORS]
        return Answer(self.said.status, [*kept, *OPEN, (b"x-request-id", request_id.encode())], self.said.body)


class Spent:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._until: OrderedDict[Hashable, tuple[float, Answer]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def refuse(self, client: Hashable, path: str) -> None:
        """Raises StillSpent."""
        until, said = self._until.get(client, (0.0, None))
        if said is None or path.startswith(FREE):
            return
        if self.clock() < until:
            raise StillSpent(said)
        del self._until[client]

    def note(self, answer: Answer, client: Hashable) -> None:
        """``client`` was given ``answer``."""
        if answer.status != 429 or not NOTHING_LEFT.search(header(answer.headers, b"ratelimit")):
            return
        seconds = header(answer.headers, b"retry-after")
        now = self.clock()
        self._until[client] = now + min(LONGEST_S, float(seconds or b"0")), answer
        let_go(self._until, MOST, lambda told: told[0] <= now)


def header(headers: Headers, name: bytes) -> bytes:
    return next((value for key, value in headers if key == name), b"")
