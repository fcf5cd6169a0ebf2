"""What jobs leave behind."""

from datetime import timedelta

from django.utils import timezone

from makerlog.api.purging import purge
from makerlog.jobs.models import Job

DONE_KEPT = timedelta(days=1)
FAILED_KEPT = timedelta(days=30)


def purge_jobs() -> int:
    """By when they were enqueued, which has an index: a job is done or given up within 15 hours of that."""
    now = timezone.now()
    done = Job.objects.done().filter(enqueued_at__lt=now - DONE_KEPT)
    failed = Job.objects.failed().filter(enqueued_at__lt=now - FAILED_KEPT)
    return purge(done.order_by("enqueued_at")) + purge(failed.order_by("enqueued_at"))
