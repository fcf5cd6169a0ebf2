"""What each client takes of the answers that are shared. Pure; used on the event loop only, so nothing is locked."""

import time
from collections.abc import Callable, Hashable
from math import ceil

from makerlog.gate.answers import Answer, Headers, Refusal
from makerlog.gate.buckets import Buckets
from makerlog.gate.limits import Limits

NAME = b"shared"
WINDOW = 60  # seconds: what the headers say the quota is counted over


class SharedSpent(Refusal):
    """One address asked for too much, though it was all at hand."""

    status = 429
    code = "throttled"
    outcome = "throttled"

    def __init__(self, headers: Headers, seconds: int) -> None:
        super().__init__()
        self.headers = headers
        self.retry_after = seconds
        wait = f"{seconds} second{'s' * (seconds != 1)}"
        self.detail = f'The limit "shared" is used up. Come back in {wait}; /limits/ tells more.'

    def answer(self, request_id: str) -> Answer:
        said = super().answer(request_id)
        return said._replace(headers=[*said.headers, *self.headers])


class Readers:
    """A bucket for each client that reads what is shared: those who read last."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.buckets = Buckets(limits.shared_reads, limits.shared_reads_back, limits.struck_clients, clock)

    def charged(self, client: Hashable, units: int = 1) -> Headers:
        """How the client's bucket stands after so many more; the last of them may be a debt. Raises SharedSpent."""
        left = self.buckets.left(client)
        if left < 1.0:
            seconds = ceil((1.0 - left) / self.limits.shared_reads_back)
            raise SharedSpent(self._said(0, self.buckets.full_in(client)), seconds)
        self.buckets.charge(client, units)
        return self._said(max(0, int(left) - units), self.buckets.full_in(client))

    def _said(self, left: int, full_in: float) -> Headers:
        quota = int(self.limits.shared_reads + WINDOW * self.limits.shared_reads_back)
        return [
            (b"ratelimit-policy", b'"%s";q=%d;w=%d' % (NAME, quota, WINDOW)),
            (b"ratelimit", b'"%s";r=%d;t=%d' % (NAME, left, ceil(full_in))),
            (b"x-ratelimit-limit", b"%d" % quota),
            (b"x-ratelimit-remaining", b"%d" % left),
            (b"x-ratelimit-reset", b"%d" % ceil(full_in)),
        ]
