"""Syncs: what changed in a log and what is gone from it, in bounded steps that overlap, so that nothing is missed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import F
from rest_framework.request import Request

from makerlog.accounts.models import Maker
from makerlog.api.columns import Asked, asked_by_all
from makerlog.api.compiled import compiled
from makerlog.api.filters import FlexibleDateTimeField, commit_horizon, moment_named
from makerlog.api.keyset import Reading, Row, Slice, fixed, read
from makerlog.api.pagination import MAX_LIMIT, Cursor
from makerlog.api.removals import ORDER as REMOVAL_ORDER
from tasks.models import DeletedTask, Task, TaskRemoval
from tasks.serializers import TaskSerializer

# What a cursor holds, by the fields that read it: where the tasks go on, where the tombstones, and the horizon.
FIELDS: list[Any] = [
    *map(Task._meta.get_field, ("updated_at", "id")),
    *map(DeletedTask._meta.get_field, ("deleted_at", "task_id", "deleted_at")),
]
KEY = tuple(field.name for field in FIELDS)
CHANGED_FIRST = ("updated_at", "id")
FIRST = FlexibleDateTimeField.FIRST

Position = tuple[datetime, int]

ROWS = fixed(Task.objects.all())
DELETED = fixed(DeletedTask.objects.all())
REMOVED = fixed(TaskRemoval.objects.all())
TASK_ID = asked_by_all("sync", [F("task_id")])
REMOVED_ID = asked_by_all("sync", [F("id")])
PK, HIDDEN = -2, -1  # places in a row: see shown_to


class Log(NamedTuple):
    """What a sync reads, each by a moment and an id: ``tasks``, and what is ``gone``, of which ``gone_id`` is told."""

    tasks: Reading
    gone: Reading
    gone_id: Asked


@dataclass(frozen=True)
class Walk:
    """Where a walk over several answers stands, in the tasks and in the tombstones; and ``horizon``, the commit horizon
    when it began: what committed late since then may lie behind it, so the next walk begins there at the latest."""

    changed: Position
    deleted: Position
    horizon: datetime

    @property
    def position(self) -> list[Any]:
        """As a cursor says it: see FIELDS."""
        return [*self.changed, *self.deleted, self.horizon]


@dataclass(frozen=True)
class Changes:
    """``sync_date``: what to ask with the next time; all before it was told by then. ``next``: there is more."""

    sync_date: datetime
    tasks: list[Row]  # of the columns that a TaskSerializer shows
    deleted: list[int]
    next: Walk | None


def begun(log: Log, since: datetime) -> Walk:
    first = since if log.tasks.key == CHANGED_FIRST else FIRST
    return Walk((first, 0), (since, 0), commit_horizon())


def own_log(maker: Maker) -> Log:
    """All that is a maker's own."""
    return Log(
        tasks=Reading(rows=ROWS, key=CHANGED_FIRST, pins={"author": maker.pk}),
        gone=Reading(rows=DELETED, key=("deleted_at", "task_id"), pins={"author": maker.pk}),
        gone_id=TASK_ID,
    )


def log_of(tasks: Reading) -> Log:
    """Some tasks, and all that was public and is no more: whose it was, or what it was filed under, is kept nowhere."""
    return Log(tasks, Reading(rows=REMOVED, key=REMOVAL_ORDER), REMOVED_ID)


def changes(log: Log, walk: Walk, reader: Any, most: int) -> Changes:
    """At most ``most`` changed tasks, oldest first, and at most MAX_LIMIT deleted ones: what moderation hid is told as
    deleted, before the tombstones; and what it shows again as changed. The tasks are read first: what goes meanwhile is
    among the deleted ones."""
    changed, changed_to = step(log.tasks, walk.changed, most, shown_to(reader))
    hidden = [row[PK] for row in changed.rows if row[HIDDEN]]
    if len(hidden) == MAX_LIMIT:  # no room for a tombstone: who goes by sync_date alone would never get past it
        return changes(log, walk, reader, MAX_LIMIT - 1)
    deleted, deleted_to = step(log.gone, walk.deleted, MAX_LIMIT - len(hidden), log.gone_id)
    rests = [datetime.fromisoformat(piece.rest[0]) for piece in (changed, deleted) if piece.rest]
    return Changes(
        sync_date=min([walk.horizon, *rests]),
        tasks=[row for row in changed.rows if not row[HIDDEN]],
        deleted=hidden + [pk for (pk,) in deleted.rows],
        next=Walk(changed_to, deleted_to, walk.horizon) if rests else None,
    )


def shown_to(reader: Any) -> Asked:
    """What a TaskSerializer shows, and what this looks at."""
    shown = compiled(TaskSerializer).asked(reader)
    return Asked(("sync", shown.key), shown.pk, lambda pk: [*shown.to(pk), F("pk"), F("hidden")])


def step(reading: Reading, position: Position, most: int, asked: Asked) -> tuple[Slice, Position]:
    """The page behind ``position``, and the position that it reached."""
    piece = read(reading, position, most, asked)
    reached = piece.rest or piece.last
    return piece, (datetime.fromisoformat(str(reached[0])), reached[1]) if reached else position


def since_of(request: Request) -> datetime | None:
    """What ``last_sync_date`` says; 0, with which old apps begin, is the beginning."""
    return FIRST if request.query_params.get("last_sync_date") == "0" else moment_named(request, "last_sync_date")


def walk_of(request: Request, log: Log, since: datetime) -> Walk:
    """The walk that the cursor of this request goes on with, or one that begins."""
    text = request.query_params.get("cursor")
    if not text:
        return begun(log, since)
    _, position = Cursor(request, KEY).read(text, FIELDS)
    return Walk((position[0], position[1]), (position[2], position[3]), position[4])


def link_of(request: Request, walk: Walk | None) -> str | None:
    return Cursor(request, KEY).link(walk.position) if walk else None
