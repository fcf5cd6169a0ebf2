"""``/tasks/sync/``: what changed in one maker's log, in bounded steps that overlap, so that nothing is missed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request

from makerlog.accounts.models import Maker
from makerlog.api.filters import commit_horizon
from makerlog.api.pagination import MAX_LIMIT, Cursor, Reading, Slice, link, read
from tasks.models import DeletedTask, Task

KEY = ("updated_at", "id", "deleted_at", "task_id")

Position = tuple[datetime, int]


@dataclass(frozen=True)
class Changes:
    """``sync_date``: what to ask with the next time; all before it was told by then. ``next``: there is more already."""

    sync_date: datetime
    tasks: list[Task]
    deleted: list[int]
    next: str | None


def changes(maker: Maker, since: datetime, request: Request) -> Changes:
    """At most a page of changed tasks and of deleted ids, each oldest first.

    Nothing goes on from behind the commit horizon: what commits late comes after it and is told the next time.
    """
    horizon = commit_horizon()
    changed_from, deleted_from = positions(request) or ((since, 0), (since, 0))
    changed = step(Task.objects.filter(author=maker, hidden=False).whole(), ("updated_at", "id"), changed_from)
    deleted = step(DeletedTask.objects.filter(author=maker), ("deleted_at", "task_id"), deleted_from)
    onward = [min(piece.rest or (horizon, 0), (horizon, 0)) for piece in (changed, deleted)]
    more = changed.rest or deleted.rest
    return Changes(
        sync_date=min(moment for moment, _ in onward),
        tasks=changed.rows,
        deleted=[tombstone.task_id for tombstone in deleted.rows],
        next=link(request, Cursor(request, KEY).write([*onward[0], *onward[1]], backwards=False)) if more else None,
    )


def step(rows: QuerySet[Any], key: tuple[str, str], position: Position) -> Slice:
    return read(Reading(rows=rows, key=key), position, MAX_LIMIT)


def positions(request: Request) -> tuple[Position, Position] | None:
    """Where the cursor of this request goes on, in the tasks and in the tombstones."""
    text = request.query_params.get("cursor")
    if not text:
        return None
    fields: list[Any] = [
        model._meta.get_field(name) for model, name in zip((Task, Task, DeletedTask, DeletedTask), KEY, strict=True)
    ]
    _, position = Cursor(request, KEY).read(text, fields)
    return (position[0], position[1]), (position[2], position[3])
