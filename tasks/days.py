"""Day counts and the rhythm that is kept on the maker: both change in the transaction that changes the task."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta

from django.db.models import F
from django.db.models.functions import Greatest

from makerlog.accounts.models import Maker
from makerlog.accounts.rhythm import WEEK, local_day
from tasks.models import DayCount

RUN_CHUNK = 400


def move(*, maker: Maker, left: datetime | None, reached: datetime | None) -> None:
    """A task that was done at ``left`` is done at ``reached`` now; None where it is not. The maker's rhythm follows.

    The caller holds the maker's row, so two tasks done at once are both counted. No day falls below zero: who moved to
    another time zone takes a task back from another day than it was counted on.
    """
    changes: Counter[date] = Counter()
    for moment, by in ((left, -1), (reached, 1)):
        if moment is not None:
            changes[local_day(moment, maker.timezone)] += by
    for day, by in changes.items():
        _, new = DayCount.objects.get_or_create(author=maker, day=day, defaults={"done": max(by, 0)})
        if not new:
            DayCount.objects.filter(author=maker, day=day).update(done=Greatest(F("done") + by, 0))
    if changes:
        keep_rhythm(maker)


def keep_rhythm(maker: Maker) -> None:
    """Reads the last run of days from the counts and keeps it on the maker's row."""
    worked = DayCount.objects.filter(author=maker, done__gt=0).order_by("-day")
    last_day = worked.values_list("day", flat=True).first()
    week: list[int] = [0] * WEEK
    run = 0
    if last_day is not None:
        recent = worked.filter(day__gt=last_day - timedelta(days=WEEK)).values_list("day", "done")
        for day, done in recent:
            week[WEEK - 1 - (last_day - day).days] = done
        run = run_length(worked.values_list("day", flat=True).iterator(RUN_CHUNK), last_day)
    Maker.objects.filter(pk=maker.pk).update(last_day=last_day, run_length=run, week_counts=week)


def run_length(days: Iterable[date], last_day: date) -> int:
    """How many of ``days``, newest first, follow each other without a gap, ending with ``last_day``."""
    length = 0
    for day in days:
        if day != last_day - timedelta(days=length):
            break
        length += 1
    return length
