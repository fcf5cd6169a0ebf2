"""Whatever charset a client claims, everything is UTF-8."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

from makerlog.api.charset import Utf8Request
from makerlog.wsgi import django
from tests.makers import caller

pytestmark = pytest.mark.django_db

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"
BODIES = {
    "application/json": '{"content": "é"}'.encode(),
    FORM: b"content=%C3%A9",
    MULTIPART: '--b\r\nContent-Disposition: form-data; name="content"\r\n\r\né\r\n--b--\r\n'.encode(),
}
CODECS = ["idna", "punycode", "zip", "hex", "utf-7", "utf-16", "undefined", "no-such", "latin-1", '"']


@pytest.fixture(autouse=True)
def _connection() -> Iterator[None]:
    """A request ends with its connection closed; that of the test goes on."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def call(method: str, token: str, kind: str, body: bytes = b"") -> tuple[int, Any]:
    """Status and body, through the WSGI application that the front door runs."""
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": "/tasks/",
        "QUERY_STRING": "a=%41%ff&search=%C3%A9&xn--%ff=xn--%41",
        "CONTENT_TYPE": kind,
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_AUTHORIZATION": f"Token {token}",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "HTTP_HOST": "localhost",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
    }
    said: list[str] = []
    answer = django(environ, lambda status, headers, exc_info=None: said.append(status))  # type: ignore[arg-type]
    content = b"".join(answer)
    return int(said[0][:3]), json.loads(content)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("kind", [*BODIES])
def test_a_claimed_charset_changes_nothing(kind: str, codec: str) -> None:
    token = caller().token
    status, task = call("POST", token, f"{kind}; charset={codec}", BODIES[kind])
    assert (status, task["content"]) == (201, "é")
    status, page = call("GET", token, f"{kind}; charset={codec}")
    assert (status, [task["content"] for task in page["results"]]) == (200, ["é"])


@pytest.mark.parametrize("kind", [f"{FORM}; charset*=zip''x", f"{FORM}; a*=no-such''%ff", f"{FORM}; {'a=1;' * 9000}"])
def test_a_header_that_cannot_be_parsed_is_an_unknown_media_type(kind: str) -> None:
    token = caller().token
    assert call("GET", token, kind)[0] == 200
    status, body = call("POST", token, kind, b"content=x")
    assert (status, body.get("code")) in ((415, "unsupported_media_type"), (201, None))


def test_a_cookie_that_spells_nul_is_no_cookie() -> None:
    environ = {"REQUEST_METHOD": "GET", "wsgi.input": io.BytesIO(), "HTTP_COOKIE": 'sessionid="\\000abcdefgh"; kept=1'}
    assert Utf8Request(environ).COOKIES == {"kept": "1"}
