"""The streams of replies: of all listed discussions, and of one."""

from collections.abc import Iterable
from typing import Any

from django.shortcuts import get_object_or_404

from discussions import events
from discussions.models import Discussion
from makerlog.accounts.consumers import MakerStream
from makerlog.gate.reception import NoSuchStream
from makerlog.gate.socket import close_code
from makerlog.live.hub import hub


class RepliesStream(MakerStream):
    """The replies in all listed discussions; ``parent`` says in which."""

    resource = "discussions"
    public = events.EVERYBODY

    def paths(self) -> list[str]:
        return ["/discussions/"]


class DiscussionStream(MakerStream):
    """The replies in one discussion that the reader may see."""

    resource = "discussions"

    def stream_for(self, maker: Any) -> str:
        discussion = get_object_or_404(Discussion.objects.visible_to(maker), slug=self.named["slug"])
        return events.own(discussion.pk) if discussion.author_id == maker.pk else events.of_discussion(discussion.pk)

    def paths(self) -> list[str]:
        return [f"/discussions/{self.named['slug']}/replies/"]


class DiscussionsOfSockets:
    """Closes the open sockets that follow a discussion which is hidden, or there no longer. Follows what is announced of
    discussions (see makerlog.changes)."""

    topic = events.TOPIC

    def load(self) -> None:
        self.refresh(
            key for kind, key, *_ in (name.split(":") for name in hub.streams() if ":" in name) if kind == self.topic
        )

    def refresh(self, keys: Iterable[str]) -> None:
        named = {int(key) for key in keys}
        open_ = {pk for pk in named if {events.of_discussion(pk), events.own(pk)}.intersection(hub.streams())}
        if not open_:
            return
        gone = NoSuchStream()
        for pk in open_.difference(Discussion.objects.filter(pk__in=open_, hidden=False).values_list("pk", flat=True)):
            for stream in (events.of_discussion(pk), events.own(pk)):
                hub.close(stream, None, close_code(gone), gone.detail)
