"""``Authorization: Token x`` or ``Bearer x``. A bad credential is a 401 everywhere, never silently anonymous."""

import hmac
from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from makerlog.accounts import tokens
from makerlog.accounts.models import AccessToken, Maker
from makerlog.accounts.suspension import is_out, why_suspended
from makerlog.env import SettingError

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
        return recognise(text)

    def authenticate_header(self, request: Request) -> str:
        return "Token"


def token_text(header: bytes) -> str:
    """What an Authorization header calls a token; "" where it names none."""
    keyword, _, text = header.partition(b" ")
    return text.strip().decode("latin-1") if keyword.lower() in KEYWORDS else ""


def genuine_token(header: bytes) -> str | None:
    """The public id of the token in an Authorization header, if we made it and it has not expired. Asks no database: what
    was revoked in the meantime passes for genuine here."""
    token = tokens.genuine(PEPPERS, token_text(header))
    return None if token is None or token.expired(timezone.now()) else token.public_id


def recognise(text: str) -> tuple[Maker, AccessToken]:
    """The maker behind a token. The database is asked only about tokens that we made."""
    token = tokens.genuine(PEPPERS, text)
    if token is None:
        raise AuthenticationFailed("This is no token of ours.", "bad_credential")
    kept = AccessToken.objects.select_related("maker").filter(public_id=token.public_id).first()
    if kept is None or not hmac.compare_digest(bytes(kept.digest), token.digest) or not kept.live():
        raise AuthenticationFailed("This token has expired or was revoked.", "token_expired")
    if not kept.maker.is_active:
        raise AuthenticationFailed("This account is closed.", "account_closed")
    if is_out(kept.maker):
        raise AuthenticationFailed(why_suspended(kept.maker), "suspended")
    note_use(kept)
    return kept.maker, kept


def note_use(token: AccessToken) -> None:
    """Last used, written at most once a minute."""
    now = timezone.now()
    if not token.last_used_at or token.last_used_at < now - LAST_USED_EVERY:
        AccessToken.objects.filter(pk=token.pk).update(last_used_at=now)


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "`Authorization: Token x` works as well."}
