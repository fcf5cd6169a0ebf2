"""Moments as people read them: in UTC, and how far from now."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.utils import timezone
from django.utils.timesince import timesince, timeuntil

ROUND = timedelta(seconds=30)


def moment(at: datetime | None) -> str:
    """2026-11-22 22:12:29, in UTC; "-" for none."""
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else "-"


def spoken(at: datetime | None) -> str:
    """``in 59 minutes (2026-11-22 22:12:29 UTC)``, ``3 minutes ago (...)``; "-" for none."""
    if at is None:
        return "-"
    now = timezone.now()
    # Django cuts off: an hour from now is rounded, so that it does not read as 59 minutes once the page is there.
    far = timeuntil(at + ROUND, now, depth=1) if at > now else timesince(at, now, depth=1)
    far = "moments" if far.startswith("0") else far.replace("\xa0", " ")
    return f"{f'in {far}' if at > now else f'{far} ago'} ({moment(at)} UTC)"


def column(name: str, description: str) -> Callable[[Any], str]:
    """A column of an admin's list, which says the moment in the field ``name``."""

    @admin.display(description=description)
    def told(row: Any) -> str:
        return spoken(getattr(row, name))

    told.__name__ = name
    return told
