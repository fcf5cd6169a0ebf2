"""The one way into the audit log."""

import re
from typing import Any

from django.db.models import QuerySet

from makerlog.accounts.models import AccessToken, Maker
from moderation.models import AuditEntry


def note(*, act: str, subject: str, actor: Any = None, reason: str = "", **details: Any) -> AuditEntry:
    """``actor``: the maker who acts; None for a command on the server. ``details``: JSON, naming nobody."""
    return AuditEntry.objects.create(
        act=act,
        subject=subject,
        actor_id=actor.pk if actor else None,
        reason=nameless(reason, subject)[:300],
        details=details,
    )


def nameless(words: str, subject: str) -> str:
    """``words`` with ``maker:12`` in place of the username and the address of the maker they are about, if they are about
    one. The log outlives the account, and no erasure reaches it. (Whom else the staff name in it is theirs to mind.)"""
    for maker in whom(subject) if words else ():
        for name in filter(None, (maker.email, maker.pending_email, maker.username)):
            words = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", f"maker:{maker.pk}", words, flags=re.IGNORECASE)
    return words


def whom(subject: str) -> QuerySet[Maker]:
    kind, _, number = subject.partition(":")
    if kind == "token" and number.isdigit():
        return Maker.objects.filter(pk__in=AccessToken.objects.filter(pk=number).values("maker"))
    return Maker.objects.filter(pk=number) if kind == "maker" else Maker.objects.none()
