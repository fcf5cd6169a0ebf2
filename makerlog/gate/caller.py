"""Who is calling, from the connection and the headers that its proxies set."""

from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import NamedTuple

from starlette.types import Scope

from makerlog.env import Network
from makerlog.gate.address import client_address, peer_is_trusted
from makerlog.gate.preflight import is_preflight

ADMIN = "/admin/"
SIGN_IN = "/admin/login/"
ALERT = "/admin/alert/"
MAX_ADDRESS_CHARACTERS = 45
FORWARDED = {b"forwarded", b"x-real-ip"}
TELLING = {b"x-forwarded-for", b"x-forwarded-proto", b"authorization", b"user-agent"}

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
    known: bool = False  # below /admin/: from a device of staff's that is known; no right to anything either
    link: str = ""  # came by the signed link of an alert, which is known by this
    agent: bytes = b""  # User-Agent, as sent
    asks: bool = False  # a browser asks what it may send: a preflight
    claimed: str | None = None  # for whom a peer that nobody trusts says it forwards; "": it does not say


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
    path: str = scope["path"]
    sent, forwarded = _sent(scope)
    # Several are one, and none of ours, as Django reads them: else a genuine token would carry a made-up one through.
    authorization = sent.get(b"authorization")
    return Caller(
        client_address(peer, sent.get(b"x-forwarded-for", b"").decode("latin-1"), trusted),
        _scheme(scope, peer, sent.get(b"x-forwarded-proto"), trusted),
        recognise(authorization) if authorization else None,
        forwarded,
        ticket=_carries(scope, ADMIN, ticket),
        known=_carries(scope, ADMIN, known),
        link=link(path) if path.startswith(ALERT) else "",
        agent=sent.get(b"user-agent", b""),
        asks=is_preflight(scope),
        claimed=_claimed(sent) if forwarded and not peer_is_trusted(peer, trusted) else None,
    )


def _sent(scope: Scope) -> tuple[dict[bytes, bytes], bool]:
    """The headers that tell who calls, several of one name as one; and whether somebody forwards the request, be it a proxy
    that does not say for whom."""
    sent: dict[bytes, bytes] = {}
    forwarded = False
    for name, value in scope["headers"]:
        if name in TELLING:
            sent[name] = b"%b,%b" % (sent[name], value) if name in sent else value
        if name in FORWARDED or name.startswith(b"x-forwarded-"):
            forwarded = True
    return sent, forwarded


def _claimed(sent: dict[bytes, bytes]) -> str:
    """The client, as the peer has it; worth a warning, and nothing else."""
    claimed = sent.get(b"x-forwarded-for", b"").partition(b",")[0].strip().decode("latin-1")
    try:
        return str(ip_address(claimed)) if len(claimed) <= MAX_ADDRESS_CHARACTERS else ""
    except ValueError:
        return ""


def _carries(scope: Scope, below: str, ticket: Ticket) -> bool:
    """Only where the ticket's cookie is sent at all."""
    if not scope["path"].startswith(below):
        return False
    return any(ticket(value) for key, value in scope["headers"] if key == b"cookie")


def _scheme(scope: Scope, peer: str, claimed: bytes | None, trusted: Sequence[Network]) -> str:
    spoken: str = scope.get("scheme", "http")
    if claimed is None or not peer_is_trusted(peer, trusted):
        return spoken
    # The right-most is what the nearest proxy says.
    nearest = claimed.decode("latin-1").rpartition(",")[2].strip().lower()
    return nearest if nearest in ("http", "https") else spoken
