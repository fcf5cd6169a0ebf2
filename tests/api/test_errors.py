"""Every kind of error in the one shape, with a request id, and as RFC 9457 for who asks for it."""

import json
from typing import Any

import pytest
from django.core.handlers.exception import convert_exception_to_response
from django.db import OperationalError, connection, transaction
from rest_framework.test import APIClient

from makerlog.accounts.models import Follow, Maker
from tasks import actions
from tests.errors import assert_error
from tests.makers import Caller, anonymous, caller

pytestmark = pytest.mark.django_db

PROBLEM = "application/problem+json"

KINDS: dict[str, tuple[str, str, Any, int, str]] = {
    "unknown route": ("get", "/nowhere/", None, 404, "not_found"),
    "unknown row": ("get", "/tasks/999999999/", None, 404, "not_found"),
    "wrong method": ("delete", "/tasks/", None, 405, "method_not_allowed"),
    "bad parameter": ("get", "/tasks/?limit=x", None, 400, "bad_limit"),
    "bad cursor": ("get", "/tasks/?cursor=x", None, 400, "bad_cursor"),
    "unparsable": ("post", "/tasks/", (b"{", "application/json"), 400, "parse_error"),
    "unknown media type": ("post", "/tasks/", (b"x", "text/plain"), 415, "unsupported_media_type"),
    "too large": ("post", "/tasks/", (b'"' + b"x" * 1024 * 1024 + b'"', "application/json"), 413, "body_too_large"),
    "bad time zone": ("zone", "/tasks/", None, 400, "invalid_timezone"),
    "bad credential": ("token", "/tasks/", None, 401, "bad_credential"),
    "no credential": ("nobody", "/tasks/me/", None, 401, "not_authenticated"),
    "missing scope": ("narrow", "/tasks/me/", None, 403, "missing_scope"),
}


def provoked(kind: str, **headers: Any) -> Any:
    how, path, body, _, _ = KINDS[kind]
    client: Caller = caller("alice", ["products:read"]) if how == "narrow" else caller("alice")
    if how == "nobody":
        client = anonymous()
    if how == "token":
        client.credentials(HTTP_AUTHORIZATION="Token nonsense")
    if how == "zone":
        headers["HTTP_X_APP_TIMEZONE"] = "Mars/Base"
    if body:
        return client.generic("POST", path, body[0], content_type=body[1], **headers)
    return (client.delete if how == "delete" else client.get)(path, **headers)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_has_the_one_shape(kind: str) -> None:
    _, _, _, status, code = KINDS[kind]
    assert_error(provoked(kind), status, code)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_is_a_problem_for_who_asks_for_one(kind: str) -> None:
    _, _, _, status, code = KINDS[kind]
    response = provoked(kind, HTTP_ACCEPT=f"text/html, {PROBLEM};q=0.9")
    body = response.json()
    assert response["Content-Type"] == PROBLEM
    assert set(body) == {"type", "title", "status", "detail", "code"}
    assert (response.status_code, body["status"], body["code"], body["type"]) == (status, status, code, "about:blank")
    assert response["X-Request-Id"]


def test_wrong_fields_are_named_and_a_problem_holds_them_too() -> None:
    client = caller("alice")
    plain = client.post("/tasks/", {"content": "", "due_at": "x"})
    problem = client.post("/tasks/", {"content": "", "due_at": "x"}, HTTP_ACCEPT=PROBLEM)
    assert set(plain.json()) == {"content", "due_at"}
    assert problem.json()["errors"] == plain.json()
    assert (problem.json()["code"], problem.json()["status"], problem["Content-Type"]) == ("invalid", 400, PROBLEM)


def test_a_401_says_how_to_sign_in() -> None:
    for kind in ("bad credential", "no credential"):
        assert provoked(kind)["WWW-Authenticate"] == "Token"


def test_a_405_says_which_methods_there_are() -> None:
    assert provoked("wrong method")["Allow"] == "GET, POST, HEAD, OPTIONS"


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "head", "options", "trace"])
@pytest.mark.parametrize("path", ["/nowhere", "/nowhere/", "/tasks/1/2/3/", "/%00/", "/%ff/", "/milestones/", "/.env"])
def test_an_unknown_route_is_a_404_for_every_method(path: str, method: str) -> None:
    response = anonymous().generic(method.upper(), path)
    assert response.status_code == 404
    assert response["X-Request-Id"]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``broken(error)``: logging a task raises it."""

    def breaks(error: Exception) -> APIClient:
        def log_task(**values: Any) -> None:
            raise error

        monkeypatch.setattr(actions, "log_task", log_task)
        client = caller("alice")
        client.raise_request_exception = False
        return client

    return breaks


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("secret"), RecursionError("secret"), MemoryError("secret"), ValueError("secret")]
)
def test_a_fault_of_ours_is_a_500_that_tells_nothing_but_its_id(error: Exception, broken: Any) -> None:
    response = broken(error).post("/tasks/", {"content": "x"})
    body = assert_error(response, 500, "server_error")
    assert body["detail"].endswith(f"{response['X-Request-Id']}.")
    assert b"secret" not in response.content


def test_a_fault_of_ours_is_a_problem_for_who_asks_for_one(broken: Any) -> None:
    response = broken(ZeroDivisionError()).post("/tasks/", {"content": "x"}, HTTP_ACCEPT=PROBLEM)
    assert (response["Content-Type"], response.json()["status"]) == (PROBLEM, 500)


def test_a_database_that_does_not_answer_is_a_503_that_says_when_to_come_back(broken: Any) -> None:
    response = broken(OperationalError("server closed the connection")).post("/tasks/", {"content": "x"})
    body = assert_error(response, 503, "database_unavailable")
    assert "server closed" not in body["detail"]
    assert response["Retry-After"] == "2"


def run_into(sql: str) -> Exception:
    """What PostgreSQL itself says to ``sql``."""
    with pytest.raises(OperationalError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    return caught.value


def test_a_statement_that_takes_too_long_is_a_503_of_its_own(broken: Any) -> None:
    error = run_into("SET LOCAL statement_timeout = '20ms'; SELECT pg_sleep(60)")
    response = broken(error).post("/tasks/", {"content": "x"})
    assert_error(response, 503, "database_slow")
    assert response["Retry-After"] == "2"


def test_a_database_that_fails_outside_of_any_view_is_a_503_too(rf: Any, caplog: pytest.LogCaptureFixture) -> None:
    def broken_session(request: Any) -> Any:
        raise OperationalError("server closed the connection")

    request = rf.get("/admin/")
    response = convert_exception_to_response(broken_session)(request)
    assert (response.status_code, json.loads(response.content)["code"]) == (503, "database_unavailable")
    assert [record for record in caplog.records if record.exc_info] == []


def test_every_answer_has_an_id_of_its_own_whatever_the_client_says() -> None:
    said = [anonymous().get("/tasks/", HTTP_X_REQUEST_ID="mine")["X-Request-Id"] for _ in range(3)]
    assert len(set(said)) == 3
    assert "mine" not in said


def test_an_unknown_host_is_a_400_in_the_one_shape() -> None:
    assert_error(anonymous().get("/tasks/", HTTP_HOST="evil.example"), 400, "bad_request")


def test_errors_do_not_depend_on_a_maker_being_there() -> None:
    assert Maker.objects.count() == 0
    assert_error(anonymous().get("/users/nobody/"), 404, "not_found")


def nested(depth: int) -> bytes:
    return b'{"content": ' + b"[" * depth + b"]" * depth + b"}"


@pytest.mark.parametrize("depth", [100, 250, 300, 1000, 5000])
def test_nesting_of_any_depth_is_a_400(depth: int) -> None:
    response = caller("alice").generic("POST", "/tasks/", nested(depth), "application/json", HTTP_IDEMPOTENCY_KEY="k")
    assert response.status_code == 400, response.content


def test_what_is_gone_by_the_end_of_a_request_is_no_fault_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(**values: Any) -> None:
        Maker.objects.get(pk=0)

    monkeypatch.setattr(actions, "log_task", gone)
    assert_error(caller("alice").post("/tasks/", {"content": "x"}), 404, "not_found")


def test_a_row_that_refers_to_what_was_just_deleted_is_a_409(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(**values: Any) -> None:
        with transaction.atomic():
            Follow.objects.create(follower_id=10**9, followed_id=10**9 + 1)
            connection.check_constraints()

    monkeypatch.setattr(actions, "log_task", late)
    assert_error(caller("alice").post("/tasks/", {"content": "x"}), 409, "gone_meanwhile")


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [("/nowhere/", "testserver", 404), ("/me/", "testserver", 401), ("/tasks/", "evil.example", 400)],
)
def test_what_clients_send_wrong_writes_no_line_in_the_log(caplog, path: str, host: str, status: int) -> None:
    assert anonymous().get(path, HTTP_HOST=host).status_code == status
    assert caplog.records == []
