"""What else a big community has beside its log, made by SQL: 20,000 of everything that is listed."""

from tests.scale.crowd import gather, make

ROWS = 20_000

# As in the log, nine of ten are the first maker's and every second one is private; what is not launched, a question, or
# another maker's, is all old. Half of the makers are closed, half of the comments and replies
# hidden. What hangs on the second task, discussion or reply is newer than all that hangs on the first, and as much.
COMMUNITY = """
CREATE TEMPORARY TABLE n AS
SELECT n, CASE WHEN n > {rows} / 10 THEN 1 ELSE n % 100 + 1 END AS author, n % 2 = 0 AS listed,
    timestamptz '2026-01-01' + n * (interval '20 hours' / {rows}) AS moment
FROM generate_series(1, {rows}) n;

INSERT INTO accounts_maker (id, username, folded_username, email, password, is_active,
    awaiting_activation, is_superuser, is_staff,
    first_name, last_name, date_joined, status, description, timezone, website, accent, avatar, header, twitter_handle,
    instagram_handle, product_hunt_handle, github_handle, telegram_handle, nomadlist_handle, bmc_handle,
    shipstreams_handle, private, verified, is_moderator, donor, tester, is_live, gold, patron, digest, dark_mode,
    weekends_off, hardcore_mode, email_notifications, ads_enabled, follower_count, run_length, week_counts)
SELECT n + 100, 'maker' || n + 100, 'maker' || n + 100, '', '',
    listed OR n = 1, false, false, false, '', '', moment, '', '', 'UTC', '', '', '',
    '', '', '', '', '', '', '', '', '', false, false, false, false, false, false, false, false, true, false, false, false,
    true, true, 0, 0, '{{0,0,0,0,0,0,0}}' FROM n;

-- Nearly all that the 102nd maker has is public; the few private things are the oldest.
INSERT INTO n SELECT {rows} + n, 102, n > 5, timestamptz '2026-01-02' + n * interval '1 second'
FROM generate_series(1, {rows} * 3 / 4) n;

INSERT INTO products_project (id, author_id, name, folded, private, created_at)
SELECT n + 100, author, 'project ' || n, 'project ' || n, NOT listed, moment FROM n;

INSERT INTO products_product (id, author_id, name, slug, description, website, product_hunt, twitter, accent, icon, tags,
    private, listed, hidden, launched, launched_at, created_at, updated_at)
SELECT n + 100, author, 'product ' || n, 'p-' || n, '', '', '', '', '', '', '{{honey}}', NOT listed, listed, false,
    n > {rows} / 20, CASE WHEN n > {rows} / 20 THEN moment END, moment, moment FROM n;
INSERT INTO products_product_projects (product_id, project_id) SELECT n + 100, n + 100 FROM n;
INSERT INTO products_membership (product_id, maker_id, owner, listed)
SELECT product, maker, owner, listed FROM (
    SELECT n + 100 AS product, author AS maker, true AS owner, listed, n FROM n
    UNION ALL SELECT n + 100, 101, false, listed, n FROM n
) places ORDER BY n, owner;

INSERT INTO discussions_discussion (id, author_id, slug, type, title, body, pinned, locked, gold, reply_count, hidden,
    listed, created_at, updated_at)
SELECT n, author, 'd-' || n, CASE WHEN n > {rows} / 20 THEN 'TEXT' ELSE 'QUESTION' END, 'discussion ' || n, '', false,
    false, false, 0, false, listed, moment, moment FROM n;
INSERT INTO tasks_task (id, author_id, content, done, in_progress, done_at, created_at, updated_at, hidden, listed,
    attachment, praise, comment_count)
SELECT n, author, 'task', true, false, moment, moment, moment, false, listed, '', 0, 0 FROM n WHERE author = 102;
DELETE FROM n WHERE author = 102;

INSERT INTO discussions_reply (id, discussion_id, author_id, body, praise, created_at, updated_at, hidden)
SELECT n + {rows} * (discussion / 2 - 1), discussion, n + 100, 'yes', 0, moment, moment, NOT listed
FROM n, (VALUES (2), (4)) d (discussion);
INSERT INTO discussions_participant (discussion_id, maker_id)
SELECT discussion, n + 100 FROM n, (VALUES (2), (4)) d (discussion) ORDER BY discussion, n;
INSERT INTO tasks_task (id, author_id, content, done, in_progress, done_at, created_at, updated_at, hidden, listed,
    attachment, praise, comment_count)
SELECT n, author, 'task', true, false, moment, moment, moment, false, listed, '', 0, 0 FROM n WHERE author = 102;
DELETE FROM n WHERE author = 102;

INSERT INTO discussions_replypraise (reply_id, maker_id, created_at)
SELECT reply, n + 100, moment FROM n, (VALUES (2), (4)) r (reply) ORDER BY reply, n;

INSERT INTO tasks_taskcomment (task_id, author_id, content, created_at, updated_at, hidden)
SELECT task, n + 100, 'nice', moment, moment, NOT listed FROM n, (VALUES (2), (4)) t (task) ORDER BY task, n;
INSERT INTO tasks_taskpraise (task_id, maker_id, created_at)
SELECT task, n + 100, moment FROM n, (VALUES (2), (4)) t (task) ORDER BY task, n;
INSERT INTO tasks_deletedtask (task_id, author_id, deleted_at) SELECT n + {rows}, author, moment FROM n;

INSERT INTO accounts_follow (follower_id, followed_id, created_at)
SELECT follower, followed, moment FROM (
    SELECT 1 AS follower, n * 2 + 100 AS followed, moment, n FROM n WHERE n <= {rows} / 2
    UNION ALL SELECT n + 100, 1, moment, n + {rows} FROM n
) follows ORDER BY n;
INSERT INTO accounts_accesstoken (maker_id, kind, name, scopes, public_id, pepper, digest, created_at, revoked_at)
SELECT CASE WHEN n <= {rows} / 2 THEN 1 ELSE n + 100 END, 'personal', '', '{{tasks:read}}', n, 1, '', moment,
    CASE WHEN n BETWEEN 101 AND {rows} / 2 THEN moment END FROM n;

DROP TABLE n;
"""


def settle() -> None:
    """The log of ``gather``, and a community around it."""
    gather(ROWS)
    make(COMMUNITY.format(rows=ROWS))
