"""What lets staff in while a flood is on: two signed cookies, told genuine without the database, by any process, also one
that was started a second ago. Both grant admission and no right to anything: the session decides what its holder may do.

The ops ticket is good for an hour and renewed in use: the ops lane, and a way past a ban on the address it comes from (the
admin's phone may sit in a banned range). The mark of a known device is good for a month, or for as long as the session that
it was renewed by, and does the same: whoever has a session is let in by it when the hour of the ticket is over, and where
staff sign in it goes before strangers. Whoever gave the right password and owes a code has it for ten minutes.
"""

from datetime import timedelta
from time import time
from typing import Any

from django.core.signing import BadSignature, TimestampSigner, b62_decode
from django.http import HttpResponse
from django.utils import timezone

from makerlog.changes.models import Change
from makerlog.gate.caller import ADMIN
from moderation.models import DeviceEpoch

COOKIE = "makerlog_ticket"
PATH = ADMIN
GOOD_FOR = timedelta(hours=1)
RENEWED_AFTER_S = 600
EVERYBODY = "*"

DEVICE = "makerlog_known"
KNOWN_FOR = timedelta(days=30)
HALFWAY_FOR = timedelta(minutes=10)

signer = TimestampSigner(salt="moderation.ticket")
device_signer = TimestampSigner(salt="moderation.device")

Moments = dict[str, float]  # Unix seconds, by maker id or EVERYBODY


class Tickets:
    """Follows who lost their ticket: topic "maker" (suspended, another role, closed), or all of the staff at once. Devices
    are known for longer than changes are kept, so from when on they count stands in a table."""

    topic = "maker"

    def __init__(self) -> None:
        self._void_before: Moments = {}
        self._strange_before: Moments = {}

    def admit(self, cookies: bytes) -> bool:
        """Whether a Cookie header holds a ticket that is good now."""
        return COOKIE.encode() in cookies and self.issued_at(cookie_in(cookies, COOKIE)) is not None

    def know(self, cookies: bytes) -> bool:
        """Whether a Cookie header names a device that is known."""
        return DEVICE.encode() in cookies and self.known_as(cookie_in(cookies, DEVICE)) is not None

    def issued_at(self, ticket: str) -> float | None:
        """When a ticket was issued (Unix seconds); None where it is none, is over, or was revoked."""
        try:
            maker = signer.unsign(ticket, max_age=GOOD_FOR)
            issued = issue_time(ticket)
        except BadSignature:
            return None
        return issued if issued > since(self._void_before, maker) else None

    def known_as(self, mark: str) -> str | None:
        """The id of the maker whose device ``mark`` names; None where it names none, is over, or was revoked."""
        try:
            maker, _, seconds = device_signer.unsign(mark, max_age=KNOWN_FOR).partition(".")
            issued = issue_time(mark)
        except BadSignature:
            return None
        over = time() - issued > int(seconds)
        return None if over or issued <= since(self._strange_before, maker) else maker

    def load(self) -> None:
        """What happened before any ticket that is still good was issued does not matter."""
        recent = Change.objects.filter(topic=self.topic, at__gt=timezone.now() - GOOD_FOR)
        self._void_before = {key: at.timestamp() for key, at in recent.order_by("number").values_list("key", "at")}
        self._strange_before = {key: at.timestamp() for key, at in DeviceEpoch.objects.values_list("key", "at")}

    def refresh(self, keys: list[str]) -> None:
        over = time() - GOOD_FOR.total_seconds()
        kept = {key: at for key, at in self._void_before.items() if at > over}
        self._void_before = kept | dict.fromkeys(keys, time())
        epochs = DeviceEpoch.objects.filter(key__in=keys).values_list("key", "at")
        self._strange_before |= {key: at.timestamp() for key, at in epochs}


def since(moments: Moments, maker: str) -> float:
    return max(moments.get(maker, 0.0), moments.get(EVERYBODY, 0.0))


def issue_time(ticket: str) -> float:
    """Unix seconds, of a ticket whose signature was found to be ours."""
    return float(b62_decode(ticket.rsplit(signer.sep, 2)[1]))


def cookie_in(cookies: bytes, wanted: str) -> str:
    """A cookie of ours in a Cookie header, "" where it has none. Ours are never quoted; Python's own parser needs seconds
    for some that are, and this is asked on the event loop."""
    pairs = (pair.partition("=") for pair in cookies.decode("latin-1").split(";"))
    return next((value.strip() for name, _, value in pairs if name.strip() == wanted), "")


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


def remember(response: HttpResponse, maker: Any, *, lasting: timedelta, secure: bool) -> None:
    """The device is known as ``maker``'s from now on. Lax: it may come to the form from a link in an alert."""
    response.set_cookie(
        DEVICE,
        device_signer.sign(f"{maker.pk}.{int(lasting.total_seconds())}"),
        max_age=lasting,
        path=PATH,
        secure=secure,
        httponly=True,
        samesite="Lax",
    )
