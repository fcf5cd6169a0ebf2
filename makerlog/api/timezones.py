"""Which day is "today": ``X-App-Timezone``, else the maker's own time zone, else UTC."""

from zoneinfo import ZoneInfo, available_timezones

from makerlog.api.exceptions import BadParameter

NAMES = frozenset(available_timezones())


def known(name: str) -> bool:
    return name in NAMES


def request_timezone(header: str | None, own: str | None) -> ZoneInfo:
    """The zone of a request. ``header`` is X-App-Timezone as sent, ``own`` the maker's setting.

    A made-up name is a 400: days counted in a wrong zone would be a silent fault.
    """
    if header and not known(header):
        raise BadParameter(f"X-App-Timezone is {header!r}, which is no IANA time zone.", "invalid_timezone")
    return ZoneInfo(header or own or "UTC")
