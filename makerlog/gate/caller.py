"""Who is calling, from the connection and the headers that its proxies set."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from starlette.types import Scope

from makerlog.env import Network
from makerlog.gate.address import client_address, peer_is_trusted

ADMIN = "/admin/"
SIGN_IN = "/admin/login/"
ALERT = "/admin/alert/"
FORWARDED = {b"forwarded", b"x-real-ip"}

# The public id of the genuine token that an Authorization header holds, or None.
Recognise = Callable[[bytes], str | None]
# Whether a Cookie header holds a valid ops ticket, or names a device that staff have signed in from.
Ticket = Callable[[bytes], bool]
# By what a genuine link of an alert is known, of a path; "" for any other.
Link = Callable[[str], str]


class Caller(NamedTuple):
    address: str  # "93.184.216.34"
    scheme: str  # "http" or "https", as the client spoke it
    token: str | None = None  # the public id of a genuine token: made by us, not expired, not known to be revoked
    forwarded: bool = False  # somebody says that they forward this request; whether to believe it is another question
    ticket: bool = False  # staff: admission to the ops lane, and no right to anything
    known: bool = False  # where staff sign in: from a device of theirs that is known; no right to anything either
    link: str = ""  # came by the signed link of an alert, which is known by this


def identify(
    scope: Scope,
    trusted: Sequence[Network],
    recognise: Recognise = lambda header: None,
    ticket: Ticket = lambda cookies: False,
    known: Ticket = lambda cookies: False,
    link: Link = lambda path: "",
) -> Caller:
    """The caller behind ``scope``. Raises MalformedForwarded."""
    peer = scope["client"][0] if scope.get("client") else ""
    forwarded_for = _values(scope, b"x-forwarded-for")
    address = client_address(peer, forwarded_for, trusted)
    # Several are one, and none of ours, as Django reads them: else a genuine token would carry a made-up one through.
    header = b",".join(value for key, value in scope["headers"] if key == b"authorization")
    token = recognise(header) if header else None
    return Caller(
        address,
        _scheme(scope, peer, trusted),
        token,
        _is_forwarded(scope),
        ticket=_carries(scope, ADMIN, ticket),
        known=_carries(scope, SIGN_IN, known),
        link=link(scope["path"]) if scope["path"].startswith(ALERT) else "",
    )


def _is_forwarded(scope: Scope) -> bool:
    """Also by proxies that do not say for whom."""
    return any(key in FORWARDED or key.startswith(b"x-forwarded-") for key, _ in scope["headers"])


def _carries(scope: Scope, below: str, ticket: Ticket) -> bool:
    """Only where the ticket's cookie is sent at all."""
    if not scope["path"].startswith(below):
        return False
    return any(ticket(value) for key, value in scope["headers"] if key == b"cookie")


def _scheme(scope: Scope, peer: str, trusted: Sequence[Network]) -> str:
    claimed = _values(scope, b"x-forwarded-proto")
    if not claimed or not peer_is_trusted(peer, trusted):
        return scope.get("scheme", "http")
    # The right-most is what the nearest proxy says.
    nearest = claimed[-1].rpartition(",")[2].strip().lower()
    return nearest if nearest in ("http", "https") else scope.get("scheme", "http")


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]
