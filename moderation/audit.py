"""The one way into the audit log."""

from typing import Any

from moderation.models import AuditEntry


def note(*, act: str, subject: str, actor: Any = None, reason: str = "", **details: Any) -> AuditEntry:
    """``actor``: the maker who acts; None for a command on the server. ``details``: JSON, naming nobody."""
    return AuditEntry.objects.create(
        act=act, subject=subject, actor_id=actor.pk if actor else None, reason=reason[:300], details=details
    )
