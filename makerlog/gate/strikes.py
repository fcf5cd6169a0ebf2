"""Who asks in vain, and how often: 401, 403 and 404 answers, counted per client before anybody is authenticated. Pure.

A client is an IPv4 address or an IPv6 /64. A genuine token passes untouched and counts nothing there: one expired token of
an app must not stop the many makers it serves. It is charged by the API for all that a view answers; what is left (a path
that is none, a closed route, a body that is too large) is counted here, for its maker, with room for any app. An empty
bucket throttles and never bans: any web page can make the browsers of its visitors ask in vain. Used on the event loop only,
so nothing is locked.
"""

import time
from collections.abc import Callable, Hashable
from functools import lru_cache
from math import ceil

from makerlog.gate.answers import Headers, Refusal
from makerlog.gate.banned import SPARED
from makerlog.gate.buckets import AddressBuckets, Buckets
from makerlog.gate.caller import Caller
from makerlog.gate.lanes import client_in
from makerlog.gate.limits import Limits

NAME = "refusals"
WINDOW = 60  # seconds: what the headers say the quota is counted over
VAIN = {401, 403, 404}

# What apps of 2019 still call, and what is no longer there: they meet a 404, carry on, and earn no strike for it.
GONE = ("/milestones/", "/events/", "/achievements/", "/reminders/", "/ads/", "/billing/")


class TooManyRefusals(Refusal):
    status = 429
    code = "too_many_refusals"
    outcome = "refused"  # not "throttled": rules count that, and must not act on 401s and 404s, however many

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self.retry_after = seconds
        self.detail = (
            "Too many requests from this address were refused (401, 403) or asked for what is not there (404)."
            f" Come back in {seconds} second{'s' * (seconds != 1)}, or send a token that is good."
        )


class TooManyUncharged(TooManyRefusals):
    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.detail = (
            "Too many requests with tokens of this maker were refused or asked for what is not there."
            f" Come back in {seconds} second{'s' * (seconds != 1)}."
        )


class Strikes:
    """A bucket for each client that lately asked in vain: those who did so last, at most ``limits.struck_clients``; and one
    for each maker whose tokens did. ``client_in``: whom a genuine token stands for."""

    def __init__(
        self,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
        client_in: Callable[[Caller], Hashable] = client_in,
    ) -> None:
        self.limits = limits
        self.client_in = client_in
        self.buckets = AddressBuckets(limits.strikes, limits.strikes_back, limits.struck_clients, clock)
        self.uncharged = Buckets(limits.uncharged, limits.uncharged_back, limits.struck_clients, clock)

    def __len__(self) -> int:
        return len(self.buckets)

    def refuse_if_spent(self, caller: Caller, method: str, path: str) -> None:
        """Raises TooManyRefusals. Not for OPTIONS: browsers ask it before they send a good token, and without that. Not for
        staff, who may share an address with whoever asks in vain."""
        if caller.token is not None:
            self._refuse_uncharged(caller)
        elif self.buckets and method != "OPTIONS" and not (is_staff(caller) or path in SPARED):
            wait = self.buckets.next_in(caller.address)
            if wait > 0.0:
                raise TooManyRefusals(ceil(wait))

    def _refuse_uncharged(self, caller: Caller) -> None:
        """For OPTIONS too: no browser sends a token with it."""
        short = 1.0 - self.uncharged.left(self.client_in(caller)) if self.uncharged else 0.0
        if short > 0.0 and not is_staff(caller):
            raise TooManyUncharged(ceil(short / self.limits.uncharged_back))

    def count_uncharged(self, status: int, caller: Caller) -> None:
        """Notes that a genuine token was answered ``status`` (0: nothing), and that no limit was charged. Not what we had no
        room for, and not that it was told to come back later."""
        if caller.token is not None and status < 500 and status != TooManyRefusals.status:
            self.uncharged.charge(self.client_in(caller))

    def count(self, status: int, caller: Caller, path: str) -> None:
        """Notes that ``caller`` was answered ``status``."""
        if status not in VAIN or caller.token is not None or f"{path}/".startswith(GONE):
            return
        self.buckets.charge(caller.address)

    def headers(self, caller: Caller) -> Headers:
        """How the caller's bucket stands. As in draft-ietf-httpapi-ratelimit-headers-10, and in the older way."""
        limits = self.limits
        if caller.token is not None:
            left = self.uncharged.left(self.client_in(caller))
            return standing(max(0, int(left)), limits.uncharged, limits.uncharged_back)
        left = self.buckets.left(caller.address)  # below 0 where many requests were under way at once
        return standing(max(0, int(left)), limits.strikes, limits.strikes_back)


def is_staff(caller: Caller) -> bool:
    return bool(caller.ticket or caller.known or caller.link)


@lru_cache(maxsize=1_024)
def standing(left: int, most: int, back: float) -> Headers:
    """``back``: a second."""
    quota = int(most + WINDOW * back)
    reset = ceil((most - left) / back)
    return [
        (b"ratelimit-policy", b'"%s";q=%d;w=%d' % (NAME.encode(), quota, WINDOW)),
        (b"ratelimit", b'"%s";r=%d;t=%d' % (NAME.encode(), left, reset)),
        (b"x-ratelimit-limit", b"%d" % quota),
        (b"x-ratelimit-remaining", b"%d" % left),
        (b"x-ratelimit-reset", b"%d" % reset),
    ]
