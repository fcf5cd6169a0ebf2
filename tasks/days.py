"""Day counts and the rhythm that is kept on the maker: both change in the transaction that changes the task."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import NamedTuple

from django.db import connection, models

from makerlog.accounts.models import Maker
from makerlog.accounts.rhythm import WEEK, local_day
from tasks.models import Task, TaskQuerySet

ADD = """
    INSERT INTO tasks_daycount (author_id, day, done, listed)
    SELECT * FROM unnest(%s::bigint[], %s::date[], %s::int[], %s::int[])
    ON CONFLICT (author_id, day) DO UPDATE
    SET done = tasks_daycount.done + EXCLUDED.done, listed = tasks_daycount.listed + EXCLUDED.listed
"""
TAKE = """
    UPDATE tasks_daycount SET done = greatest(tasks_daycount.done - gone.done, 0),
    listed = greatest(tasks_daycount.listed - gone.listed, 0)
    FROM unnest(%s::bigint[], %s::date[], %s::int[], %s::int[]) AS gone (author_id, day, done, listed)
    WHERE tasks_daycount.author_id = gone.author_id AND tasks_daycount.day = gone.day
"""


def rhythm_of(column: str) -> str:
    """The last run of days of a ``worker`` and the week that ends with it, by one column of their counts: read newest first,
    as far as the first gap. What is read grows with the run alone, so a streak of decades costs milliseconds."""
    worked = f"FROM tasks_daycount WHERE author_id = worker.id AND {column} > 0"
    return f"""
        SELECT newest.day AS last_day, coalesce(newest.day - first.day + 1, 0) AS run_length, week.counts AS week
        FROM (SELECT max(day) AS day {worked}) newest
        LEFT JOIN LATERAL (
            SELECT day FROM (SELECT day, lead(day) OVER (ORDER BY day DESC) AS before {worked}) day_and_before
            WHERE before IS DISTINCT FROM day - 1 ORDER BY day DESC LIMIT 1
        ) first ON true
        CROSS JOIN LATERAL (
            SELECT array_agg(coalesce(count.{column}, 0) ORDER BY back DESC) AS counts
            FROM generate_series(0, {WEEK - 1}) back LEFT JOIN (
                SELECT day, {column} FROM tasks_daycount
                WHERE author_id = worker.id AND day BETWEEN newest.day - {WEEK - 1} AND newest.day
            ) count ON count.day = newest.day - back
        ) week
    """  # noqa: S608


# Of makers, by their ids: their own rhythm, and the one that everybody sees.
RHYTHMS = f"""
    SELECT worker.id, own.last_day, own.run_length, own.week,
    public.last_day AS public_last_day, public.run_length AS public_run_length, public.week AS public_week
    FROM unnest(%s::bigint[]) AS worker (id)
    CROSS JOIN LATERAL ({rhythm_of("done")}) own CROSS JOIN LATERAL ({rhythm_of("listed")}) public
"""  # noqa: S608
KEEP_RHYTHMS = f"""
    UPDATE accounts_maker SET last_day = rhythm.last_day, run_length = rhythm.run_length, week_counts = rhythm.week,
    public_last_day = rhythm.public_last_day, public_run_length = rhythm.public_run_length,
    public_week_counts = rhythm.public_week
    FROM ({RHYTHMS}) rhythm WHERE accounts_maker.id = rhythm.id
"""  # noqa: S608


class Counted(NamedTuple):
    """The day that a task counts on, and whether everybody sees it."""

    day: date
    listed: bool


class Count(NamedTuple):
    """How many tasks, and how many of them everybody sees."""

    done: int
    listed: int


Counts = Mapping[tuple[int, date], Count]  # by maker's id and day


def day_of(maker: Maker, done_at: datetime | None) -> date | None:
    """The day of the maker's that a task done at ``done_at`` counts on."""
    return None if done_at is None else local_day(done_at, maker.timezone)


def counted_on(task: Task, maker: Maker) -> Counted | None:
    """Where a task of the maker's counts. Its day is kept with it, so that a change of time zone moves nothing."""
    day = task.done_on or day_of(maker, task.done_at)
    return Counted(day, task.listed) if day else None


def keep(tasks: Collection[Task]) -> None:
    """Notes the day of each, which it lacks, as its author's time zone is now. The caller holds the rows."""
    for task in tasks:
        task.done_on = day_of(task.author, task.done_at)
    Task.objects.bulk_update(tasks, ["done_on"])


def move(*, maker: Maker, left: Counted | None, reached: Counted | None) -> None:
    """A task that counted as ``left`` says counts as ``reached`` says now; None: on no day. The maker's rhythm follows.

    The caller holds the maker's row, so two tasks done at once are both counted. No day falls below zero: a task from
    before days were kept is taken from the day it would count on today.
    """
    if left == reached:
        return
    with connection.cursor() as cursor:
        for sql, counted in ((TAKE, left), (ADD, reached)):
            if counted is not None:
                cursor.execute(sql, [[maker.pk], [counted.day], [1], [int(counted.listed)]])
        cursor.execute(KEEP_RHYTHMS, [[maker.pk]])


def counts_of(tasks: Iterable[tuple[int, date | None, bool]]) -> Counts:
    """Of tasks by their author, day and whether everybody sees them; those that count on no day are passed over."""
    counts: dict[tuple[int, date], Count] = {}
    for author, day, listed in tasks:
        if day:
            done, seen = counts.get((author, day), (0, 0))
            counts[author, day] = Count(done + 1, seen + listed)
    return counts


def listed_counts(tasks: TaskQuerySet) -> Counts:
    """Of tasks that everybody is about to see, or has seen so far: they count as done already."""
    rows = (
        tasks.filter(done_on__isnull=False)
        .order_by()
        .values_list("author", "done_on")
        .annotate(count=models.Count("pk"))
    )
    return {(author, day): Count(0, count) for author, day, count in rows}


def move_many(counts: Counts, *, back: bool) -> None:
    """So many tasks count no more on these days of these makers, or ``back``: again. The caller holds the makers' rows."""
    if not counts:
        return
    makers, moved = [maker for maker, _ in counts], [day for _, day in counts]
    done, listed = [count.done for count in counts.values()], [count.listed for count in counts.values()]
    with connection.cursor() as cursor:
        cursor.execute(ADD if back else TAKE, [makers, moved, done, listed])
        cursor.execute(KEEP_RHYTHMS, [sorted(set(makers))])
