"""What is told of replies, and to whom: those of a listed discussion to everybody, those of a private one to its author, and
nothing of what is hidden. Called within the transaction that writes, which holds the discussion's row."""

from collections.abc import Collection, Iterable
from typing import Any

from django.contrib.auth.models import AnonymousUser

from discussions.models import Discussion, Reply
from discussions.serializers import ReplySerializer
from makerlog.api.compiled import compiled
from makerlog.changes.journal import announce
from makerlog.live.events import Event, publish

EVERYBODY = "discussions"
ANYBODY = AnonymousUser()
TOPIC = "discussion"


def of_discussion(discussion: int) -> str:
    return f"discussion:{discussion}"


def own(discussion: int) -> str:
    """What the discussion's author follows."""
    return f"discussion:{discussion}:own"


def created(reply: Reply, discussion: Discussion) -> None:
    if not reply.hidden:
        publish(Event("reply.created", payload(reply), streams(discussion)))


def changed(reply: Reply, discussion: Discussion, *, was_hidden: bool) -> None:
    """What becomes hidden is gone to its readers, and what is shown again is new to them."""
    if reply.hidden:
        if not was_hidden:
            deleted(reply, discussion)
    elif was_hidden:
        created(reply, discussion)
    else:
        publish(Event("reply.updated", payload(reply), streams(discussion)))


def deleted(reply: Reply, discussion: Discussion) -> None:
    publish(Event("reply.deleted", {"id": reply.pk}, streams(discussion)))


def hiding(replies: Iterable[Reply]) -> None:
    """These are about to be hidden, or their discussions are."""
    publish(*(Event("reply.deleted", {"id": reply.pk}, streams(reply.discussion)) for reply in replies))


def gone(discussions: Collection[int]) -> None:
    """These are hidden or deleted: whoever follows one is told that nothing is there. Called last (see announce)."""
    announce(TOPIC, sorted(discussions))


def streams(discussion: Discussion) -> tuple[str, ...]:
    if discussion.hidden:
        return ()
    public = (EVERYBODY, of_discussion(discussion.pk)) if discussion.listed else ()
    return (*public, own(discussion.pk))


def payload(reply: Reply) -> dict[str, Any]:
    """The reply as the API shows it."""
    [shown] = compiled(ReplySerializer).of(Reply.objects.filter(pk=reply.pk), ANYBODY)
    return shown
