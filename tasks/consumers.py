"""The streams of tasks: of everybody, of one maker, of one product, of oneself."""

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
from makerlog.api.keyset import Bounds, Branch, Reading, fixed, read
from makerlog.api.renderers import weight
from makerlog.api.timezones import moment_said
from makerlog.gate.socket import BANNED
from makerlog.live.hub import hub
from products.events import TEAM, of_product, of_team
from products.models import Membership, Product
from tasks import events
from tasks.filters import filing
from tasks.models import Task
from tasks.serializers import TaskSerializer

MOST_SYNCED = 50
SYNC_BYTES = 64 * 1024  # said twice in one frame, of the 256 KiB that a reader may leave unread
SYNCED = timedelta(days=1)
OLDEST_FIRST = ("created_at", "id")
ROWS = fixed(Task.objects.all())


Position = tuple[datetime, int]  # created_at and id of a task


class Followed(NamedTuple):
    """A stream's name, and the list that it goes on from."""

    name: str
    reading: Reading


class TaskStream(MakerStream):
    """Answers task.sync: the tasks of this stream made since a moment, oldest first, as many as fit; ``next`` where there
    are more, which the client sends back as ``cursor``."""

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
        after = position_said(payload.get("cursor"))
        if isinstance(after, str):
            return await self.tell("error", {"detail": after, "code": "bad_parameter"})
        found, rest = await self.ask(lambda: self.synced(since, after))
        return await self.tell("task.sync", found, batch=found, next=rest)

    def synced(self, since: datetime, after: Position | None) -> tuple[list[Any], str | None]:
        """Who reads, and what they may, is asked anew."""
        pk = self.socket.maker
        reader = ANYBODY if pk is None else Maker.objects.get(pk=pk)
        reading = self.followed(reader).reading._replace(bounds=Bounds(min(since, after[0]) if after else since))
        tasks, most = compiled(TaskSerializer), MOST_SYNCED
        while True:
            piece = read(reading, after, most, tasks.asked(reader))
            found = tasks.shown(piece.rows)
            if len(found) <= 1 or weight(found) <= SYNC_BYTES:
                last = piece.last if piece.rest else None
                return found, f"{datetime.fromisoformat(str(last[0])).isoformat()} {last[1]}" if last else None
            most = len(found) // 2


def position_said(cursor: Any) -> Position | str | None:
    """Where a task.sync goes on; None: at its beginning; a text: what is wrong with ``cursor``."""
    if not cursor:
        return None
    moment, _, pk = str(cursor).partition(" ")
    created_at = moment_said(moment)
    if isinstance(created_at, str) or not (pk.isascii() and pk.isdigit() and len(pk) < 19):
        return "cursor must be the `next` of an earlier task.sync."
    return created_at, int(pk)


class ExploreStream(TaskStream):
    """The public tasks of all."""

    public = events.EVERYBODY

    def paths(self) -> list[str]:
        return ["/tasks/"]

    def followed(self, reader: Any) -> Followed:
        return Followed(self.public, Reading(ROWS, OLDEST_FIRST, branches=content.PUBLIC))


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
    name = events.own(maker.pk) if maker == reader else events.of_maker(maker.pk)
    branches = content.branches(reader) if maker == reader else content.PUBLIC
    return Followed(name, Reading(ROWS, OLDEST_FIRST, pins={"author": maker.pk}, branches=branches))


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
        return Followed(of_team(product.pk) if mine else of_product(product.pk), reading)

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
