"""What each client takes of the answers that are shared. Pure; used on the event loop only, so nothing is locked."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from math import ceil

from makerlog.gate.answers import Answer, Headers, Refusal
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
    """What each client takes of what is shared: a bucket, kept as the moment at which it is full again. Of those who read
    last."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.clock = clock
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()

    def charged(self, client: Hashable, units: int = 1) -> Headers:
        """How the client's bucket stands after so many more; the last of them may be a debt. Raises SharedSpent."""
        most, back, now = self.limits.shared_reads, self.limits.shared_reads_back, self.clock()
        full_at = max(self._full_at.get(client, now), now)
        left = int(most - (full_at - now) * back)
        if left < 1:
            raise SharedSpent(self._said(0, full_at - now), ceil((1.0 - most) / back + full_at - now) or 1)
        self._full_at[client] = full_at + units / back
        self._full_at.move_to_end(client)
        if len(self._full_at) > self.limits.struck_clients:
            self._full_at.popitem(last=False)
        return self._said(max(0, left - units), full_at + units / back - now)

    def _said(self, left: int, full_in: float) -> Headers:
        quota = int(self.limits.shared_reads + WINDOW * self.limits.shared_reads_back)
        return [
            (b"ratelimit-policy", b'"%s";q=%d;w=%d' % (NAME, quota, WINDOW)),
            (b"ratelimit", b'"%s";r=%d;t=%d' % (NAME, left, ceil(full_in))),
            (b"x-ratelimit-limit", b"%d" % quota),
            (b"x-ratelimit-remaining", b"%d" % left),
            (b"x-ratelimit-reset", b"%d" % ceil(full_in)),
        ]
