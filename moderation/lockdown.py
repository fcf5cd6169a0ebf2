"""The lockdown level in words: for the admin and the command."""

from django.utils import timezone

from moderation.models import Lockdown
from moderation.moments import spoken

Level = Lockdown.Level

LEVELS = {
    Level.NORMAL: "everything as usual",
    Level.GUARDED: "a quarter of the budget for whoever shows no token, no new accounts, new makers post slower",
    Level.UNDER_ATTACK: "as guarded, and whoever shows no token gets next to nothing",
}


def declared_now() -> Lockdown:
    """What holds now: normal, where nothing was declared or its end has come."""
    row = Lockdown.objects.select_related("author").first() or Lockdown()
    return Lockdown() if row.expires_at and row.expires_at <= timezone.now() else row


def sentence(declared: Lockdown) -> str:
    """``The level is guarded, ends in 1 hour (...).``"""
    if declared.level == Level.NORMAL:
        return "The level is normal."
    ends = f"ends {spoken(declared.expires_at)}" if declared.expires_at else "until somebody changes it"
    return f"The level is {declared.level}, {ends}."
