"""How long: ``90s``, ``10m``, ``2h``, ``7d`` or ``good``, as commands and forms take it."""

import re
from datetime import datetime, timedelta

from django.utils import timezone

SHAPE = re.compile(r"([1-9]\d{0,8})([smhd])", re.ASCII)
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LONGEST = timedelta(days=3650)
DEFAULT = "1h"  # of bans, switches of routes and levels, on every page and in every command
FOR_GOOD = "good"
ALLOWED_FOR = "30d"  # what is on the allowlist


def duration(text: str) -> timedelta:
    """What ``text`` says. ValueError, in one sentence, where it says nothing of the kind."""
    match = SHAPE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no duration; write a whole number and a unit: 90s, 10m, 2h or 7d.")
    found = timedelta(**{UNITS[match[2]]: int(match[1])})
    if found > LONGEST:
        raise ValueError(f"{text!r} is longer than {LONGEST.days}d; write {FOR_GOOD} for good.")
    return found


def end_after(text: str) -> datetime | None:
    """The moment at which what begins now ends; None for ``good`` and for "". ValueError as above."""
    return timezone.now() + duration(text) if text.strip() not in ("", FOR_GOOD) else None
