"""Which day is "today": ``X-App-Timezone``, else the maker's own time zone, else UTC."""

import logging
import zoneinfo
from datetime import date, datetime, time, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from makerlog.api.exceptions import BadParameter

logger = logging.getLogger("makerlog.timezones")

# Of the wheel tzdata alone: what a machine knows beside it, or lacks, would hold on that machine only.
zoneinfo.reset_tzpath(to=())
NO_PLACES = {"Factory", "localtime", "posixrules"}  # zones of machines: nobody lives there
FOR_MACHINES = ("posix/", "right/")
NAMES = frozenset(name for name in zoneinfo.available_timezones() - NO_PLACES if not name.startswith(FOR_MACHINES))
NOT_SENT = {"", "undefined", "null", "Etc/Unknown"}  # what JavaScript writes where it knows no zone
MAX_UNKNOWN = 1_000  # names that are remembered as such, beside all that are known


def known(name: str) -> bool:
    return name in NAMES


# Python itself remembers eight, and reads any other from disk each time.
@lru_cache(maxsize=len(NAMES) + MAX_UNKNOWN)
def zone(name: str) -> ZoneInfo:
    """The zone that a maker has. One that was stored and is known no longer counts as UTC, and is logged once."""
    if known(name):
        return ZoneInfo(name)
    logger.warning("The time zone %.64r is known no longer: its makers have UTC.", name)
    return ZoneInfo("UTC")


def request_timezone(header: str | None, own: str | None) -> ZoneInfo:
    """The zone of a request. ``header`` is X-App-Timezone as sent, ``own`` the maker's setting.

    A made-up name is a 400: days counted in a wrong zone would be a silent fault.
    """
    name = (header or "").strip()
    if name in NOT_SENT:
        return zone(own or "UTC")
    if not known(name):
        raise BadParameter(f"X-App-Timezone is {name[:64]!r}, which is no IANA time zone.", "invalid_timezone")
    return zone(name)


def midnight(day: date, zone: tzinfo) -> datetime:
    """With which ``day`` begins there."""
    return datetime.combine(day, time(), zone)


def moment_said(text: str) -> datetime | str:
    """The moment that ``text`` says in ISO 8601, or the text itself. Without an offset it is in the request's zone.

    An hour that the clocks skip or repeat is a moment too: somewhere they skip midnight, and that day begins as well.
    """
    try:
        moment = parse_datetime(text)
    except ValueError:
        return text
    if moment is None:
        return text
    return moment.replace(tzinfo=timezone.get_current_timezone()) if timezone.is_naive(moment) else moment
