"""Whatever charset a client claims, everything is UTF-8."""

import io
import json
from collections.abc import Iterator
from typing import Any
from unittest.mock import ANY
from urllib.parse import urlencode

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

from makerlog.api.charset import Utf8Request
from makerlog.wsgi import django
from tests.errors import assert_error
from tests.makers import anonymous, caller

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


def call(method: str, token: str, kind: str, body: bytes = b"", path: str = "/tasks/") -> tuple[int, Any]:
    """Status and body, through the WSGI application that the front door runs."""
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": "a=%41&search=%C3%A9&xn--%C3%A9=xn--%41",
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


# --- Text that is not UTF-8 is a 400, wherever it stands ---

BROKEN = {
    "application/json": b'{"content": "caf\xe9"}',
    FORM: b"content=caf%E9",
    FORM + ";": b"content=caf\xe9",
    MULTIPART: b'--b\r\nContent-Disposition: form-data; name="content"\r\n\r\ncaf\xe9\r\n--b--\r\n',
}


@pytest.mark.parametrize("kind", [*BROKEN])
def test_a_body_in_another_encoding_is_a_400_and_no_task_with_question_marks(kind: str) -> None:
    client = caller()
    assert call("POST", client.token, kind, BROKEN[kind]) == (400, ANY)
    assert client.get("/tasks/").json()["results"] == []


@pytest.mark.parametrize(
    "address", ["/tasks/?search=caf%E9", "/tasks/?x=%FF", "/users/?%C3=1", "/tasks/?search=%ED%A0%80"]
)
def test_an_address_in_another_encoding_is_a_400(address: str) -> None:
    client = caller()
    assert_error(client.get(address), 400, "parse_error")
    assert_error(anonymous().get(address), 400, "parse_error")


def test_a_path_in_another_encoding_is_a_400() -> None:
    token = caller().token
    assert call("GET", token, "", path="/users/caf\xe9/") == (400, {"detail": ANY, "code": "parse_error"})
    assert call("GET", token, "", path="/users/caf\xc3\xa9/")[0] == 404


def test_a_form_of_any_kind_says_every_letter_there_is() -> None:
    client, text = caller(), "é हिन्दी 👩\u200d💻 100% a+b &"
    for form in ({"format": "json"}, {"format": "multipart"}):
        assert client.post("/tasks/", {"content": text}, **form).json()["content"] == text
    said = client.post("/tasks/", urlencode({"content": text}), content_type=FORM)
    assert said.json()["content"] == text
    assert len(client.get("/tasks/", {"search": text}).json()["results"]) == 3
