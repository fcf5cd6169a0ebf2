"""Faults of ours, reported to Sentry where SENTRY_DSN names one: with their traceback and request id, without what makers
sent."""

from typing import Any

import sentry_sdk
from sentry_sdk.types import Event, Hint

from makerlog.gate.seen import without_secrets

KEPT_HEADERS = {"User-Agent", "Content-Type", "Accept", "X-App-Timezone"}


def report_to(dsn: str) -> None:
    """From now on, from this process. Its own thread sends, and forgets what it cannot send; "" reports nothing."""
    if not dsn:
        return
    sentry_sdk.init(
        dsn=dsn,
        send_default_pii=False,
        max_request_body_size="never",
        include_local_variables=False,  # a frame may hold a token or a password
        before_send=without_what_makers_sent,
    )


def without_what_makers_sent(event: Event, hint: Hint) -> Event:
    request: dict[str, Any] = event.get("request") or {}
    headers = request.get("headers") or {}
    event["request"] = {
        "method": request.get("method", ""),
        "url": without_secrets(request.get("url", "").partition("?")[0]),
        "headers": {name: value for name, value in headers.items() if name in KEPT_HEADERS},
    }
    event.pop("breadcrumbs", None)  # lines of the log and statements, with whatever stands in them
    return event
