"""Exports that nobody may fetch any more."""

from django.utils import timezone

from makerlog.api.purging import ROUND
from makerlog.exports.models import KEPT, Export
from makerlog.exports.storage import storage

AT_ONCE = 200


def purge_exports() -> int:
    """Files first: where the storage is away, the row stays, and they go the next time."""
    old = Export.objects.filter(asked_at__lt=timezone.now() - KEPT).order_by("asked_at")[:AT_ONCE]
    for export in old:
        for name in export.traces:
            storage().delete(name)
        export.delete()
    return ROUND if len(old) == AT_ONCE else len(old)
