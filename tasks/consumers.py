"""The streams of tasks: of everybody, of one maker, of one product, of oneself."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote

from django.db.models import Q
from django.shortcuts import get_object_or_404
from django.utils import timezone

from makerlog import content
from makerlog.accounts.consumers import ANYBODY, MakerStream
from makerlog.accounts.models import Maker
from makerlog.api.columns import by
from makerlog.api.compiled import compiled
from makerlog.api.fields import UtcDateTimeField
from makerlog.api.filters import COMMIT_HORIZON, FlexibleDateTimeField
from makerlog.api.keyset import Branch, Reading
from makerlog.api.renderers import weight
from makerlog.api.timezones import moment_said
from makerlog.gate.socket import BANNED
from makerlog.live.hub import hub
from products.events import TEAM, of_product, of_team
from products.models import Membership, Product
from tasks import events
from tasks.filters import filing
from tasks.serializers import TaskSerializer
from tasks.sync import CHANGED_FIRST, ROWS, Changes, Log, Walk, begun, changes, log_of, own_log

MOST_SYNCED = 50
SYNC_BYTES = 64 * 1024  # said twice in one frame, of the 256 KiB that a reader may leave unread
MAX_EMPTY_WINDOWS = 1  # looked through before the last of one frame: two take as long as 50 tasks
SYNCED = timedelta(days=1)
OLDEST_FIRST = ("created_at", "id")
MAX_CURSOR = 200  # letters; what is longer is cut, and so no cursor
CURSOR = re.compile(
    r"(?P<since>\S{1,32}) (?P<changed>\S{1,32}) (?P<task>[0-9]{1,18})"
    r" (?P<deleted>\S{1,32}) (?P<gone>[0-9]{1,18}) (?P<horizon>\S{1,32})"
)


class Followed(NamedTuple):
    """A stream's name, and the log that it goes on from, of what changed since a moment."""

    name: str
    log: Callable[[datetime], Log]


class TaskStream(MakerStream):
    """Answers task.sync: the tasks of this stream that changed since ``last_date``, and what is ``deleted``, as many as fit;
    ``next`` where there are more, which the client sends back as ``cursor``; in the last frame, ``sync_date`` is what to send
    as ``last_date`` the next time."""

    resource = "tasks"

    def followed(self, reader: Any) -> Followed:
        """What ``reader`` follows here, who may be ANYBODY. Http404 where they may know of nothing here."""
        raise NotImplementedError

    def stream_for(self, maker: Any) -> str:
        return self.followed(maker).name

    async def answer(self, kind: Any, payload: dict[str, Any]) -> None:
        if kind != "task.sync":
            return None
        since = moment_said(str(payload.get("last_date") or timezone.now() - SYNCED))
        if isinstance(since, str):
            return await self.tell("error", {"detail": "last_date must be in ISO 8601.", "code": "bad_parameter"})
        cursor = cursor_said(payload.get("cursor"))
        if isinstance(cursor, str):
            return await self.tell("error", {"detail": cursor, "code": "bad_parameter"})
        # A client may go by created_at, which is a little later than updated_at.
        since, walk = cursor or (clamped(since) - COMMIT_HORIZON, None)
        rows, more = await self.ask(lambda: self.read_changes(since, walk))
        return await self.tell("task.sync", rows, batch=rows, **more)

    def read_changes(self, since: datetime, walk: Walk | None) -> tuple[list[Any], dict[str, Any]]:
        """The tasks of one frame and what else it says. Who reads, and what they may, is asked anew."""
        pk = self.socket.maker
        reader = ANYBODY if pk is None else Maker.objects.get(pk=pk)
        log = self.followed(reader).log(since)
        piece, rows = frame_of(log, walk or begun(log, since), reader)
        sync_date = None if piece.next else UtcDateTimeField().to_representation(piece.sync_date)
        onward = piece.next and cursor_of(since, piece.next)
        return rows, {"deleted": piece.deleted, "sync_date": sync_date, "next": onward}


def frame_of(log: Log, walk: Walk, reader: Any) -> tuple[Changes, list[Any]]:
    """As many tasks as fit into one frame; past windows in which nothing changed, if these are few."""
    most, empty, tasks = MOST_SYNCED, 0, compiled(TaskSerializer)
    while True:
        piece = changes(log, walk, reader, most)
        rows = tasks.shown(piece.tasks)
        if not rows and not piece.deleted and piece.next and empty < MAX_EMPTY_WINDOWS:
            walk, empty = piece.next, empty + 1
        elif len(rows) <= 1 or weight(rows) <= SYNC_BYTES:
            return piece, rows
        else:
            most = len(rows) // 2


def cursor_of(since: datetime, walk: Walk) -> str:
    """Not signed: it bounds what this reader is told of what they may read anyway."""
    facts = [since, *walk.position]
    return " ".join(each.isoformat() if isinstance(each, datetime) else str(each) for each in facts)


def cursor_said(cursor: Any) -> tuple[datetime, Walk] | str | None:
    """Where a task.sync goes on; None: at its beginning; a text: what is wrong with ``cursor``."""
    if not cursor:
        return None
    match = CURSOR.fullmatch(str(cursor)[:MAX_CURSOR])
    moments = [moment_said(match[name]) for name in ("since", "changed", "deleted", "horizon")] if match else []
    if match is None or any(isinstance(moment, str) for moment in moments):
        return "cursor must be the `next` of an earlier task.sync."
    since, changed, deleted, horizon = [clamped(moment) for moment in moments if isinstance(moment, datetime)]
    return since, Walk((changed, int(match["task"])), (deleted, int(match["gone"])), horizon)


def clamped(moment: datetime) -> datetime:
    return min(max(moment, FlexibleDateTimeField.FIRST), FlexibleDateTimeField.LAST)


class ExploreStream(TaskStream):
    """The public tasks of all."""

    public = events.EVERYBODY

    def paths(self) -> list[str]:
        return ["/tasks/"]

    def followed(self, reader: Any) -> Followed:
        return Followed(self.public, lambda since: log_of(Reading(ROWS, CHANGED_FIRST, branches=content.PUBLIC)))


class MakerTaskStream(TaskStream):
    """The tasks of one maker: to themselves the private ones too."""

    def followed(self, reader: Any) -> Followed:
        maker = get_object_or_404(Maker.objects.named(self.named["maker"]), is_active=True)
        return tasks_of(maker, reader)

    def paths(self) -> list[str]:
        return [f"/tasks/?user={quote(self.named['maker'])}"]


class OwnTaskStream(TaskStream):
    """One's own tasks, private ones included."""

    private = True

    def followed(self, reader: Any) -> Followed:
        return tasks_of(reader, reader)

    def paths(self) -> list[str]:
        return [f"/tasks/?user={self.socket.maker}"]


def tasks_of(maker: Maker, reader: Any) -> Followed:
    if maker == reader:
        return Followed(events.own(maker.pk), lambda since: own_log(maker))
    reading = Reading(ROWS, OLDEST_FIRST, pins={"author": maker.pk}, branches=content.PUBLIC)
    return Followed(events.of_maker(maker.pk), lambda since: made_in_order(reading, since))


def made_in_order(reading: Reading, since: datetime) -> Log:
    """What changed since, of tasks in the order they were made: no index of one maker's public tasks, or of one product's,
    is in the order of their changes, so they are looked through, a window at a time."""
    return log_of(reading._replace(sought=(by(updated_at__gte=since),)))


class ProductStream(TaskStream):
    """The tasks filed under one product: to its team the private ones too."""

    def followed(self, reader: Any) -> Followed:
        product = get_object_or_404(Product.objects.visible_to(reader).named(self.named["slug"]))
        mine = reader.is_authenticated and Membership.objects.filter(product=product, maker=reader).exists()
        listed = Branch(Q(product_filings__listed=True))
        reading = Reading(
            ROWS,
            OLDEST_FIRST,
            served=(by(product_filings__product=product.pk),),
            columns=filing("product"),
            branches=(listed, Branch(Q(product_filings__listed=False, hidden=False))) if mine else (listed,),
        )
        name = of_team(product.pk) if mine else of_product(product.pk)
        return Followed(name, lambda since: made_in_order(reading, since))

    def paths(self) -> list[str]:
        return [f"/tasks/?product={quote(self.named['slug'])}"]


class TeamsOfSockets:
    """Closes the open sockets of who is on a product's team no longer. Follows what is announced of teams (see
    makerlog.changes)."""

    topic = "team"

    def load(self) -> None:
        """Whoever may have left unheard is asked to come back."""
        for stream in hub.streams():
            if stream.endswith(TEAM):
                hub.close(stream, None, BANNED, "The team may have changed; come back.")

    def refresh(self, keys: list[str]) -> None:
        for key in keys:
            product, _, maker = key.partition(":")
            hub.close(of_team(int(product)), int(maker), BANNED, "You are no longer on this team.")
