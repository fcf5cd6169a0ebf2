"""What makers leave behind: tokens that ended, registrations that nobody opened, the admin's old sessions."""

from datetime import timedelta

from django.contrib.sessions.models import Session
from django.db.models.functions import Coalesce
from django.utils import timezone

from makerlog.accounts.models import AccessToken, FreedUsername, Maker
from makerlog.api.purging import purge

ENDED_KEPT = timedelta(days=30)  # for the record: who asks what became of a token finds it


def purge_tokens() -> int:
    """Those revoked, expired, or left idle, so long ago."""
    ended = timezone.now() - ENDED_KEPT
    revoked = AccessToken.objects.filter(revoked_at__lt=ended)
    expired = AccessToken.objects.filter(expires_at__lt=ended)
    logins = AccessToken.objects.filter(kind=AccessToken.Kind.LOGIN, revoked_at=None)
    idle = logins.annotate(seen=Coalesce("last_used_at", "created_at")).filter(seen__lt=ended - AccessToken.IDLE_LOGIN)
    return purge(revoked.order_by("revoked_at")) + purge(expired.order_by("expires_at")) + purge(idle.order_by("seen"))


def purge_registrations() -> int:
    return purge(Maker.objects.lapsed().order_by("date_joined"))


def purge_freed_usernames() -> int:
    freed = FreedUsername.objects.filter(freed_at__lt=timezone.now() - FreedUsername.KEPT_BACK)
    return purge(freed.order_by("freed_at"))


def purge_sessions() -> int:
    return purge(Session.objects.filter(expire_date__lt=timezone.now()).order_by("expire_date"))
