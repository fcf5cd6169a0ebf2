"""Where ``task.enqueue()`` puts a job: a row, written in the transaction that is open."""

from typing import Any

from django.utils import timezone
from django_tasks_db.backend import DatabaseBackend


class JobBackend(DatabaseBackend):
    """Every job has its time. The library's own word for "at once" is the year 9999, which stands behind every job that is
    put off: the next one to run would be looked for among all of those."""

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        due = task if task.run_after else task.using(run_after=timezone.now())
        return super().enqueue(due, args, kwargs)
