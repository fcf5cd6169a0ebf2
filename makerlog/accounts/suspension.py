"""What a suspended maker may not do, and the words in which they are told. Moderation suspends; here it holds."""

from datetime import UTC

from django.conf import settings
from django.contrib.auth.backends import ModelBackend

from makerlog.accounts.models import AccessToken, Maker


def is_out(maker: Maker) -> bool:
    return maker.suspension == Maker.Suspension.OUT


def is_shut_out(maker: Maker) -> bool:
    """Whether no token of theirs lets them in."""
    return not maker.is_active or is_out(maker)


def is_read_only(maker: Maker) -> bool:
    return maker.suspension == Maker.Suspension.READ_ONLY


def why_suspended(maker: Maker) -> str:
    """For the maker alone: what holds, until when and why, and whom to ask."""
    what = "is suspended" if is_out(maker) else "may read but not write"
    until = maker.suspended_until
    when = f" until {until.astimezone(UTC).isoformat(timespec='seconds')}" if until else ""
    why = f": {maker.suspension_reason}" if maker.suspension_reason else ""
    return f"This account {what}{when}{why}. If that is wrong, write to {settings.APPEAL_TO}."


def why_paused(token: AccessToken) -> str:
    """For whoever holds the token; the reason was mailed to its owner."""
    until = token.paused_until.astimezone(UTC).isoformat(timespec="seconds") if token.paused_until else ""
    return f"This token may read but not write until {until}. If that is wrong, write to {settings.APPEAL_TO}."


class UnsuspendedBackend(ModelBackend):
    """Threat: staff whose account was taken keep the admin open. A session, new or old, is for makers in good standing."""

    def user_can_authenticate(self, user: Maker | None) -> bool:  # type: ignore[override]
        return super().user_can_authenticate(user) and user is not None and not user.suspension
