"""Tasks for tests, made without the API."""

from datetime import UTC, datetime, timedelta
from typing import Any

from makerlog.accounts.models import Maker
from tasks.actions import log_task
from tasks.models import Task

NOON = datetime(2026, 5, 20, 12, tzinfo=UTC)  # a Wednesday


def log(author: Maker, content: str = "Wrote a test", **values: Any) -> Task:
    """A task as the API would log it; ``created_at`` may be given."""
    created_at = values.pop("created_at", None)
    task, _ = log_task(author=author, content=content, **values)
    if created_at:
        move(task, created_at)
    return task


def move(task: Task, created_at: datetime) -> None:
    """Makes a task as old as ``created_at``, filings included."""
    Task.objects.filter(pk=task.pk).update(created_at=created_at)
    task.project_filings.update(created_at=created_at)
    task.product_filings.update(created_at=created_at)
    task.refresh_from_db()


def bulk(author: Maker, count: int, **values: Any) -> None:
    """Many tasks at once, one a minute up to noon unless ``created_at`` says when."""
    made = [
        Task(author=author, content=f"Task {number}", **{"created_at": NOON - timedelta(minutes=number), **values})
        for number in range(count)
    ]
    Task.objects.bulk_create(made)


def contents(response: Any) -> list[str]:
    """What the tasks of a list say, in its order."""
    body = response.json()
    assert response.status_code == 200, body
    return [task["content"] for task in (body["results"] if isinstance(body, dict) else body)]
