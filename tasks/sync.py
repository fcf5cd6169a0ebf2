"""``/tasks/sync/``: what changed in one maker's log, in bounded steps that overlap, so that nothing is missed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F
from rest_framework.request import Request

from makerlog.accounts.models import Maker
from makerlog.api.columns import Asked, asked_by_all
from makerlog.api.compiled import compiled
from makerlog.api.filters import commit_horizon
from makerlog.api.keyset import Reading, Row, Slice, fixed, read
from makerlog.api.pagination import MAX_LIMIT, Cursor
from tasks.models import DeletedTask, Task
from tasks.serializers import TaskSerializer

# What a cursor holds, by the fields that read it: where the tasks go on, where the tombstones, and the horizon.
FIELDS: list[Any] = [
    *map(Task._meta.get_field, ("updated_at", "id")),
    *map(DeletedTask._meta.get_field, ("deleted_at", "task_id", "deleted_at")),
]
KEY = tuple(field.name for field in FIELDS)

Position = tuple[datetime, int]

ROWS = fixed(Task.objects.all())
DELETED = fixed(DeletedTask.objects.all())
ID = asked_by_all("sync", [F("task_id")])
PK, HIDDEN = -2, -1  # places in a row: see shown_to


@dataclass(frozen=True)
class Changes:
    """``sync_date``: what to ask with the next time; all before it was told by then. ``next``: there is more."""

    sync_date: datetime
    tasks: list[Row]  # of the columns that a TaskSerializer shows
    deleted: list[int]
    next: str | None


@dataclass(frozen=True)
class Walk:
    """Where a walk over several answers stands, in the tasks and in the tombstones; and ``horizon``, the commit horizon
    when it began: what committed late since then may lie behind it, so the next walk begins there at the latest."""

    changed: Position
    deleted: Position
    horizon: datetime


def changes(maker: Maker, since: datetime, request: Request, most: int) -> Changes:
    """At most ``most`` changed tasks, oldest first, and at most MAX_LIMIT deleted ones: what moderation hid is told as
    deleted, before the tombstones; and what it shows again as changed."""
    walk = going_on(request) or Walk((since, 0), (since, 0), commit_horizon())
    tasks = Reading(rows=ROWS, key=("updated_at", "id"), pins={"author": maker.pk})
    gone = Reading(rows=DELETED, key=("deleted_at", "task_id"), pins={"author": maker.pk})
    changed, changed_to = step(tasks, walk.changed, most, shown_to(maker))
    hidden = [row[PK] for row in changed.rows if row[HIDDEN]]
    if len(hidden) == MAX_LIMIT:  # no room for a tombstone: who goes by sync_date alone would never get past it
        return changes(maker, since, request, MAX_LIMIT - 1)
    deleted, deleted_to = step(gone, walk.deleted, MAX_LIMIT - len(hidden), ID)
    rests = [datetime.fromisoformat(piece.rest[0]) for piece in (changed, deleted) if piece.rest]
    onward = [*changed_to, *deleted_to, walk.horizon]
    return Changes(
        sync_date=min([walk.horizon, *rests]),
        tasks=[row for row in changed.rows if not row[HIDDEN]],
        deleted=hidden + [pk for (pk,) in deleted.rows],
        next=Cursor(request, KEY).link(onward) if rests else None,
    )


def shown_to(maker: Maker) -> Asked:
    """What a TaskSerializer shows, and what this looks at."""
    shown = compiled(TaskSerializer).asked(maker)
    return Asked(("sync", shown.key), shown.pk, lambda pk: [*shown.to(pk), F("pk"), F("hidden")])


def step(reading: Reading, position: Position, most: int, asked: Asked) -> tuple[Slice, tuple[Any, ...]]:
    """The page behind ``position``, and the position that it reached."""
    piece = read(reading, position, most, asked)
    return piece, piece.last or position


def going_on(request: Request) -> Walk | None:
    """The walk that the cursor of this request goes on with."""
    text = request.query_params.get("cursor")
    if not text:
        return None
    _, position = Cursor(request, KEY).read(text, FIELDS)
    return Walk((position[0], position[1]), (position[2], position[3]), position[4])
