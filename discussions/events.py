"""What is told of replies, and to whom: those of a listed discussion to everybody, those of a private one to its author, and
nothing of what is hidden. Called within the transaction that writes, which holds the discussion's row."""

from collections.abc import Collection, Iterable
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import F

from discussions.models import Discussion, DiscussionQuerySet, Reply
from discussions.serializers import ReplySerializer
from makerlog.api.compiled import compiled
from makerlog.changes.journal import announce
from makerlog.live.events import Event, publish, resync

EVERYBODY = "discussions"
ANYBODY = AnonymousUser()
TOPIC = "discussion"
MOST_TOLD = (
    100  # replies told one by one when many go: what a client may have on its screen; then it is told to read again
)
MOST_NAMED = 1_000  # discussions whose followers are told to read again


def of_discussion(discussion: int) -> str:
    return f"discussion:{discussion}"


def own(discussion: int) -> str:
    """What the discussion's author follows."""
    return f"discussion:{discussion}:own"


def created(reply: Reply, discussion: Discussion) -> None:
    if not reply.hidden:
        publish(Event("reply.created", payload(reply), streams(discussion), reply.author_id))


def changed(reply: Reply, discussion: Discussion, *, was_hidden: bool) -> None:
    """What becomes hidden is gone to its readers, and what is shown again is new to them."""
    if reply.hidden:
        if not was_hidden:
            deleted(reply, discussion)
    elif was_hidden:
        created(reply, discussion)
    else:
        publish(Event("reply.updated", payload(reply), streams(discussion), reply.author_id))


def deleted(reply: Reply, discussion: Discussion) -> None:
    publish(Event("reply.deleted", {"id": reply.pk}, streams(discussion), reply.author_id))


def hiding(replies: Iterable[Reply], *, to_author: bool = True) -> None:
    """These are about to be hidden, or their discussions are; ``to_author``: from who opened those, too."""
    publish(
        *(
            Event("reply.deleted", {"id": reply.pk}, streams(reply.discussion, to_author=to_author), reply.author_id)
            for reply in replies
        )
    )


def leaving(discussions: DiscussionQuerySet, *, to_author: bool = True) -> None:
    """These are about to be hidden, private or deleted; the newest replies in them are told of, and where there are more,
    that there are."""
    replies = Reply.objects.filter(discussion__in=discussions.order_by(), hidden=False).select_related("discussion")
    # Ordered by an expression, so that they are sorted: an index of this order would be walked past everybody else's.
    newest = list(replies.order_by((F("pk") + 0).desc())[: MOST_TOLD + 1])
    hiding(newest[:MOST_TOLD], to_author=to_author)
    if len(newest) > MOST_TOLD:
        resync_many(discussions)


def resync_many(discussions: DiscussionQuerySet) -> None:
    """Whoever follows these reads them again, and where one is public whoever follows all."""
    rows = list(discussions.order_by().values_list("pk", "listed")[:MOST_NAMED])
    public = [EVERYBODY, *(of_discussion(pk) for pk, listed in rows if listed)]
    resync([*(public if len(public) > 1 else []), *(own(pk) for pk, _ in rows)])


def gone(discussions: Collection[int]) -> None:
    """These are hidden or deleted: whoever follows one is told that nothing is there. Called last (see announce)."""
    announce(TOPIC, sorted(discussions))


def streams(discussion: Discussion, *, to_author: bool = True) -> tuple[str, ...]:
    if discussion.hidden:
        return ()
    public = (EVERYBODY, of_discussion(discussion.pk)) if discussion.listed else ()
    return (*public, own(discussion.pk)) if to_author else public


def payload(reply: Reply) -> dict[str, Any]:
    """The reply as the API shows it."""
    [shown] = compiled(ReplySerializer).of(Reply.objects.filter(pk=reply.pk), ANYBODY)
    return shown
