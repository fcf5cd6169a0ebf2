"""Day counts, streaks and weeks: kept with each change, and always what a recount would find."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from makerlog.accounts.models import Maker
from makerlog.accounts.rhythm import WEEK, local_day
from tasks.actions import change_task, delete_task
from tasks.days import RHYTHMS
from tasks.models import DayCount, Task
from tests.makers import anonymous, caller, make_maker
from tests.tasks.logs import NOON, log

pytestmark = pytest.mark.django_db

TODAY = NOON.date()


@pytest.fixture
def alice() -> Maker:
    return make_maker("alice")


def done(author: Maker, days_ago: int, **values: Any) -> Task:
    return log(author, done_at=NOON - timedelta(days=days_ago), **values)


def rhythm(maker: Maker, now: datetime = NOON) -> tuple[int, int, int]:
    """Streak, tasks done in the week up to today, weekly average, as the API tells them."""
    maker.refresh_from_db()
    with time_machine.travel(now, tick=False):
        told = anonymous().get(f"/users/{maker.username}/").json()
    kept = maker.rhythm.done_this_week(local_day(now, maker.timezone))
    assert told["maker_score"] == told["streak"] + kept
    return told["streak"], kept, told["week_tda"]


def test_a_streak_is_the_days_in_a_row_up_to_today(alice: Maker) -> None:
    for days_ago in (0, 1, 2, 4):
        done(alice, days_ago)
    assert rhythm(alice) == (3, 4, 1)


def test_a_streak_is_not_lost_before_the_day_is_over(alice: Maker) -> None:
    done(alice, 0)
    done(alice, 1)
    assert rhythm(alice, NOON + timedelta(days=1))[0] == 2
    assert rhythm(alice, NOON + timedelta(days=2))[0] == 0


def test_a_week_moves_on_by_itself(alice: Maker) -> None:
    for _ in range(14):
        done(alice, 0)
    done(alice, 6)
    assert rhythm(alice) == (1, 15, 2)
    assert rhythm(alice, NOON + timedelta(days=1))[1] == 14
    assert rhythm(alice, NOON + timedelta(days=6))[1] == 14
    assert rhythm(alice, NOON + timedelta(days=7))[1] == 0


def test_what_is_not_done_does_not_count(alice: Maker) -> None:
    log(alice)
    assert (rhythm(alice), DayCount.objects.count()) == ((0, 0, 0), 0)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]])
def test_a_history_may_be_imported_in_any_order(order: list[int], alice: Maker) -> None:
    for days_ago in order:
        done(alice, days_ago)
    assert rhythm(alice) == (4, 4, 1)


def test_a_deleted_day_breaks_the_streak(alice: Maker) -> None:
    tasks = [done(alice, days_ago) for days_ago in (0, 1, 2)]
    delete_task(task=tasks[1])
    assert rhythm(alice)[0] == 1
    delete_task(task=tasks[0])
    assert rhythm(alice)[0] == 0
    delete_task(task=tasks[2])
    assert (rhythm(alice), alice.last_day) == ((0, 0, 0), None)


def test_a_day_is_the_makers_own() -> None:
    tokyo, madrid = make_maker("tokyo", timezone="Asia/Tokyo"), make_maker("madrid", timezone="Europe/Madrid")
    late = datetime(2026, 5, 20, 16, tzinfo=UTC)
    for maker in (tokyo, madrid):
        log(maker, done_at=late)
    assert DayCount.objects.get(author=tokyo).day == date(2026, 5, 21)
    assert DayCount.objects.get(author=madrid).day == date(2026, 5, 20)
    with time_machine.travel(late, tick=False):
        assert anonymous().get("/users/tokyo/").json()["streak"] == 1
        assert anonymous().get("/users/tokyo/").json()["streak_end_date"] == "2026-05-22T15:00:00.000000Z"


def test_the_zone_of_the_request_does_not_move_a_day() -> None:
    client = caller("alice")
    client.post("/tasks/", {"content": "x", "done_at": "2026-05-20T23:00:00Z"}, HTTP_X_APP_TIMEZONE="Asia/Tokyo")
    assert DayCount.objects.get().day == date(2026, 5, 20)


def test_who_moved_to_another_zone_may_delete_what_was_done_before(alice: Maker) -> None:
    tasks = [log(alice, done_at=datetime(2026, 5, 20, 23, tzinfo=UTC)) for _ in range(3)]
    Maker.objects.update(timezone="Asia/Tokyo")
    client = caller("alice")
    assert [client.delete(f"/tasks/{task.pk}/").status_code for task in tasks] == [204] * 3


def test_a_hundred_days_in_a_row_are_a_streak_of_a_hundred(alice: Maker) -> None:
    for days_ago in range(99, -1, -1):
        DayCount.objects.create(author=alice, day=TODAY - timedelta(days=days_ago + 1), done=1, listed=1)
    done(alice, 0)
    assert rhythm(alice)[0] == 101


def worked_days(maker: Maker, count: int) -> None:
    """``count`` days in a row up to yesterday, each with one task that nobody kept."""
    DayCount.objects.bulk_create(
        DayCount(author=maker, day=TODAY - timedelta(days=number), done=1, listed=1) for number in range(1, count + 1)
    )


def statement_plan(maker: Maker) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {RHYTHMS}", [[maker.pk]])
        return cursor.fetchone()[0][0]["Plan"]


def rows_read(node: dict[str, Any]) -> int:
    """Rows that the scans and the joins of a plan looked at."""
    dropped = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Join Filter", 0)
    scanned = node.get("Actual Rows", 0) if "Relation Name" in node else 0
    return int((scanned + dropped) * node["Actual Loops"] + sum(map(rows_read, node.get("Plans", ()))))


@pytest.fixture(params=["nothing", "short logs", "long logs"])
def known_statistics(request: pytest.FixtureRequest) -> None:
    """What PostgreSQL knows of day counts: it plans by that, and may take a log of decades for one of a few days."""
    if request.param != "nothing":
        makers = Maker.objects.bulk_create(Maker(username=f"maker{number}") for number in range(500))
        for maker in makers[: 3 if request.param == "long logs" else 500]:
            worked_days(maker, 2_000 if request.param == "long logs" else 1)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE tasks_daycount")


@pytest.mark.usefixtures("known_statistics")
def test_a_streak_of_twenty_thousand_days_is_read_once_for_a_write() -> None:
    short, long = make_maker("short"), make_maker("long")
    worked_days(short, 2_000)
    worked_days(long, 20_000)
    read = rows_read(statement_plan(long))
    assert read <= 5 * 20_000
    assert read <= 11 * rows_read(statement_plan(short))
    log(long, done_at=NOON)
    long.refresh_from_db()
    assert long.run_length == 20_001


@pytest.mark.parametrize("count", [2_000, 20_000])
def test_a_day_that_splits_or_joins_a_long_streak_is_counted(count: int, alice: Maker) -> None:
    worked_days(alice, count)
    middle = done(alice, count // 2)
    DayCount.objects.filter(author=alice, day=middle.done_on).update(done=1, listed=1)
    delete_task(task=middle)
    done(alice, 0)
    assert rhythm(alice)[0] == count // 2
    done(alice, count // 2)
    assert rhythm(alice)[0] == count + 1


Act = tuple[str, int, int]  # what is done, which task, how many days ago


def recomputed(maker: Maker) -> tuple[int, date | None, list[int], dict[date, int]]:
    """The rhythm from the tasks alone."""
    days: dict[date, int] = {}
    for moment in maker.tasks.filter(done=True).values_list("done_at", flat=True):
        day = local_day(moment, maker.timezone)
        days[day] = days.get(day, 0) + 1
    last_day = max(days, default=None)
    run, week = 0, [0] * WEEK
    if last_day:
        while last_day - timedelta(days=run) in days:
            run += 1
        week = [days.get(last_day - timedelta(days=back), 0) for back in reversed(range(WEEK))]
    return run, last_day, week, days


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    acts=st.lists(
        st.tuples(st.sampled_from(["log", "undo", "redo", "move", "delete"]), st.integers(0, 5), st.integers(0, 9)),
        max_size=14,
    ),
    zone=st.sampled_from(["UTC", "Asia/Tokyo", "America/Los_Angeles", "Asia/Kathmandu"]),
    hour=st.integers(0, 23),
)
def test_the_kept_rhythm_is_what_a_recount_finds(acts: list[Act], zone: str, hour: int) -> None:
    Maker.objects.filter(username="prop").delete()
    maker = make_maker("prop", timezone=zone)
    for act, which, days_ago in acts:
        moment = NOON.replace(hour=hour) - timedelta(days=days_ago)
        tasks = list(maker.tasks.order_by("pk"))
        task = tasks[which % len(tasks)] if tasks else None
        if act == "log" or task is None:
            log(maker, done_at=moment)
        elif act == "delete":
            delete_task(task=task)
        else:
            change_task(task=task, **{"undo": {"done": False}, "redo": {"done": True}}.get(act, {"done_at": moment}))
    maker.refresh_from_db()
    run, last_day, week, days = recomputed(maker)
    assert (maker.run_length, maker.last_day, maker.week_counts) == (run, last_day, week)
    assert dict(maker.day_counts.filter(done__gt=0).values_list("day", "done")) == days
