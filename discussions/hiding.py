"""What a clean-up of moderation hides, and shows again: see tasks/hiding.py. Locked as by whoever replies: authors first,
then discussions, in the order of their ids."""

from collections import Counter
from collections.abc import Collection

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from discussions import events
from discussions.models import Discussion, DiscussionQuerySet, Participant, Reply
from discussions.visibility import keep_listed
from products.actions import lock_makers

COUNT_REPLIES = """
    UPDATE discussions_discussion SET reply_count = greatest(reply_count + changed.by, 0), updated_at = statement_timestamp()
    FROM unnest(%s::bigint[], %s::int[]) AS changed (discussion, by) WHERE discussions_discussion.id = changed.discussion
"""


@transaction.atomic
def hide_discussions(*, ids: Collection[int], cleanup: int | None) -> int:
    """How many of these were not hidden before. Their replies go out of sight with them, and are not touched."""
    discussions = held(Discussion.objects.filter(pk__in=ids, hidden=False))
    events.leaving(discussions)
    hidden = discussions.change(hidden=True, listed=False, cleanup=cleanup)
    events.gone(ids)
    return hidden


@transaction.atomic
def show_discussions(*, ids: Collection[int], cleanup: int | None) -> int:
    """How many of these the clean-up still held hidden."""
    discussions = held(Discussion.objects.filter(pk__in=ids, cleanup=cleanup, hidden=True))
    shown = discussions.change(hidden=False, cleanup=None)
    keep_listed(discussions)
    return shown


@transaction.atomic
def hide_replies(*, ids: Collection[int], cleanup: int | None) -> int:
    """How many of these were not hidden before."""
    lock_discussions_of(ids)
    replies = list(Reply.objects.filter(pk__in=ids, hidden=False).select_related("discussion"))
    events.hiding(replies)
    Reply.objects.filter(pk__in=[reply.pk for reply in replies]).update(hidden=True, cleanup=cleanup)
    count_replies(replies, by=-1)
    return len(replies)


@transaction.atomic
def show_replies(*, ids: Collection[int], cleanup: int | None) -> int:
    """How many of these the clean-up still held hidden."""
    lock_discussions_of(ids)
    replies = list(Reply.objects.filter(pk__in=ids, cleanup=cleanup, hidden=True))
    Reply.objects.filter(pk__in=[reply.pk for reply in replies]).update(hidden=False, cleanup=None)
    count_replies(replies, by=1)
    events.resync_many(Discussion.objects.filter(pk__in={reply.discussion_id for reply in replies}))
    return len(replies)


def held(discussions: DiscussionQuerySet) -> DiscussionQuerySet:
    """These, locked after their authors, by their ids: so they are the same whatever becomes of them."""
    lock_makers(discussions.values_list("author", flat=True))
    rows = discussions.select_for_update(no_key=True).order_by("pk")
    return Discussion.objects.filter(pk__in=list(rows.values_list("pk", flat=True)))


def lock_discussions_of(replies: Collection[int]) -> None:
    found = Reply.objects.filter(pk__in=replies)
    lock_makers(found.values_list("author", flat=True))
    discussions = Discussion.objects.filter(pk__in=found.values("discussion"))
    list(discussions.select_for_update(no_key=True).order_by("pk").values_list("pk"))


def count_replies(replies: Collection[Reply], *, by: int) -> None:
    """Of these the discussions show ``by`` more each, and their authors take part as long as one of theirs is shown."""
    counts = Counter(reply.discussion_id for reply in replies)
    with connection.cursor() as cursor:
        cursor.execute(COUNT_REPLIES, [[*counts], [by * replies for replies in counts.values()]])
    theirs = Reply.objects.filter(discussion=OuterRef("discussion"), author=OuterRef("maker"), hidden=False)
    places = Participant.objects.filter(discussion__in=counts, maker__in={reply.author_id for reply in replies})
    places.update(hidden=~Exists(theirs))
