"""Day counts and the rhythm that is kept on the maker: both change in the transaction that changes the task."""

from collections import Counter
from collections.abc import Collection
from datetime import date, datetime

from django.db import connection

from makerlog.accounts.models import Maker
from makerlog.accounts.rhythm import WEEK, local_day
from tasks.models import Task

ADD = """
    INSERT INTO tasks_daycount (author_id, day, done) SELECT * FROM unnest(%s::bigint[], %s::date[], %s::int[])
    ON CONFLICT (author_id, day) DO UPDATE SET done = tasks_daycount.done + EXCLUDED.done
"""
TAKE = """
    UPDATE tasks_daycount SET done = greatest(tasks_daycount.done - gone.done, 0)
    FROM unnest(%s::bigint[], %s::date[], %s::int[]) AS gone (author_id, day, done)
    WHERE tasks_daycount.author_id = gone.author_id AND tasks_daycount.day = gone.day
"""
# The last run of days of makers and the week that ends with it, read from their counts: newest first, as far as the first
# gap. What is read grows with the run alone, so a streak of decades costs milliseconds.
RHYTHMS = f"""
    SELECT worker.id, newest.day AS last_day, coalesce(newest.day - first.day + 1, 0) AS run_length, week.done AS week
    FROM unnest(%s::bigint[]) AS worker (id)
    CROSS JOIN LATERAL (
        SELECT max(day) AS day FROM tasks_daycount WHERE author_id = worker.id AND done > 0
    ) newest
    LEFT JOIN LATERAL (
        SELECT day FROM (
            SELECT day, lead(day) OVER (ORDER BY day DESC) AS before
            FROM tasks_daycount WHERE author_id = worker.id AND done > 0
        ) worked WHERE before IS DISTINCT FROM day - 1 ORDER BY day DESC LIMIT 1
    ) first ON true
    CROSS JOIN LATERAL (
        SELECT array_agg(coalesce(count.done, 0) ORDER BY back DESC) AS done
        FROM generate_series(0, {WEEK - 1}) back LEFT JOIN (
            SELECT day, done FROM tasks_daycount
            WHERE author_id = worker.id AND day BETWEEN newest.day - {WEEK - 1} AND newest.day
        ) count ON count.day = newest.day - back
    ) week
"""  # noqa: S608  (no value of anybody's)
KEEP_RHYTHMS = f"""
    UPDATE accounts_maker SET last_day = rhythm.last_day, run_length = rhythm.run_length, week_counts = rhythm.week
    FROM ({RHYTHMS}) rhythm WHERE accounts_maker.id = rhythm.id
"""  # noqa: S608  (no value of anybody's)


def day_of(maker: Maker, done_at: datetime | None) -> date | None:
    """The day of the maker's that a task done at ``done_at`` counts on."""
    return None if done_at is None else local_day(done_at, maker.timezone)


def counted_on(task: Task, maker: Maker) -> date | None:
    """The day that a task of the maker's counts on; kept with it, so that a change of time zone moves nothing."""
    return task.done_on or day_of(maker, task.done_at)


def keep(tasks: Collection[Task]) -> None:
    """Notes the day of each, which it lacks, as its author's time zone is now. The caller holds the rows."""
    for task in tasks:
        task.done_on = day_of(task.author, task.done_at)
    Task.objects.bulk_update(tasks, ["done_on"])


def move(*, maker: Maker, left: date | None, reached: date | None) -> None:
    """A task that counted on the day ``left`` counts on ``reached`` now; None: on no day. The maker's rhythm follows.

    The caller holds the maker's row, so two tasks done at once are both counted. No day falls below zero: a task from
    before days were kept is taken from the day it would count on today.
    """
    if left == reached:
        return
    with connection.cursor() as cursor:
        for sql, moved in ((TAKE, left), (ADD, reached)):
            if moved is not None:
                cursor.execute(sql, [[maker.pk], [moved], [1]])
        cursor.execute(KEEP_RHYTHMS, [[maker.pk]])


def move_many(counts: Counter[tuple[int, date]], *, back: bool) -> None:
    """So many tasks count no more on these days of these makers, by their ids; or ``back``: again. The caller holds the
    makers' rows."""
    makers, moved = [maker for maker, _ in counts], [day for _, day in counts]
    with connection.cursor() as cursor:
        cursor.execute(ADD if back else TAKE, [makers, moved, [*counts.values()]])
        cursor.execute(KEEP_RHYTHMS, [sorted(set(makers))])
