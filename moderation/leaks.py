"""Tokens in any text: what somebody found on a page, in a log, in a repository."""

import hmac
from dataclasses import dataclass
from urllib.parse import unquote

from makerlog.accounts.authentication import PEPPERS
from makerlog.accounts.models import AccessToken
from makerlog.accounts.tokens import Token, tokens_in
from moderation.revocation import MOST, Chosen, choose, live

MOST_BYTES = 1024 * 1024
DETAILS = {"by": "leaked text"}
BECAUSE = "a text that holds it was handed to us"


class TextTooLong(ValueError):
    """The message is one sentence."""


@dataclass(frozen=True)
class Leak:
    """What a text holds: how many genuine tokens, and those of them that still work."""

    genuine: int
    chosen: Chosen

    @property
    def over(self) -> int:
        """Those that had ended before."""
        return self.genuine - len(self.chosen.rows)


def leak(raw: bytes) -> Leak:
    """What ``raw`` holds, in whatever encoding extends ASCII. Raises TextTooLong."""
    if len(raw) > MOST_BYTES:
        raise TextTooLong(f"The text has {len(raw):,} bytes; at most {MOST_BYTES:,} are read at once.")
    text = raw.decode("latin-1")
    found = {token.public_id: token for each in (text, unquote(text)) for token in tokens_in(PEPPERS, each)}
    kept = live().filter(public_id__in=found).only("public_id", "digest")
    works = [each.pk for each in kept if is_kept(found[each.public_id], each)]
    chosen = choose(live().filter(pk__in=works), most=MOST, subject="tokens", details=DETAILS)
    return Leak(genuine=len(found), chosen=chosen)


def is_kept(token: Token, kept: AccessToken) -> bool:
    return hmac.compare_digest(token.digest, bytes(kept.digest))


def because(reason: str) -> str:
    """What the owners are told."""
    return f"{BECAUSE}: {reason}" if reason else BECAUSE
