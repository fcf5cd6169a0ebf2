"""What moderation need not keep."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from makerlog.api.purging import BATCH, ROUND, purge
from makerlog.content import ADDRESSES_KEPT
from moderation.cleanups import KINDS
from moderation.links import GOOD_FOR
from moderation.models import Cleanup, Incident, IncidentNote, IncidentRefused, RuleAct, SignInFailure, UsedLink

FAILURES_KEPT = timedelta(days=30)
REFUSED_KEPT = timedelta(days=30)  # addresses
INCIDENTS_KEPT = timedelta(days=365)
RULE_ACTS_KEPT = timedelta(days=30)  # they name addresses; a rule remembers for a week


def purge_sign_in_failures() -> int:
    return purge(SignInFailure.objects.filter(hour__lt=timezone.now() - FAILURES_KEPT).order_by("hour"))


def purge_addresses() -> int:
    """Forgets from where things were posted, ``ADDRESSES_KEPT`` after: of how many rows, ``ROUND`` and a bite at most."""
    old = timezone.now() - ADDRESSES_KEPT
    Cleanup.objects.filter(until__lt=old).exclude(network="").exclude(state=Cleanup.State.HIDING).update(network="")
    gone = 0
    for kind in KINDS:
        while gone < ROUND:
            batch = forget_addresses(kind.model, old)
            gone += batch
            if batch < BATCH:
                break
    return gone


@transaction.atomic
def forget_addresses(model: Any, old: datetime) -> int:
    rows = model._base_manager.filter(posted_from__isnull=False, created_at__lt=old)
    ids = list(rows.select_for_update(no_key=True, skip_locked=True).values_list("pk", flat=True)[:BATCH])
    return model._base_manager.filter(pk__in=ids).update(posted_from=None)


def purge_incidents() -> int:
    """What names somebody is forgotten first, that is whom an incident refused and what was noted; the rest of it later; and
    links that are no longer good."""
    now = timezone.now()
    refused = IncidentRefused.objects.filter(at__lt=now - REFUSED_KEPT).order_by("at")
    notes = IncidentNote.objects.filter(at__lt=now - REFUSED_KEPT).order_by("at")
    old = Incident.objects.filter(began_at__lt=now - INCIDENTS_KEPT).order_by("pk")
    used = UsedLink.objects.filter(at__lt=now - 2 * GOOD_FOR).order_by("at")
    return purge(refused) + purge(notes) + purge(old) + purge(used)


def purge_rule_acts() -> int:
    """What still holds stays, however long ago it began. What was done stands in the audit log."""
    now = timezone.now()
    return purge(RuleAct.objects.filter(at__lt=now - RULE_ACTS_KEPT, until__lt=now).order_by("at"))
