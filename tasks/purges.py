"""What deleted tasks leave behind."""

from datetime import timedelta

from django.utils import timezone

from makerlog.api.purging import purge
from tasks.models import DeletedTask

TOMBSTONES_KEPT = timedelta(days=30)


def purge_tombstones() -> int:
    old = DeletedTask.objects.filter(deleted_at__lt=timezone.now() - TOMBSTONES_KEPT)
    return purge(old.order_by("deleted_at"))
