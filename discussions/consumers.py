"""The streams of replies: of all listed discussions, and of one."""

from typing import Any

from django.shortcuts import get_object_or_404

from discussions import events
from discussions.models import Discussion
from makerlog.accounts.consumers import MakerStream


class RepliesStream(MakerStream):
    """The replies in all listed discussions; ``parent`` says in which."""

    resource = "discussions"
    public = events.EVERYBODY


class DiscussionStream(MakerStream):
    """The replies in one discussion that the reader may see."""

    resource = "discussions"

    def stream_for(self, maker: Any) -> str:
        discussion = get_object_or_404(Discussion.objects.visible_to(maker), slug=self.named["slug"])
        return events.own(discussion.pk) if discussion.author_id == maker.pk else events.of_discussion(discussion.pk)
