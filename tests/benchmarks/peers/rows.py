"""The page of tasks as two of the peers read it: one statement by hand, and a row of it as a dict."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any

from makerlog.accounts.rhythm import Rhythm, local_day
from makerlog.settings import MEDIA_URL, PUBLIC_URL, STATIC_URL

PAGE = 20
FIRST = ("infinity", 0)  # the position before the newest task

MEDIA = PUBLIC_URL + MEDIA_URL

TASK = "id event done in_progress content created_at updated_at due_at done_at description praise comment_count external_id"
MAKER = (
    "id username first_name last_name status description verified private timezone twitter_handle instagram_handle"
    " product_hunt_handle github_handle telegram_handle nomadlist_handle bmc_handle shipstreams_handle is_staff"
    " is_moderator donor website tester is_live gold patron accent follower_count date_joined"
)
TASK_KEYS, MAKER_KEYS = TASK.split(), MAKER.split()
MOMENTS = {"created_at", "updated_at", "due_at", "done_at", "date_joined", "launched_at"}
SETTINGS = {
    "digest": True,
    "dark_mode": False,
    "weekends_off": False,
    "hardcore_mode": False,
    "email_notifications": True,
    "ads_enabled": True,
    "og_image": None,
}


def column(table: str, name: str) -> str:
    """Moments as they stand on the wire: written by PostgreSQL, which is cheaper than any Python."""
    if name in MOMENTS:
        return f"""to_char({table}.{name} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    return f"{table}.{name}"


def as_object(table: str, **keys: str) -> str:
    pairs = ", ".join(f"'{key}', {column(table, name)}" for key, name in keys.items())
    return f"json_build_object({pairs})"


PRODUCT = {
    name: name
    for name in "id name slug description accent website twitter product_hunt launched launched_at created_at".split()
}
ICON = f"'icon', CASE WHEN o.icon <> '' THEN '{MEDIA}' || o.icon END"
STATEMENT = f"""
SELECT {", ".join(column("t", name) for name in TASK_KEYS)}, t.attachment,
    (SELECT coalesce(json_agg({as_object("p", id="id", name="name", private="private", user="author_id")}), '[]')::text
        FROM tasks_taskproject f JOIN products_project p ON p.id = f.project_id
        JOIN accounts_maker o ON o.id = p.author_id
        WHERE f.task_id = t.id AND NOT p.private AND NOT o.private),
    (SELECT coalesce(json_agg({as_object("o", **PRODUCT, user="author_id")[:-1]}, {ICON})), '[]')::text
        FROM tasks_taskproduct f JOIN products_product o ON o.id = f.product_id WHERE f.task_id = t.id AND o.listed),
    {", ".join(column("m", name) for name in MAKER_KEYS)}, m.avatar, m.header, m.run_length, m.last_day, m.week_counts
FROM tasks_task t JOIN accounts_maker m ON m.id = t.author_id
WHERE t.listed AND (t.created_at, t.id) < ($1::text::timestamptz, $2::bigint)
ORDER BY t.created_at DESC, t.id DESC LIMIT {PAGE + 1}
"""
MAKER_AT = len(TASK_KEYS) + 3


def position_of(cursor: str) -> tuple[str, int]:
    """``moment,id`` in words; the first page where nothing is said."""
    if not cursor:
        return FIRST
    moment, _, pk = cursor.partition(",")
    return moment, int(pk)


def page_of(rows: Sequence[Any], part: Callable[[str], Any], path: str) -> dict[str, Any]:
    """The envelope. ``part`` makes a value of JSON that PostgreSQL wrote. Walking back is left out: nobody measures it."""
    today = Today()
    tasks = [task_of(row, part, today) for row in rows[:PAGE]]
    more = f"{PUBLIC_URL}{path}?cursor={tasks[-1]['created_at']},{tasks[-1]['id']}" if len(rows) > PAGE else None
    return {"next": more, "previous": None, "results": tasks}


class Today(dict[str, date]):
    """The local day of each time zone, worked out once a page."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __missing__(self, zone: str) -> date:
        self[zone] = day = local_day(self.now, zone)
        return day


def task_of(row: Sequence[Any], part: Callable[[str], Any], today: Today) -> dict[str, Any]:
    attachment, projects, products = row[len(TASK_KEYS) : MAKER_AT]
    return {
        **dict(zip(TASK_KEYS, row, strict=False)),
        "user": maker_of(row[MAKER_AT:], today),
        "attachment": MEDIA + attachment if attachment else None,
        "project_set": part(projects),
        "product_set": part(products),
        "og_image": None,
        "video": None,
    }


def maker_of(row: Sequence[Any], today: Today) -> dict[str, Any]:
    avatar, header, run, last_day, week = row[len(MAKER_KEYS) :]
    maker = dict(zip(MAKER_KEYS, row, strict=False))
    rhythm, day = Rhythm(run, last_day, week), today[maker["timezone"]]
    ends = rhythm.streak_ends_at(day, maker["timezone"])
    return {
        **maker,
        **SETTINGS,
        "avatar": MEDIA + avatar if avatar else f"{PUBLIC_URL}{STATIC_URL}accounts/avatar.png",
        "header": MEDIA + header if header else "",
        "streak": rhythm.streak(day),
        "week_tda": rhythm.week_tda(day),
        "maker_score": rhythm.score(day),
        "streak_end_date": ends and ends.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
