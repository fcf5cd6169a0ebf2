"""Streak, weekly average and score: derived on read from what is kept, since they change with the calendar alone.

Kept on the maker: the last day something was done, how many days in a row ended with it, and how much was done on each
of the seven days that end with it. Days are the maker's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from django.utils import timezone

from makerlog.api.timezones import midnight
from makerlog.api.timezones import zone as zone_called

WEEK = 7


@dataclass(frozen=True)
class Rhythm:
    """``run``: days in a row ending with ``last_day``. ``week``: tasks done on each of seven days, that one last."""

    run: int
    last_day: date | None
    week: Sequence[int]

    def idle_days(self, today: date) -> int:
        return (today - self.last_day).days if self.last_day else 10**6

    def streak(self, today: date) -> int:
        """Days in a row up to yesterday or today: today is not lost before it is over."""
        return self.run if self.idle_days(today) <= 1 else 0

    def done_this_week(self, today: date) -> int:
        """Tasks done on the seven days that end today."""
        gone = max(0, self.idle_days(today))
        return sum(self.week[gone:]) if gone < WEEK else 0

    def week_tda(self, today: date) -> int:
        """Tasks done a day over the last seven days, rounded: clients decode an integer."""
        return round(self.done_this_week(today) / WEEK)

    def score(self, today: date) -> int:
        return self.streak(today) + self.done_this_week(today)

    def streak_ends_at(self, today: date, zone: str) -> datetime | None:
        """When the streak is lost if nothing more is done: the end of the day after ``last_day``."""
        if not self.last_day or not self.streak(today):
            return None
        return midnight(self.last_day + timedelta(days=2), zone_called(zone)).astimezone(UTC)


class Day(NamedTuple):
    """``date`` somewhere, and from when until when it is there, in UTC."""

    date: date
    since: datetime
    until: datetime


_days: dict[str, Day] = {}  # what day it was when somebody asked last, by time zone


def today_in(zone: str) -> Day:
    """Looked up while it is the same day: to work it out takes ten times as long, and a page asks for each of its makers."""
    now, day = timezone.now(), _days.get(zone)
    if day is None or not day.since <= now < day.until:
        day = _days[zone] = day_of(local_day(now, zone), zone)
    return day


def day_of(date: date, zone: str) -> Day:
    since, until = (midnight(each, zone_called(zone)).astimezone(UTC) for each in (date, date + timedelta(days=1)))
    return Day(date, since, until)


def local_day(moment: datetime, zone: str) -> date:
    return moment.astimezone(zone_called(zone)).date()
