"""``Authorization: Token x`` or ``Bearer x``. A bad credential is a 401 everywhere, never silently anonymous."""

import hmac
from datetime import timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from makerlog.accounts import tokens
from makerlog.accounts.identity import identities
from makerlog.accounts.models import AccessToken, Maker
from makerlog.accounts.revoked import revoked
from makerlog.accounts.suspension import is_out, is_shut_out, why_suspended
from makerlog.accounts.uses import Use, uses
from makerlog.env import SettingError
from makerlog.gate.lanes import WHOSE

KEYWORDS = {b"token", b"bearer"}
LAST_USED_EVERY = timedelta(minutes=1)

try:
    PEPPERS = tokens.read_peppers(settings.TOKEN_PEPPERS)
except ValueError as error:
    raise SettingError("TOKEN_PEPPERS must be one secret, or numbered ones: 2:newer,1:older.") from error


class TokenAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Maker, AccessToken] | None:
        header = get_authorization_header(request)
        if not header:
            return None
        text = token_text(header)
        if not text:
            raise AuthenticationFailed("Send `Authorization: Token <your token>`.", "bad_credential")
        maker, token = recognise(text, request.META["REMOTE_ADDR"], whole=needs_whole_caller(request))
        request.META[WHOSE] = token.maker_id  # for the front door: all of a maker's tokens queue as one client
        return maker, token

    def authenticate_header(self, request: Request) -> str:
        return "Token"


def token_text(header: bytes) -> str:
    """What an Authorization header calls a token; "" where it names none."""
    keyword, _, text = header.partition(b" ")
    return text.strip().decode("latin-1") if keyword.lower() in KEYWORDS else ""


def read_token(text: str) -> tokens.Token | None:
    """The token that ``text`` is, if we made it."""
    return read_lately(text) if len(text) == tokens.LENGTH else None


@lru_cache(maxsize=4_096)
def read_lately(text: str) -> tokens.Token | None:
    """The door asks, the ban middleware and the view; and an app comes again and again."""
    return tokens.genuine(PEPPERS, text)


def genuine_token(header: bytes) -> str | None:
    """The public id of the token in an Authorization header, if we made it, it has neither expired nor been revoked, and its
    maker is let in. Asks no database: what is revoked stands in memory (see revoked.py), the newest of it at least, and whose
    maker is suspended or closed after its first request."""
    token = read_token(token_text(header))
    if token is None or token.expired(timezone.now()) or token.public_id in revoked:
        return None
    remembered = identities.recall(token.public_id)
    return None if remembered is not None and is_shut_out(remembered.maker) else token.public_id


def needs_whole_caller(request: Request) -> bool:
    """Whether more of the maker is wanted than who they are: where they write, or read of themselves. What writes in their
    name may say that it asks for the rest itself."""
    view: Any = (request.parser_context or {}).get("view")
    return getattr(view, "whole_caller" if request.method in SAFE_METHODS else "whole_writer", True)


def recognise(text: str, address: str, *, whole: bool = True) -> tuple[Maker, AccessToken]:
    """The maker behind a token used from ``address``. The database is asked only about tokens that we made, and where not
    the ``whole`` maker is wanted, only about those that are not remembered (see identity.py)."""
    token = read_token(text)
    if token is None:
        raise AuthenticationFailed("This is no token of ours.", "bad_credential")
    kept = look_up(token.public_id) if whole else identities.find(token.public_id)
    if kept is None or not hmac.compare_digest(bytes(kept.digest), token.digest):
        is_over = token.expired(timezone.now())
        detail = "This token has expired or was revoked."
        raise AuthenticationFailed(detail, "token_expired" if is_over else "token_revoked")
    if not kept.live():
        raise AuthenticationFailed(why_ended(kept), "token_revoked" if kept.revoked_at else "token_expired")
    if whole and is_shut_out(kept.maker):
        identities.find(token.public_id)  # remembers it, for the front door
    if not kept.maker.is_active:
        raise AuthenticationFailed("This account is closed.", "account_closed")
    if is_out(kept.maker):
        raise AuthenticationFailed(why_suspended(kept.maker), "suspended")
    note_use(kept, address)
    return kept.maker, kept


def look_up(public_id: str) -> AccessToken | None:
    return AccessToken.objects.select_related("maker").filter(public_id=public_id).first()


def why_ended(token: AccessToken) -> str:
    """Whose act it was, and no more: the token may be in the wrong hands; moderation's reason is mailed to its owner."""
    if token.revoked_because:
        return "This token was revoked by moderation."
    if token.revoked_at:
        return "This token was revoked by its owner's account."
    return "This token has expired."


def note_use(token: AccessToken, address: str) -> None:
    """When it was last used and from where, at most once a minute."""
    now = timezone.now()
    if not token.last_used_at or token.last_used_at < now - LAST_USED_EVERY:
        uses.note(token.pk, Use(now, address or None))
        token.last_used_at = now
        identities.used(token)


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "`Authorization: Token x` works as well."}
