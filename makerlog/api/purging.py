"""How old rows go: in small bites, so that no lock is held for long and nothing is lost when a bite is cut short."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet

BATCH = 1_000  # rows a statement, each a transaction of its own
ROUND = 20_000  # rows a call


def purge(rows: QuerySet[Any]) -> int:
    """Deletes ``rows``, at most ``ROUND``, and tells how many. They come in an order that an index begins with."""
    gone = 0
    while gone < ROUND:
        batch = purge_batch(rows)
        gone += batch
        if batch < BATCH:
            break
    return gone


@transaction.atomic
def purge_batch(rows: QuerySet[Any]) -> int:
    """Locked before they are deleted: a row that is no longer to go, since somebody changes it now, stays."""
    keys = list(rows.select_for_update(skip_locked=True).values_list("pk", flat=True)[:BATCH])
    if keys:
        rows.model._base_manager.filter(pk__in=keys).delete()
    return len(keys)
