"""What each client takes of the answers that are shared, and of files. Pure; used on the event loop only, so nothing is
locked."""

import time
from collections.abc import Callable, Hashable
from math import ceil

from makerlog.gate.answers import Answer, Headers, Refusal
from makerlog.gate.buckets import Buckets

WINDOW = 60  # seconds: what the headers say the quota is counted over


class SharedSpent(Refusal):
    """One client asked for too much, though it was all at hand. ``name``: of the limit."""

    status = 429
    code = "throttled"
    outcome = "throttled"

    def __init__(self, name: str, headers: Headers, seconds: int) -> None:
        super().__init__()
        self.headers = headers
        self.retry_after = seconds
        wait = f"{seconds} second{'s' * (seconds != 1)}"
        self.detail = f'The limit "{name}" is used up. Come back in {wait}; /limits/ tells more.'

    def answer(self, request_id: str) -> Answer:
        said = super().answer(request_id)
        return said._replace(headers=[*said.headers, *self.headers])


class Readers:
    """A bucket for each client that reads what the limit ``name`` is for: those who read last. As Buckets has them."""

    def __init__(
        self, name: str, most: float, back: float, remembered: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self.buckets = Buckets(most, back, remembered, clock)

    def require(self, client: Hashable) -> float:
        """Units that are left. Raises SharedSpent where there are none."""
        left = self.buckets.left(client)
        if left < 1.0:
            seconds = ceil((1.0 - left) / self.buckets.back)
            raise SharedSpent(self.name, self._said(0, self.buckets.full_in(client)), seconds)
        return left

    def charged(self, client: Hashable, units: int = 1) -> Headers:
        """How the client's bucket stands after so many more; the last of them may be a debt. Raises SharedSpent."""
        left = self.require(client)
        self.buckets.charge(client, units)
        return self._said(max(0, int(left) - units), self.buckets.full_in(client))

    def settle(self, client: Hashable, units: int) -> None:
        """Charges what was taken already: as a debt where it does not fit, of a full bucket at most."""
        owed = self.buckets.left(client) + self.buckets.most
        self.buckets.charge(client, max(0.0, min(units, owed)))

    def _said(self, left: int, full_in: float) -> Headers:
        quota = int(self.buckets.most + WINDOW * self.buckets.back)
        name = self.name.encode()
        return [
            (b"ratelimit-policy", b'"%s";q=%d;w=%d' % (name, quota, WINDOW)),
            (b"ratelimit", b'"%s";r=%d;t=%d' % (name, left, ceil(full_in))),
            (b"x-ratelimit-limit", b"%d" % quota),
            (b"x-ratelimit-remaining", b"%d" % left),
            (b"x-ratelimit-reset", b"%d" % ceil(full_in)),
        ]
