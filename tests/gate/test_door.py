import asyncio
import contextlib
import gc
import gzip
import json
import logging
import time
from dataclasses import replace
from ipaddress import ip_network

import pytest

from makerlog.gate.door import FrontDoor
from makerlog.gate.limits import Limits
from makerlog.gate.visit import Visit
from tests.gate.serving import Stuck, is_refusal, mirror, one_lane, says, serve, until

SMALL = Limits(one_lane(2, 2), body=1000, upload=5000, linger=0.3)
LOOPBACK = [ip_network("127.0.0.0/8")]


@pytest.fixture(scope="module")
def service():
    with serve(FrontDoor(mirror, limits=SMALL, recognise=lambda header: "genuine")) as service:
        yield service


def seen(reply):
    assert reply.status == 200, reply
    return reply.json()["environ"]


def tracebacks(caplog):
    return [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]


# --- Health ---


@pytest.mark.parametrize("path", ["/health", "/health/", "/health?x=1"])
def test_health_answers_by_itself(path):
    with serve(FrontDoor(says("500 Not asked", []))) as service:
        reply = service.get(path)
    assert reply.status == 200
    assert reply.json() == {"healthy": True, "level": "normal"}
    assert reply.headers["x-makerlog-level"] == "normal"
    assert reply.headers["access-control-allow-origin"] == "*"
    assert len(reply.headers["x-request-id"]) == 32


def test_health_by_head_has_the_length_and_no_body(service):
    whole, head = service.get("/health"), service.ask("HEAD", "/health")
    assert head.status == 200
    assert head.body == b""
    assert head.headers["content-length"] == str(len(whole.body))


def test_other_methods_and_paths_of_health_go_to_django(service):
    assert seen(service.ask("POST", "/health", b""))["REQUEST_METHOD"] == "POST"
    assert seen(service.get("/health/ready"))["PATH_INFO"] == "/health/ready"


# --- What Django is told ---


def test_the_request_id_is_ours_and_the_same_inside_and_outside(service):
    reply = service.get("/", {"X-Request-Id": "forged"})
    assert reply.headers["x-request-id"] == seen(reply)["makerlog.request_id"] != "forged"
    assert "HTTP_X_REQUEST_ID" not in seen(reply)
    assert service.get("/").headers["x-request-id"] != reply.headers["x-request-id"]


def test_an_application_cannot_set_another_request_id():
    with serve(FrontDoor(says("200 OK", [("X-Request-ID", "other")], b"x"))) as service:
        assert len(service.get("/").headers["x-request-id"]) == 32


def test_chunked_json_arrives_whole_with_its_length(service):
    body = json.dumps({"content": "x" * 800}).encode()
    chunks = [body[:1], body[1:500], body[500:]]
    reply = service.ask("POST", "/tasks/", iter(chunks), {"Content-Type": "application/json"}, encode_chunked=True)
    assert reply.json()["body"].encode() == body
    assert seen(reply)["CONTENT_LENGTH"] == str(len(body))
    assert "HTTP_TRANSFER_ENCODING" not in seen(reply)


def test_a_body_in_two_packets_arrives_whole(service):
    with service.dial() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 6\r\n\r\nabc")
        until(lambda: service.door.pool.running == 0)
        connection.sendall(b"def")
        assert b'"body": "abcdef"' in connection.makefile("rb").read()


def test_expect_100_continue_is_answered(service):
    with service.dial() as connection:
        connection.sendall(
            b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 3\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"abc")
        assert b'"body": "abc"' in connection.makefile("rb").read()


def test_duplicate_headers_are_joined(service):
    environ = seen(
        service.raw(b"GET / HTTP/1.1\r\nHost: x\r\nCookie: a=1\r\nCookie: b=2\r\nAccept: c\r\nAccept: d\r\n\r\n")
    )
    assert environ["HTTP_COOKIE"] == "a=1; b=2"
    assert environ["HTTP_ACCEPT"] == "c,d"


def test_headers_are_latin_1_and_content_type_has_no_prefix(service):
    environ = seen(service.raw("GET / HTTP/1.1\r\nHost: x\r\nX-Name: é\r\nContent-Type: a/b\r\n\r\n".encode()))
    assert environ["HTTP_X_NAME"] == "é".encode().decode("latin-1")
    assert environ["CONTENT_TYPE"] == "a/b"
    assert "HTTP_CONTENT_TYPE" not in environ


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ("/users/j%C3%BCrgen/", "/users/jürgen/"),
        ("/a%2Fb/%25", "/a/b/%"),
        ("/a+b;c", "/a+b;c"),
        ("//evil.example/x", "//evil.example/x"),
    ],
)
def test_a_path_arrives_as_its_bytes(service, sent, path):
    environ = seen(service.get(sent + "?q=%C3%BC&r=a+b"))
    assert environ["PATH_INFO"].encode("latin-1").decode() == path
    assert environ["QUERY_STRING"] == "q=%C3%BC&r=a+b"
    assert environ["SCRIPT_NAME"] == ""


def test_a_path_that_is_not_utf_8_keeps_its_bytes(service):
    assert seen(service.get("/%FF%FE"))["PATH_INFO"] == "/\xff\xfe"


def test_what_only_proxies_and_servers_may_say_is_dropped(service):
    forged = {
        "X_Forwarded_For": "1.1.1.1",
        "X-Forwarded-For": "1.1.1.1",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
        "X-Real-IP": "1.1.1.1",
        "Forwarded": "for=1.1.1.1",
        "Proxy": "evil.example",
        "Content_Length": "7",
        "Authorization": "kept",
    }
    environ = seen(service.get("/", forged))
    kept = {key for key in environ if key.startswith("HTTP_")}
    assert kept == {"HTTP_HOST", "HTTP_ACCEPT_ENCODING", "HTTP_AUTHORIZATION"}
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["wsgi.url_scheme"] == "http"
    assert environ["CONTENT_LENGTH"] == "0"


def test_a_trusted_proxy_names_client_and_scheme():
    with serve(FrontDoor(mirror, trusted=LOOPBACK)) as service:
        headers = {"X-Forwarded-For": "1.1.1.1, 93.184.216.34, 127.0.0.9", "X-Forwarded-Proto": "http, https"}
        environ = seen(service.get("/", headers))
        assert environ["REMOTE_ADDR"] == "93.184.216.34"
        assert environ["wsgi.url_scheme"] == "https"
        assert "HTTP_X_FORWARDED_FOR" not in environ
        assert "HTTP_X_FORWARDED_PROTO" not in environ
        assert seen(service.get("/", {"X-Forwarded-Proto": "gopher"}))["wsgi.url_scheme"] == "http"
        is_refusal(service.get("/", {"X-Forwarded-For": "1.1.1.1, nonsense"}), 400, "malformed_forwarded")


# --- Bodies that are too large or lie ---


def test_an_announced_oversized_body_is_refused_unread(service):
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n"
    start = time.monotonic()
    reply = service.raw(request)
    assert time.monotonic() - start < 0.25, "the answer must not wait for the body"
    is_refusal(reply, 413, "body_too_large")
    assert reply.headers["connection"] == "close"


def test_a_client_that_sends_first_and_reads_later_still_gets_the_413(service):
    reply = service.ask("POST", "/", b"x" * 1_000_000)
    is_refusal(reply, 413, "body_too_large")


def test_an_oversized_body_is_not_listened_to_for_ever(service):
    with service.dial() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.sendall(b"3e9\r\n" + b"x" * 1001 + b"\r\n")
        answer = connection.makefile("rb").read()  # ends, though the body never does
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"body_too_large"' in answer


def test_a_chunked_body_is_counted_while_it_is_read(service):
    chunks = (b"x" * 100 for _ in range(11))
    reply = service.ask("POST", "/", chunks, {"Transfer-Encoding": "chunked"}, encode_chunked=True)
    is_refusal(reply, 413, "body_too_large")


def test_a_body_of_exactly_the_limit_passes(service):
    assert service.ask("POST", "/", b"x" * 1000).json()["size"] == 1000


def test_an_upload_with_a_genuine_token_may_be_larger(service):
    multipart = {"Content-Type": "Multipart/Form-Data; boundary=x"}
    upload = multipart | {"Authorization": "Token x"}
    assert service.ask("POST", "/", b"x" * 5000, upload).json()["size"] == 5000
    is_refusal(service.ask("POST", "/", b"x" * 5001, upload), 413, "body_too_large")
    is_refusal(service.ask("POST", "/", b"x" * 5000, multipart), 413, "body_too_large")


SLOW = Limits(body_seconds=0.3, body_rate=1_000_000, small_body=100, bodies=1000, small_bodies=300, linger=0.2)


@pytest.mark.parametrize("head", [b"Content-Length: 1000", b"Transfer-Encoding: chunked"])
def test_a_body_that_does_not_arrive_is_not_waited_for(head):
    with serve(FrontDoor(mirror, limits=SLOW)) as service:
        is_refusal(service.raw(b"POST / HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n1"), 408, "request_timeout")


def test_large_bodies_share_a_bounded_memory_and_small_ones_pass():
    with serve(FrontDoor(mirror, limits=SLOW)) as service, service.dial() as slow:
        slow.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n" + b"x" * 800)
        until(lambda: service.door.bodies.held == 800)
        is_refusal(service.ask("POST", "/", b"x" * 300), 503, "busy")
        assert service.ask("POST", "/", b"x" * 100).status == 200
        until(lambda: service.door.bodies.held == 0)
        assert service.ask("POST", "/", b"x" * 300).status == 200


def test_small_bodies_share_one_too_and_large_ones_pass():
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    with serve(FrontDoor(mirror, limits=SLOW)) as service, contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(service.dial()).sendall(head + b"x" * 99)
        until(lambda: service.door.bodies.held == 297)
        is_refusal(service.ask("POST", "/", b"x" * 10), 503, "busy")
        assert service.ask("POST", "/", b"x" * 900).status == 200
        until(lambda: service.door.bodies.held == 0)
        assert service.ask("POST", "/", b"x" * 10).status == 200


@pytest.mark.parametrize("length", [b"-1", b"1e3", b"+5", b"", b"0x10", b"5, 6", "٣".encode(), b"9" * 30])
def test_a_content_length_that_is_no_number_is_refused(length):
    """By ASGI, since httptools refuses most of these before we see them."""
    reply = asyncio.run(by_asgi([(b"content-length", length)]))
    assert reply[0]["status"] == 400
    assert json.loads(reply[1]["body"])["code"] == "bad_content_length"


def test_two_content_lengths_are_refused():
    reply = asyncio.run(by_asgi([(b"content-length", b"1"), (b"content-length", b"2")]))
    assert reply[0]["status"] == 400


async def by_asgi(headers):
    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers, "query_string": b"", "client": None}
    sent = []

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    await FrontDoor(mirror)(scope, receive, send)
    return sent


# --- No room ---


class Nothing:
    """A fast path that takes none of it."""

    def answer(self, environ):
        return None

    def learn(self, environ, answer):
        pass


# In a task of its own; and as an ordinary read is answered, without one.
WAYS = {"in a task": {}, "without a task": {"recognise": lambda header: "genuine", "fast": Nothing()}}


TOKEN = {"headers": {"Authorization": "Token genuine"}}


def its_lane(way, threads, waiting=64, **values):
    """For whoever comes this way, who may have all of it."""
    if not way:
        return one_lane(threads, waiting, **values)
    ops, _, lane = one_lane(threads, waiting, **values)
    return ops, replace(lane, name="token"), replace(lane, threads=0)


@pytest.fixture(params=WAYS)
def way(request):
    return WAYS[request.param]


def test_when_all_threads_are_stuck_others_get_503_and_health_goes_on(way):
    stuck = Stuck()
    limits = Limits(its_lane(way, 2, 4, longest_wait=0.4))
    with serve(FrontDoor(stuck, limits=limits, **way)) as service:
        held = [hold(service, f"/held/{n}") for n in range(2)]
        until(lambda: service.door.pool.running == 2)
        queued = [hold(service, f"/queued/{n}") for n in range(4)]
        until(lambda: len(service.door.pool) == 4)

        start = time.monotonic()
        at_once = service.get("/no-room", **TOKEN)
        assert time.monotonic() - start < 0.3
        is_refusal(at_once, 503, "busy")
        assert at_once.headers["retry-after"] == "1"

        assert service.get("/health").status == 200
        assert time.monotonic() - start < 0.4

        until(lambda: len(service.door.pool) == 0, 1.2)
        assert [status_of(connection) for connection in queued] == [503] * 4
        stuck.go.set()
        assert [status_of(connection) for connection in held] == [200] * 2
        assert service.get("/after", **TOKEN).status == 200
        assert service.door.pool.running == 0
        assert sorted(stuck.paths) == ["/after", "/held/0", "/held/1"]


def test_who_hangs_up_while_waiting_is_never_run_and_leaves_no_trace(way, caplog):
    stuck = Stuck()
    limits = Limits(its_lane(way, 1, 50, longest_wait=5.0))
    with serve(FrontDoor(stuck, limits=limits, **way)) as service:
        held = hold(service, "/held")
        until(lambda: service.door.pool.running == 1)
        queued = [hold(service, "/gone") for _ in range(30)]
        until(lambda: len(service.door.pool) == 30)
        for connection in queued:
            connection.close()
        until(lambda: len(service.door.pool) == 0)
        stuck.go.set()
        assert status_of(held) == 200
        assert service.get("/after", **TOKEN).status == 200
    assert stuck.paths == ["/held", "/after"]
    assert tracebacks(caplog) == []


def test_who_hangs_up_while_running_leaves_no_trace(way, caplog):
    stuck = Stuck()
    with serve(FrontDoor(stuck, limits=Limits(its_lane(way, 8)), **way)) as service:
        held = [hold(service, "/held") for _ in range(8)]
        until(lambda: service.door.pool.running == 8)
        for connection in held:
            connection.close()
        stuck.go.set()
        until(lambda: service.door.pool.running == 0)
        assert service.get("/after", **TOKEN).status == 200
    assert tracebacks(caplog) == []


def test_what_takes_too_long_is_told_so_and_its_thread_is_free_at_the_end(way):
    stuck = Stuck()
    with serve(FrontDoor(stuck, limits=Limits(its_lane(way, 1, deadline=0.2)), **way)) as service:
        is_refusal(service.get("/held", **TOKEN), 503, "too_slow")
        assert service.door.pool.running == 1
        stuck.go.set()
        until(lambda: service.door.pool.running == 0)
        assert service.get("/after", **TOKEN).status == 200


def test_every_answer_is_counted_and_told_once(way):
    told = []
    with serve(FrontDoor(answers, observers=[told.append], **way)) as service:
        assert [service.get(f"/{status}", **TOKEN).status for status in (200, 404, 503)] == [200, 404, 503]
        assert service.get("/large", **TOKEN).body == LARGE
    assert [(one.path, one.outcome, one.status) for one in told] == [
        ("/200", "served", 200),
        ("/404", "served", 404),
        ("/503", "failed", 503),
        ("/large", "served", 200),
    ]


def test_an_answer_that_cannot_be_sent_is_a_fault_of_ours(way, monkeypatch, caplog):
    faults, headers = [ZeroDivisionError()], Visit.headers

    def fail_once(visit, status, own):
        if faults and status == 200:
            raise faults.pop()
        return headers(visit, status, own)

    monkeypatch.setattr(Visit, "headers", fail_once)
    with serve(FrontDoor(answers, **way)) as service:
        is_refusal(service.get("/200", **TOKEN), 500, "server_error")
        assert service.get("/200", **TOKEN).status == 200
    assert len(tracebacks(caplog)) == 1


def test_what_a_request_made_is_gone_with_it(way):
    """What is left to the collector of garbage lies in everybody's way until it comes."""
    with serve(FrontDoor(answers, **way)) as service:
        service.get("/200", **TOKEN)
        gc.collect()
        gc.disable()
        try:
            assert [service.get(path, **TOKEN).status for path in ("/200", "/404", "/health")] == [200, 404, 200]
            until(lambda: not [each for each in gc.get_objects() if type(each) is Visit])
        finally:
            gc.enable()


LARGE = b"x" * 200_000


def answers(environ, start_response):
    """As its path says."""
    asked = environ["PATH_INFO"].removeprefix("/")
    start_response(f"{200 if asked == 'large' else asked} As asked", [])
    return [LARGE] if asked == "large" else [b""]


def test_who_hangs_up_in_the_middle_of_a_body_leaves_no_trace(caplog):
    with serve(FrontDoor(mirror)) as service:
        for head in (b"Content-Length: 100", b"Transfer-Encoding: chunked"):
            with service.dial() as connection:
                connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n3\r\n")
        assert service.get("/").status == 200
    assert tracebacks(caplog) == []


def test_a_server_that_stops_answers_what_is_still_running():
    stuck = Stuck()
    with serve(FrontDoor(stuck, limits=Limits(stop_seconds=0.1))) as service:
        held = hold(service, "/held")
        until(lambda: service.door.pool.running == 1)
    assert status_of(held) == 503  # after uvicorn's own graceful time-out
    stuck.go.set()


def hold(service, path, method=b"GET"):
    connection = service.dial()
    head = b"Host: x\r\nAuthorization: Token genuine\r\nConnection: close"
    connection.sendall(method + b" " + path.encode() + b" HTTP/1.1\r\n" + head + b"\r\n\r\n")
    return connection


def status_of(connection):
    with connection:
        return int(connection.makefile("rb").readline().split()[1])


# --- Sockets ---


def test_a_websocket_that_nobody_answers_is_accepted_and_told_so(service, caplog):
    upgrade = (
        b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    with service.dial() as connection:
        connection.sendall(upgrade)
        received = b""
        while data := connection.recv(4096):
            received += data
    head, _, frame = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert frame[2:] == (4404).to_bytes(2) + b"There is no such stream."
    assert tracebacks(caplog) == []


GZIPPED = gzip.compress(b'{"content": "x"}')


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip", "deflate", "br", "zstd", "identity, gzip", "made-up"])
def test_a_compressed_body_is_a_415_that_says_so(service, encoding):
    reply = service.ask("POST", "/", GZIPPED, {"Content-Encoding": encoding, "Content-Type": "application/json"})
    is_refusal(reply, 415, "unsupported_encoding")
    assert reply.headers["accept-encoding"] == "identity"


def test_a_body_that_is_compressed_for_the_way_is_a_415_too(service):
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
    is_refusal(service.raw(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(GZIPPED), GZIPPED)), 415, "unsupported_encoding")


@pytest.mark.parametrize("encoding", ["identity", "Identity", ""])
def test_a_body_that_is_said_to_be_as_it_is_is_taken(service, encoding):
    assert service.ask("POST", "/", b"plain", {"Content-Encoding": encoding}).json()["body"] == "plain"


def test_a_request_without_a_body_has_nothing_that_could_be_compressed(service):
    assert service.get("/", {"Content-Encoding": "gzip"}).status == 200
