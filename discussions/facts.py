"""What is kept on discussions and replies: see makerlog.api.recounting."""

# ruff: noqa: S608  (statements made of our own words alone)

from makerlog.api.recounting import Kept

# Whose replies stand, and whether a clean-up hides all of them (see models.Participant).
TAKE_PART = """
    SELECT reply.discussion_id, reply.author_id, bool_and(reply.hidden) AS hidden, min(reply.id) AS first
    FROM discussions_reply reply WHERE (NOT reply.hidden OR reply.cleanup IS NOT NULL)
"""
KEPT = [
    Kept(
        "replies of discussion",
        "discussions_discussion",
        "kept.reply_count",
        "SELECT count(*) FROM discussions_reply WHERE discussion_id = kept.id AND NOT hidden",
    ),
    Kept(
        "people of discussion",
        "discussions_discussion",
        """SELECT coalesce(array_agg((maker_id, hidden) ORDER BY maker_id), '{}')
        FROM discussions_participant WHERE discussion_id = kept.id""",
        f"""SELECT coalesce(array_agg((part.author_id, part.hidden) ORDER BY part.author_id), '{{}}')
        FROM ({TAKE_PART} AND reply.discussion_id = kept.id GROUP BY 1, 2) part""",
        mends=(
            """DELETE FROM discussions_participant place WHERE discussion_id = ANY(%(ids)s) AND NOT EXISTS (
                SELECT FROM discussions_reply reply WHERE reply.discussion_id = place.discussion_id
                AND reply.author_id = place.maker_id AND (NOT reply.hidden OR reply.cleanup IS NOT NULL)
            )""",
            f"""INSERT INTO discussions_participant (discussion_id, maker_id, hidden)
            SELECT discussion_id, author_id, hidden FROM (
                {TAKE_PART} AND reply.discussion_id = ANY(%(ids)s) GROUP BY 1, 2
            ) part ORDER BY first
            ON CONFLICT (discussion_id, maker_id) DO UPDATE SET hidden = EXCLUDED.hidden""",
        ),
    ),
    Kept(
        "praise of reply",
        "discussions_reply",
        "kept.praise",
        "SELECT count(*) FROM discussions_replypraise WHERE reply_id = kept.id",
    ),
    Kept(
        "being listed of discussion",
        "discussions_discussion",
        "kept.listed",
        "NOT kept.hidden AND NOT EXISTS (SELECT FROM accounts_maker WHERE id = kept.author_id AND private)",
        owner="kept.author_id",
    ),
]
