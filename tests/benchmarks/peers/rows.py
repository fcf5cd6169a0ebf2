"""The page of tasks as two of the peers read it: one statement by hand, and a row of it as a dict."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from makerlog.accounts.rhythm import WEEK
from makerlog.settings import MEDIA_URL, PUBLIC_URL, STATIC_URL

PAGE = 20
FIRST = ("infinity", 0)  # the position before the newest task

MEDIA = PUBLIC_URL + MEDIA_URL
AVATAR = f"{PUBLIC_URL}{STATIC_URL}accounts/avatar.png"

TASK = "id event done in_progress content created_at updated_at due_at done_at description praise comment_count external_id"
MAKER = (
    "id username first_name last_name status description verified private timezone twitter_handle instagram_handle"
    " product_hunt_handle github_handle telegram_handle nomadlist_handle bmc_handle shipstreams_handle is_staff"
    " is_moderator donor website tester is_live gold patron accent follower_count date_joined"
)
TASK_KEYS, MAKER_KEYS = TASK.split(), MAKER.split()
MOMENTS = {"created_at", "updated_at", "due_at", "done_at", "date_joined", "launched_at"}


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
    {", ".join(column("m", name) for name in MAKER_KEYS)}, m.avatar, m.header,
    m.public_run_length, m.public_last_day, m.public_week_counts
FROM tasks_task t JOIN accounts_maker m ON m.id = t.author_id
WHERE t.listed AND (t.created_at, t.id) < ($1::text::timestamptz, $2::bigint)
ORDER BY t.created_at DESC, t.id DESC LIMIT {PAGE + 1}
"""


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
        self[zone] = day = self.now.astimezone(zone_named(zone)).date()
        return day


@lru_cache(maxsize=1_000)
def zone_named(name: str) -> ZoneInfo:
    """ZoneInfo itself keeps no more than eight, and reads the others from disk each time."""
    return ZoneInfo(name)


@lru_cache(maxsize=10_000)
def end_of_streak(last_day: date, zone: str) -> str:
    """The end of the day after ``last_day``."""
    end = datetime.combine(last_day + timedelta(days=2), time(), zone_named(zone))
    return end.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def task_of(row: Sequence[Any], part: Callable[[str], Any], today: Today) -> dict[str, Any]:
    """Unpacked and written out, which is several times faster than any loop over names."""
    (
        pk, event, done, in_progress, content, created_at, updated_at, due_at, done_at, description, praise,
        comment_count, external_id, attachment, projects, products,
        maker, username, first_name, last_name, status, about, verified, private, zone, twitter, instagram,
        product_hunt, github, telegram, nomadlist, bmc, shipstreams, is_staff, is_moderator, donor, website, tester,
        is_live, gold, patron, accent, follower_count, date_joined, avatar, header, run, last_day, week,
    ) = row  # fmt: skip
    idle = (today[zone] - last_day).days if last_day else 10**6
    streak = run if idle <= 1 else 0
    done_this_week = sum(week[max(0, idle) :])
    user = {
        "id": maker, "username": username, "first_name": first_name, "last_name": last_name, "status": status,
        "description": about, "verified": verified, "private": private, "timezone": zone,
        "avatar": MEDIA + avatar if avatar else AVATAR, "header": MEDIA + header if header else "",
        "twitter_handle": twitter, "instagram_handle": instagram, "product_hunt_handle": product_hunt,
        "github_handle": github, "telegram_handle": telegram, "nomadlist_handle": nomadlist, "bmc_handle": bmc,
        "shipstreams_handle": shipstreams, "is_staff": is_staff, "is_moderator": is_moderator, "donor": donor,
        "website": website, "tester": tester, "is_live": is_live, "gold": gold, "patron": patron, "accent": accent,
        "follower_count": follower_count, "date_joined": date_joined, "digest": True, "dark_mode": False,
        "weekends_off": False, "hardcore_mode": False, "email_notifications": True, "ads_enabled": True,
        "og_image": None, "streak": streak, "week_tda": round(done_this_week / WEEK),
        "maker_score": streak + done_this_week, "streak_end_date": end_of_streak(last_day, zone) if streak else None,
    }  # fmt: skip
    return {
        "id": pk, "event": event, "done": done, "in_progress": in_progress, "content": content,
        "created_at": created_at, "updated_at": updated_at, "due_at": due_at, "done_at": done_at, "user": user,
        "description": description, "project_set": part(projects), "product_set": part(products), "praise": praise,
        "attachment": MEDIA + attachment if attachment else None, "comment_count": comment_count, "og_image": None,
        "video": None, "external_id": external_id,
    }  # fmt: skip
