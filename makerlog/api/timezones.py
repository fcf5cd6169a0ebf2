"""Which day is "today": ``X-App-Timezone``, else the maker's own time zone, else UTC."""

from datetime import date, datetime, time, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from makerlog.api.exceptions import BadParameter

NAMES = frozenset(available_timezones())


# Python itself remembers eight, and reads any other from disk each time.
zone = lru_cache(maxsize=len(NAMES))(ZoneInfo)


def known(name: str) -> bool:
    return name in NAMES


def request_timezone(header: str | None, own: str | None) -> ZoneInfo:
    """The zone of a request. ``header`` is X-App-Timezone as sent, ``own`` the maker's setting.

    A made-up name is a 400: days counted in a wrong zone would be a silent fault.
    """
    if header and not known(header):
        raise BadParameter(f"X-App-Timezone is {header!r}, which is no IANA time zone.", "invalid_timezone")
    return zone(header or own or "UTC")


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
