"""Open to every origin, without credentials."""

import re
from typing import Any

import pytest

from makerlog.api.checks import routes
from tests.makers import anonymous, caller

pytestmark = pytest.mark.django_db

ORIGIN = "https://app.example"
ALLOWED = {
    "authorization", "content-type", "idempotency-key", "if-none-match", "if-match", "x-app-timezone", "x-requested-with",
    "cache-control", "traceparent", "tracestate", "baggage", "sentry-trace",
}  # fmt: skip
EXPOSED = {
    "RateLimit", "RateLimit-Policy", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Link", "ETag",
    "X-Request-Id", "Retry-After", "X-Makerlog-Level", "Idempotency-Replayed", "X-Ignored-Parameters",
}  # fmt: skip
PATHS = sorted({"/" + re.sub(r"<[^>]+>", "1", route.path) for route in routes()})


def words(header: str) -> set[str]:
    return {word.strip() for word in header.split(",")}


def preflight(path: str, method: str = "POST", headers: str = ", ".join(sorted(ALLOWED))) -> Any:
    return anonymous().options(
        path,
        HTTP_ORIGIN=ORIGIN,
        HTTP_ACCESS_CONTROL_REQUEST_METHOD=method,
        HTTP_ACCESS_CONTROL_REQUEST_HEADERS=headers,
    )


@pytest.mark.parametrize("path", PATHS)
def test_every_route_answers_a_preflight_with_and_without_its_slash(path: str) -> None:
    for spelled in (path, path.rstrip("/") or "/"):
        response = preflight(spelled)
        assert response.status_code == 200
        assert response["Access-Control-Allow-Origin"] == "*"
        assert words(response["Access-Control-Allow-Headers"]) == ALLOWED
        assert words(response["Access-Control-Allow-Methods"]) >= {"GET", "POST", "PUT", "PATCH", "DELETE"}
        assert "Access-Control-Allow-Credentials" not in response


def test_a_preflight_needs_no_credential_even_a_bad_one_is_not_looked_at() -> None:
    client = anonymous()
    client.credentials(HTTP_AUTHORIZATION="Token nonsense")
    assert client.options("/tasks/me/", HTTP_ACCESS_CONTROL_REQUEST_METHOD="GET", HTTP_ORIGIN=ORIGIN).status_code == 200


@pytest.mark.parametrize("path", ["/tasks/", "/nowhere/", "/tasks/me/", "/tasks/?limit=x", "/tasks"])
def test_every_answer_may_be_read_by_every_origin(path: str) -> None:
    response = anonymous().get(path, HTTP_ORIGIN=ORIGIN)
    assert response["Access-Control-Allow-Origin"] == "*"
    assert words(response["Access-Control-Expose-Headers"]) == EXPOSED
    assert "Access-Control-Allow-Credentials" not in response


def test_an_options_that_is_no_preflight_names_the_methods() -> None:
    response = caller().options("/tasks/")
    assert (response.status_code, response["Allow"]) == (204, "GET, POST, HEAD, OPTIONS")
    assert anonymous().options("/tasks/me/").status_code == 204
