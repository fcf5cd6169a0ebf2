"""What makers do with their accounts. Keyword-only, each one transaction."""

from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from makerlog.accounts import tokens
from makerlog.accounts.authentication import PEPPERS
from makerlog.accounts.models import AccessToken, Follow, Maker
from makerlog.accounts.scopes import SCOPES
from makerlog.api.exceptions import Conflict


@transaction.atomic
def create_token(
    *, maker: Maker, name: str = "", scopes: list[str] | None = None, expires_at: datetime | None = None
) -> tuple[AccessToken, str]:
    """A personal token and its text, which is shown this once. No ``scopes``: all of them."""
    Maker.objects.select_for_update().get(pk=maker.pk)  # one at a time, so that the ceiling holds
    live = maker.tokens.filter(kind=AccessToken.Kind.PERSONAL, revoked_at=None)
    if live.count() >= AccessToken.MAX_PERSONAL:
        raise Conflict(f"You have {AccessToken.MAX_PERSONAL} tokens; delete one first.", "too_many_tokens")
    return _kept(maker=maker, kind=AccessToken.Kind.PERSONAL, name=name, scopes=scopes, expires_at=expires_at)


@transaction.atomic
def log_in(*, maker: Maker) -> str:
    """The text of a new log-in token with all scopes; the newest ``MAX_LOGINS`` stay."""
    Maker.objects.select_for_update().get(pk=maker.pk)
    _, text = _kept(maker=maker, kind=AccessToken.Kind.LOGIN, name="log-in", scopes=None, expires_at=None)
    logins = maker.tokens.filter(kind=AccessToken.Kind.LOGIN, revoked_at=None).order_by("-id")
    surplus = logins.values_list("pk", flat=True)[AccessToken.MAX_LOGINS :][:100]
    AccessToken.objects.filter(pk__in=list(surplus)).update(revoked_at=timezone.now())
    return text


def _kept(
    *, maker: Maker, kind: str, name: str, scopes: list[str] | None, expires_at: datetime | None
) -> tuple[AccessToken, str]:
    token = tokens.mint(PEPPERS, expires_at)
    kept = AccessToken.objects.create(
        maker=maker,
        kind=kind,
        name=name,
        scopes=list(SCOPES) if scopes is None else scopes,
        public_id=token.public_id,
        pepper=token.pepper,
        digest=token.digest,
        expires_at=token.expires_at,
    )
    return kept, token.text


def revoke_token(*, token: AccessToken) -> None:
    AccessToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())


@transaction.atomic
def follow(*, follower: Maker, followed: Maker) -> bool:
    """Whether the one follows the other now. Nobody follows themselves."""
    if follower == followed:
        return False
    _, new = Follow.objects.get_or_create(follower=follower, followed=followed)
    if new:
        Maker.objects.filter(pk=followed.pk).update(follower_count=F("follower_count") + 1)
    return True


@transaction.atomic
def unfollow(*, follower: Maker, followed: Maker) -> bool:
    """False: the one does not follow the other now."""
    gone, _ = Follow.objects.filter(follower=follower, followed=followed).delete()
    if gone:
        Maker.objects.filter(pk=followed.pk).update(follower_count=F("follower_count") - 1)
    return False
