"""What browsers ask before they send a request of another origin: answered at the door, alike for everybody.

A preflight carries no token, also where the request behind it will: in the lanes it would be shed with the anonymous ones,
and every app in a browser with it.
"""

from starlette.types import Scope

from makerlog.gate.answers import Answer, Headers

# What scripts of any origin may send beside what needs no asking.
ALLOWED_HEADERS = (
    "authorization",
    "content-type",
    "idempotency-key",
    "if-none-match",
    "if-match",
    "x-app-timezone",
    "x-requested-with",
    "cache-control",
    "traceparent",
    "tracestate",
    "baggage",
    "sentry-trace",
)
ALLOWED_METHODS = ("DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT")
MAX_AGE_S = 86_400  # for which a browser need not ask again

ASKED = {b"origin", b"access-control-request-method"}
ANSWER: Headers = [
    (b"content-length", b"0"),
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-headers", ", ".join(ALLOWED_HEADERS).encode()),
    (b"access-control-allow-methods", ", ".join(ALLOWED_METHODS).encode()),
    (b"access-control-max-age", b"%d" % MAX_AGE_S),
]


def is_preflight(scope: Scope) -> bool:
    """A browser sends none with a credential."""
    if scope.get("method") != "OPTIONS":
        return False
    names = {name for name, _ in scope["headers"]}
    return names >= ASKED and b"authorization" not in names


def preflight(request_id: str) -> Answer:
    return Answer(200, [*ANSWER, (b"x-request-id", request_id.encode())], b"")
