"""The link in an alert: it shows whom a short ban would hit, and sets exactly that ban, once, within half an hour.

It works while a flood is on, from a banned address and without signing in: the front door tells a genuine one by its
signature, without the database, and lets it into the ops lane on a small share. It gives no right to anything else.
"""

import secrets
from datetime import timedelta
from typing import NamedTuple

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner

from makerlog.env import Network
from makerlog.gate.bans import network_of
from makerlog.gate.caller import ALERT

PREFIX = ALERT
GOOD_FOR = timedelta(minutes=30)
BANS_FOR = timedelta(hours=1)

signer = TimestampSigner(salt="moderation.alert", sep="~")


class LinkUsed(ValueError):
    """It works once. The message is one sentence."""


class Link(NamedTuple):
    network: Network
    nonce: str  # by which it is known to have been used


def link_to_ban(network: Network) -> str:
    """The whole address."""
    text = str(network).replace("/", "_")
    return f"{settings.PUBLIC_URL}{PREFIX}{signer.sign(f'{text}={secrets.token_urlsafe(9)}')}/"


def opened(signed: str) -> Link | None:
    """What a link is for; None: it is none of ours, or too old."""
    try:
        text, _, nonce = signer.unsign(signed, max_age=GOOD_FOR).partition("=")
        return Link(network_of(text.replace("_", "/")), nonce)
    except (BadSignature, ValueError):
        return None


def key_of(path: str) -> str:
    """What a genuine link's share is counted by; "" for any other path."""
    link = opened(path.removeprefix(PREFIX).rstrip("/")) if path.startswith(PREFIX) and len(path) < 300 else None
    return link.nonce if link else ""
