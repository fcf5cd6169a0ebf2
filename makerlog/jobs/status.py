"""How the queue is doing, cheaply: each number is read off the beginning of an index."""

from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils import timezone

from makerlog.jobs.models import Job

MOST = 10_000


@dataclass(frozen=True)
class QueueStatus:
    """Numbers of jobs, each counted up to ``MOST``; ``oldest_s``: for how many seconds the next one has been due."""

    waiting: int
    put_off: int
    running: int
    failed: int
    oldest_s: float


def status() -> QueueStatus:
    return QueueStatus(
        waiting=bounded_count(Job.objects.waiting()),
        put_off=bounded_count(Job.objects.put_off()),
        running=bounded_count(Job.objects.running()),
        failed=bounded_count(Job.objects.failed()),
        oldest_s=oldest_s(),
    )


def bounded_count(jobs: QuerySet[Job]) -> int:
    return jobs.order_by()[:MOST].count()


def oldest_s() -> float:
    next_one = Job.objects.waiting().only("run_after").first()
    return (timezone.now() - next_one.run_after).total_seconds() if next_one else 0.0
