"""What a maker who goes takes back from the discussions of others."""

from django.db import connection

from discussions import events
from discussions.models import Discussion, Participant, Reply, ReplyPraise

FORGET_PRAISE = """
    WITH gone AS (DELETE FROM discussions_replypraise WHERE maker_id = %s RETURNING reply_id)
    UPDATE discussions_reply SET praise = praise - 1 FROM gone WHERE discussions_reply.id = gone.reply_id
"""
# One's own discussions go as a whole, by cascade. Their children lose the reply they answered, as when it is deleted.
FORGET_REPLIES = """
    WITH gone AS (
        DELETE FROM discussions_reply reply USING discussions_discussion discussion
        WHERE reply.author_id = %(maker)s AND discussion.id = reply.discussion_id AND discussion.author_id <> %(maker)s
        RETURNING reply.discussion_id, reply.hidden
    ), counts AS (SELECT discussion_id, count(*) AS lost FROM gone WHERE NOT hidden GROUP BY discussion_id)
    UPDATE discussions_discussion SET reply_count = reply_count - lost, updated_at = statement_timestamp()
    FROM counts WHERE discussions_discussion.id = counts.discussion_id
"""


def erase(maker: int) -> None:
    """Takes back what a maker counted for in the discussions of others."""
    theirs = Reply.objects.filter(author=maker)
    touched = (
        Discussion.objects.filter(pk__in=theirs.values("discussion")).order_by("pk").select_for_update(no_key=True)
    )
    list(touched.values_list("pk"))  # in order, so that no two wait for each other
    events.leaving(Discussion.objects.filter(author=maker, listed=True))
    events.resync_many(Discussion.objects.filter(pk__in=theirs.filter(hidden=False).values("discussion")))
    ReplyPraise.objects.filter(reply__in=theirs).delete()
    Reply.objects.filter(parent_reply__in=theirs).update(parent_reply=None)
    with connection.cursor() as cursor:
        cursor.execute(FORGET_PRAISE, [maker])
        cursor.execute(FORGET_REPLIES, {"maker": maker})
    Participant.objects.filter(maker=maker).delete()
