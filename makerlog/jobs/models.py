"""Jobs, and when the chores are due."""

import random
from datetime import timedelta
from traceback import format_exception
from typing import ClassVar

from django.db import models
from django.utils import timezone
from django_tasks.base import TaskResultStatus as Status
from django_tasks_db.models import DBTaskResult

MAX_ATTEMPTS = 10  # over 15 hours
FIRST_DELAY_S, LONGEST_DELAY_S = 10, 6 * 3600


class JobQuerySet(models.QuerySet["Job"]):
    def waiting(self) -> "JobQuerySet":
        """Those that could run now."""
        return self.filter(status=Status.READY, run_after__lte=timezone.now())

    def call_back(self) -> int:
        """Makes those due that are put off for longer than any job is, by a clock that was ahead. How many there were."""
        now = timezone.now()
        return self.filter(status=Status.READY, run_after__gt=now + 2 * timedelta(seconds=LONGEST_DELAY_S)).update(
            run_after=now
        )

    def put_off(self) -> "JobQuerySet":
        """Those whose time comes later, most of them because they failed."""
        return self.filter(status=Status.READY, run_after__gt=timezone.now())

    def running(self) -> "JobQuerySet":
        return self.filter(status=Status.RUNNING)

    def failed(self) -> "JobQuerySet":
        """Those that were given up."""
        return self.filter(status=Status.FAILED)

    def done(self) -> "JobQuerySet":
        return self.filter(status=Status.SUCCESSFUL)


class Job(DBTaskResult):
    """The library's row, in our words: what to call with what, when, and how it went."""

    objects: ClassVar = JobQuerySet.as_manager()  # type: ignore[assignment]  # where the library has its own

    class Meta:
        proxy = True
        verbose_name = "job"
        verbose_name_plural = "jobs"

    def __str__(self) -> str:
        return f"{self.task_path} ({self.status.lower()})"

    @property
    def attempts(self) -> int:
        return len(self.worker_ids)

    @property
    def worker(self) -> str:
        """Who tried it last; empty before the first attempt."""
        return self.worker_ids[-1] if self.worker_ids else ""

    def note_success(self) -> None:
        """What it was called with is forgotten: that may be an address."""
        self.set_successful(None)
        self.args_kwargs = {"args": [], "kwargs": {}}
        self.save(update_fields=["args_kwargs"])

    def note_failure(self, error: BaseException) -> None:
        """Puts the job off; after ``MAX_ATTEMPTS`` it is given up, and kept."""
        if self.attempts >= MAX_ATTEMPTS:
            self.set_failed(error)
            return
        self.status = Status.READY
        self.run_after = timezone.now() + delay(self.attempts)
        self.exception_class_path = f"{type(error).__module__}.{type(error).__qualname__}"
        self.traceback = "".join(format_exception(error))
        self.save(update_fields=["status", "run_after", "exception_class_path", "traceback"])

    def put_off(self, seconds: float) -> None:
        """Its time has not come: that was no attempt."""
        self.status = Status.READY
        self.run_after = timezone.now() + timedelta(seconds=seconds)
        self.worker_ids = self.worker_ids[:-1]
        self.save(update_fields=["status", "run_after", "worker_ids"])


def delay(attempts: int) -> timedelta:
    """How long after so many attempts the next one comes: thrice as long each time, a tenth more or less."""
    seconds = min(FIRST_DELAY_S * 3 ** (attempts - 1), LONGEST_DELAY_S)
    return timedelta(seconds=seconds * random.uniform(0.9, 1.1))  # noqa: S311  (spreads load, keeps no secret)


class DueChore(models.Model):
    """When a chore of the schedule is due next."""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField()
