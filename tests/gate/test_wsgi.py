import logging
from typing import Any

import orjson
import pytest

from makerlog.gate.door import FrontDoor
from makerlog.gate.limits import Limits
from makerlog.gate.wsgi import run
from tests.gate.serving import is_refusal, mirror, says, serve
from tests.held import held_by


def answer_of(app, method="GET", **limits):
    with serve(FrontDoor(app, limits=Limits(**limits))) as service:
        return service.ask(method, "/")


def test_an_answer_comes_back_as_it_was_given():
    reply = answer_of(says("418 Teapot", [("X-One", "1"), ("Set-Cookie", "a=1")], b"short ", b"and stout"))
    assert (reply.status, reply.body) == (418, b"short and stout")
    assert (reply.headers["x-one"], reply.headers["set-cookie"]) == ("1", "a=1")


def test_an_answer_takes_as_much_memory_as_it_has_bytes() -> None:
    """However much room its writer left itself: it may be kept for others, or wait for a slow reader."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [orjson.dumps({"content": "x" * 40_000})]

    environ = {"makerlog.request_id": "1", "REQUEST_METHOD": "GET", "PATH_INFO": "/"}
    assert 40_000 < held_by(lambda: run(app, dict(environ), 100_000)) < 42_000


@pytest.mark.parametrize("claimed", ["3", "300"])
def test_content_length_is_what_is_sent_not_what_is_claimed(claimed):
    reply = answer_of(says("200 OK", [("Content-Length", claimed)], b"twelve bytes"))
    assert reply.headers["content-length"] == "12"
    assert reply.body == b"twelve bytes"


def test_hop_by_hop_headers_are_the_servers_own():
    reply = answer_of(says("200 OK", [("Connection", "x-y"), ("Transfer-Encoding", "chunked")], b"x"))
    assert reply.body == b"x"
    assert "transfer-encoding" not in reply.headers


def test_head_has_the_length_of_get_and_no_body():
    with_body = answer_of(says("200 OK", [], b"twelve bytes"), "HEAD")
    without = answer_of(says("200 OK", [("Content-Length", "12")]), "HEAD")
    assert [reply.headers["content-length"] for reply in (with_body, without)] == ["12", "12"]
    assert with_body.body == without.body == b""


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_an_answer_without_content_has_no_body_and_no_length(status):
    reply = answer_of(says(status, [("Content-Length", "5")], b"extra"))
    assert reply.body == b""
    assert "content-length" not in reply.headers
    assert "transfer-encoding" not in reply.headers


def test_options_reaches_the_application():
    assert answer_of(says("200 OK", [("Allow", "GET")]), "OPTIONS").headers["allow"] == "GET"


def test_an_answer_over_the_limit_is_a_fault_of_ours(caplog):
    closed = []

    class Endless:
        def __iter__(self):
            while True:
                yield b"x" * 100

        def close(self):
            closed.append(True)

    def app(environ, start_response):
        start_response("200 OK", [])
        return Endless()

    is_refusal(answer_of(app, answer=1000), 500, "server_error")
    assert closed == [True]
    assert "AnswerTooLarge" in caplog.text


@pytest.mark.parametrize("error", [ValueError("boom"), SystemExit("boom"), StopIteration("boom")])
def test_an_exception_is_a_json_500_logged_once_with_its_request_id(caplog, error):
    def app(environ, start_response):
        raise error

    reply = answer_of(app)
    is_refusal(reply, 500, "server_error")
    assert b"boom" not in reply.body
    faults = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.name for record in faults] == ["makerlog.gate"]
    assert reply.headers["x-request-id"] in faults[0].getMessage()


def test_an_exception_after_start_response_is_a_500_too():
    def app(environ, start_response):
        start_response("200 OK", [])
        yield b"half"
        raise ValueError("boom")

    is_refusal(answer_of(app), 500, "server_error")


def test_start_response_may_be_corrected_and_write_still_works():
    def app(environ, start_response):
        start_response("200 OK", [])
        write = start_response("202 Accepted", [("X-Second", "1")])
        write(b"written ")
        return [b"returned"]

    reply = answer_of(app)
    assert (reply.status, reply.body, reply.headers["x-second"]) == (202, b"written returned", "1")


def test_an_application_that_never_starts_its_answer_is_a_500():
    is_refusal(answer_of(lambda environ, start_response: [b"x"]), 500, "server_error")


@pytest.mark.parametrize("value", ["a\r\nX-Injected: 1", "nul\x00", "snow ☃"])
def test_a_header_that_cannot_be_sent_is_a_500_and_not_a_dropped_connection(value):
    is_refusal(answer_of(says("200 OK", [("X-Bad", value)], b"x")), 500, "server_error")


def test_one_connection_carries_many_requests():
    with serve(FrontDoor(says("200 OK", [], b"x"))) as service, service.dial() as connection:
        reader = connection.makefile("rb")
        for _ in range(5):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            lines = iter(reader.readline, b"\r\n")
            assert next(lines).startswith(b"HTTP/1.1 200")
            assert b"content-length: 1\r\n" in list(lines)
            assert reader.read(1) == b"x"


def test_cookies_that_python_reads_slowly_are_left_out() -> None:
    with serve(FrontDoor(mirror)) as service:
        seen = service.get("/", {"Cookie": "a=1; b=" + '"' + "\\" * 30_000 + '"; c="2"'}).json()["environ"]
    assert seen["HTTP_COOKIE"] == 'a=1; c="2"'


def test_a_content_type_that_django_reads_slowly_is_refused() -> None:
    with serve(FrontDoor(mirror)) as service:
        is_refusal(service.get("/", {"Content-Type": 'a; "' + ";" * 30_000}), 431, "headers_too_large")
        assert service.get("/", {"Content-Type": "multipart/form-data; boundary=" + "a" * 70}).status == 200
