"""The ops ticket: what lets staff in while a flood is on. A signed cookie, good for an hour, renewed in use.

It grants admission and no right to anything: the ops lane, and a way past a ban on the address it comes from (the admin's
phone may sit in a banned range). The session decides what its holder may do. Told genuine without the database, by any
process, also one that was started a second ago.
"""

from datetime import timedelta
from time import time
from typing import Any

from django.core.signing import BadSignature, TimestampSigner, b62_decode
from django.http import HttpResponse
from django.utils import timezone

from makerlog.changes.models import Change

COOKIE = "makerlog_ticket"
PATH = "/admin/"
GOOD_FOR = timedelta(hours=1)
RENEWED_AFTER_S = 600
EVERYBODY = "*"

signer = TimestampSigner(salt="moderation.ticket")


class Tickets:
    """Follows who lost their ticket: topic "maker" (suspended, another role, closed), or all of the staff at once."""

    topic = "maker"

    def __init__(self) -> None:
        self._void_before: dict[str, float] = {}  # by maker id, Unix seconds

    def admit(self, cookies: bytes) -> bool:
        """Whether a Cookie header holds a ticket that is good now."""
        return COOKIE.encode() in cookies and self.issued_at(cookie_in(cookies)) is not None

    def issued_at(self, ticket: str) -> float | None:
        """When a ticket was issued (Unix seconds); None where it is none, is over, or was revoked."""
        try:
            maker = signer.unsign(ticket, max_age=GOOD_FOR)
            issued = issue_time(ticket)
        except BadSignature:
            return None
        void_before = max(self._void_before.get(maker, 0.0), self._void_before.get(EVERYBODY, 0.0))
        return issued if issued > void_before else None

    def load(self) -> None:
        """What happened before any ticket that is still good was issued does not matter."""
        recent = Change.objects.filter(topic=self.topic, at__gt=timezone.now() - GOOD_FOR)
        self._void_before = {key: at.timestamp() for key, at in recent.order_by("number").values_list("key", "at")}

    def refresh(self, keys: list[str]) -> None:
        over = time() - GOOD_FOR.total_seconds()
        kept = {key: at for key, at in self._void_before.items() if at > over}
        self._void_before = kept | dict.fromkeys(keys, time())


def issue_time(ticket: str) -> float:
    """Unix seconds, of a ticket whose signature was found to be ours."""
    return float(b62_decode(ticket.rsplit(signer.sep, 2)[1]))


def cookie_in(cookies: bytes) -> str:
    """The ticket in a Cookie header, "" where it has none. Ours is never quoted; Python's own parser needs seconds for some
    that are, and this is asked on the event loop."""
    pairs = (pair.partition("=") for pair in cookies.decode("latin-1").split(";"))
    return next((value.strip() for name, _, value in pairs if name.strip() == COOKIE), "")


def hand_out(response: HttpResponse, maker: Any, *, secure: bool) -> None:
    response.set_cookie(
        COOKIE,
        signer.sign(str(maker.pk)),
        max_age=GOOD_FOR,
        path=PATH,
        secure=secure,
        httponly=True,
        samesite="Strict",
    )
