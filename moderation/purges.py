"""What moderation need not keep."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from makerlog.api.purging import BATCH, ROUND, purge
from makerlog.content import ADDRESSES_KEPT
from moderation.cleanups import KINDS
from moderation.models import Cleanup, SignInFailure

FAILURES_KEPT = timedelta(days=30)


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
