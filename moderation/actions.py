"""The only way to act: the admin's pages, the commands and the rules all call these. Each is one transaction, announced to
every process and noted in the audit log."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from makerlog.changes.journal import announce
from makerlog.env import Network
from moderation.audit import note
from moderation.models import Ban


@transaction.atomic
def ban(
    *,
    network: Network,
    applies_to: str = Ban.AppliesTo.EVERYTHING,
    expires_at: datetime | None = None,
    reason: str = "",
    reason_is_public: bool = False,
    origin: str = Ban.Origin.MANUAL,
    actor: Any = None,
) -> Ban:
    """Refuses ``network`` from the next second on. Takes the place of the ban of the same network, if one stands."""
    now = timezone.now()
    replaced = list(Ban.objects.select_for_update().filter(network=str(network), lifted_at=None))
    Ban.objects.filter(pk__in=[each.pk for each in replaced]).update(lifted_at=now)
    made = Ban.objects.create(
        network=str(network),
        family=network.version,
        low=int(network.network_address),
        high=int(network.broadcast_address),
        applies_to=applies_to,
        expires_at=expires_at,
        reason=reason,
        reason_is_public=reason_is_public,
        origin=origin,
        author=actor,
        created_at=now,
    )
    expiry = expires_at.isoformat() if expires_at else None
    note(act="ban", subject=f"ban:{made.pk}", actor=actor, reason=reason, applies_to=applies_to, expires_at=expiry)
    announce("ban", [made.pk, *(each.pk for each in replaced)])
    return made


@transaction.atomic
def lift(*, bans: list[int], actor: Any = None, reason: str = "") -> int:
    """Lifts the bans of these ids: how many stood."""
    stood = list(Ban.objects.select_for_update().filter(pk__in=bans, lifted_at=None).values_list("pk", flat=True))
    Ban.objects.filter(pk__in=stood).update(lifted_at=timezone.now())
    for pk in stood:
        note(act="lift", subject=f"ban:{pk}", actor=actor, reason=reason)
    announce("ban", stood)
    return len(stood)
