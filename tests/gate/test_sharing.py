"""Reads without a credential share an answer; nobody else does."""

import re
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from makerlog.gate.caller import SIGN_IN
from makerlog.gate.door import FrontDoor
from makerlog.gate.limits import Lane, Limits
from makerlog.gate.sharing import LEAST, Mode
from makerlog.gate.wsgi import CSRF, PUBLIC_FOR
from tests.gate.serving import DEADLINE_S, Reply, Service, is_refusal, one_lane, serve, until

LANES = (Lane("sign_in", threads=1, waiting=8, per_client=2), *one_lane(4, 64, longest_wait=0.2))
LIMITS = Limits(LANES, shared=3, shared_bytes=3_000, shared_body=2_000, shared_reads=20, shared_reads_back=1.0)
TOKEN = {"Authorization": "Token mine"}
LEFT = ((12, 8), (4, 16), (0, 24))  # of 20, after eights; the last is in part a debt


class Application:
    """WSGI: the number of each request, in an answer that is anybody's for a second. With ``go`` cleared it holds on."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.go = threading.Event()
        self.status = "200 OK"
        self.public_for = 1.0
        self.headers: list[tuple[str, str]] = []
        self.padding = b""
        self.secret = b""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.asked.append(environ)
        number, status = len(self.asked), self.status
        assert self.go.wait(DEADLINE_S)
        environ |= {PUBLIC_FOR: self.public_for, CSRF: self.secret}
        body = b"%d" % number + self.padding
        own = [("RateLimit", f'"address";r={100 - number};t=1'), ("RateLimit-Policy", '"address";q=100;w=60')]
        start_response(status, [("Content-Type", "text/plain"), ("ETag", f'"{number}"'), *own, *self.headers])
        return [body]


class Stage:
    def __init__(self, service: Service, app: Application) -> None:
        self.service, self.app, self.now = service, app, 1_000.0
        self.sharing = service.door.sharing
        self.sharing.clock = self.sharing.readers.clock = lambda: self.now
        self.crowd = ThreadPoolExecutor(16)

    def get(self, path: str = "/tasks/", method: str = "GET", **headers: str) -> Reply:
        return self.service.ask(
            method, path, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )

    def many(self, count: int, **headers: str) -> list[Future[Reply]]:
        """So many at once, all on their way: their heads have been read."""
        asked = [self.crowd.submit(self.get, **headers) for _ in range(count)]
        connections = self.service.door.connections
        until(lambda: len(connections) - len(connections._idle) >= count)
        return asked

    def on_the_loop(self, act: Any) -> None:
        loop = self.service.door.loop
        assert loop is not None
        done: Future[None] = Future()
        loop.call_soon_threadsafe(lambda: done.set_result(act()))
        done.result(DEADLINE_S)


@pytest.fixture
def stage() -> Iterator[Stage]:
    app = Application()
    app.go.set()
    door = FrontDoor(
        app,
        limits=LIMITS,
        trusted=[ip_network("127.0.0.0/8")],
        recognise=lambda header: "t" if b"mine" in header else None,
        shares=True,
    )
    with serve(door) as service:
        found = Stage(service, app)
        yield found
        app.go.set()
        found.crowd.shutdown()


# --- One is made, all have it ---


def test_the_same_read_is_made_once_a_second(stage: Stage) -> None:
    assert [stage.get().body for _ in range(3)] == [b"1"] * 3
    stage.now += 0.99
    assert stage.get().body == b"1"
    stage.now += 0.01
    assert stage.get().body == b"2"


def test_many_at_once_wait_for_one(stage: Stage) -> None:
    stage.app.go.clear()
    asked = stage.many(10)
    until(lambda: stage.app.asked)
    stage.app.go.set()
    assert {each.result().body for each in asked} == {b"1"}
    assert len(stage.app.asked) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_head_and_get_share(stage: Stage, method: str) -> None:
    first, second = stage.get(method=method), stage.get(method="HEAD")
    assert stage.app.asked[0]["REQUEST_METHOD"] == "GET"
    assert (first.headers["content-length"], second.headers["content-length"]) == ("1", "1")
    assert second.body == b""
    assert stage.get().body == b"1"


def test_each_reader_has_an_id_and_limits_of_their_own(stage: Stage) -> None:
    first, second, third = stage.get(), stage.get(), stage.get(X_Forwarded_For="93.184.216.34")
    assert len({each.headers["x-request-id"] for each in (first, second, third)}) == 3
    assert first.headers["ratelimit"] == '"address";r=99;t=1'
    assert second.headers["ratelimit"] == '"shared";r=19;t=1'
    assert third.headers["ratelimit"] == '"shared";r=19;t=1', "another reader's bucket"
    for each in (first, second):
        public, _, kept_from_caches = each.headers["cache-control"].partition(", private=")
        assert public == "public, max-age=1"
        assert {"RateLimit", "X-RateLimit-Remaining", "X-Request-Id"} <= set(kept_from_caches.strip('"').split(", "))
        assert each.headers["vary"] == "Authorization, Accept, X-App-Timezone"


@pytest.mark.parametrize("says", ["Via", "CDN-Loop"])
def test_a_shared_cache_is_told_nothing_that_is_for_one_reader(stage: Stage, says: str) -> None:
    for _ in range(2):
        reply = stage.get(**{says: "1.1 edge"})
        assert reply.headers["cache-control"] == "public, max-age=1"
        assert not any("ratelimit" in name or name == "x-request-id" for name in reply.headers)


@pytest.mark.parametrize("tags", ['"1"', 'W/"1"', '"0", "1"', "*"])
def test_who_has_it_already_gets_a_304(stage: Stage, tags: str) -> None:
    for _ in range(2):
        reply = stage.get(If_None_Match=tags)
        assert (reply.status, reply.body) == (304, b"")
        assert reply.headers["etag"] == '"1"'
        assert "content-length" not in reply.headers
    assert "HTTP_IF_NONE_MATCH" not in stage.app.asked[0], "others need the whole"
    assert stage.get(If_None_Match='"2"').body == b"1"


def test_who_takes_too_much_of_it_is_told_when_to_come_back(stage: Stage) -> None:
    replies = [stage.get() for _ in range(22)]
    assert [each.status for each in replies] == [200] * 21 + [429]
    is_refusal(replies[-1], 429, "throttled")
    assert replies[-1].headers["retry-after"] == "1"
    assert replies[-1].headers["ratelimit"] == '"shared";r=0;t=20'
    assert stage.get(X_Forwarded_For="93.184.216.34").status == 200
    stage.now += 1.0
    assert stage.get().status == 200


def test_a_large_answer_counts_for_more(stage: Stage) -> None:
    stage.sharing.limits = replace(LIMITS, shared_unit=LEAST // 8)
    replies = [stage.get() for _ in range(5)]
    assert [each.status for each in replies] == [200, 200, 200, 200, 429]
    assert [each.headers["ratelimit"] for each in replies[1:4]] == [f'"shared";r={left};t={t}' for left, t in LEFT]


def test_while_token_holders_are_about_sharing_goes_on_in_measure(stage: Stage) -> None:
    stage.sharing.limits = replace(LIMITS, shared_flow=4 * LEAST)
    assert [stage.get().status for _ in range(6)] == [200] * 6, "nobody else needs the time"
    stage.now += 1.0
    assert stage.get(**TOKEN).status == 200
    found = [stage.get().status for _ in range(5)]
    assert found == [200, 200, 200, 503, 503]
    stage.now += 0.25
    assert [stage.get().status for _ in range(2)] == [200, 503]


# --- What is not shared ---


@pytest.mark.parametrize(
    "other",
    [
        {"path": "/tasks/?limit=5"},
        {"path": "/tasks"},
        {"Accept": "application/problem+json"},
        {"X_App_Timezone": "Asia/Tokyo"},
        {"Origin": "https://app.example"},
        {"Host": "other.example"},
        {"method": "POST"},
        {"method": "OPTIONS"},
        TOKEN,
        {"Authorization": "Token made-up"},
        {"Cookie": "sessionid=x"},
        {"Range": "bytes=0-1"},
    ],
)
def test_reads_that_differ_or_come_with_a_credential_share_nothing(stage: Stage, other: dict[str, str]) -> None:
    for _ in range(2):
        stage.get(**other)
    made = len(stage.app.asked)
    stage.get()
    assert len(stage.app.asked) == made + 1
    stage.get(**other)
    answers = stage.get(**other)
    assert answers.headers.get("cache-control", "").startswith("public") == (made == 1)


def test_with_a_token_nothing_is_public(stage: Stage) -> None:
    stage.get()
    reply = stage.get(**TOKEN)
    assert reply.body == b"2"
    assert "cache-control" not in reply.headers


@pytest.mark.parametrize(
    ("status", "public_for", "headers"),
    [
        ("200 OK", 0.0, []),
        ("404 Not Found", 1.0, []),
        ("503 Busy", 1.0, []),
        ("200 OK", 1.0, [("Cache-Control", "no-store")]),
        ("200 OK", 1.0, [("Set-Cookie", "a=b")]),
        ("200 OK", 1.0, [("Vary", "Accept, User-Agent")]),
    ],
)
def test_what_is_not_anybodys_is_made_for_each(
    stage: Stage, status: str, public_for: float, headers: list[tuple[str, str]]
) -> None:
    app = stage.app
    app.status, app.public_for, app.headers = status, public_for, headers
    app.go.clear()
    asked = stage.many(3)
    until(lambda: app.asked)
    app.go.set()
    replies = [each.result() for each in asked]
    assert {each.body for each in replies} == {b"1", b"2", b"3"}
    assert all("public" not in each.headers.get("cache-control", "") for each in replies)
    assert len(stage.sharing) == 0


# --- A page whose form has a secret ---


def test_of_a_form_for_anybody_each_reader_gets_a_secret_of_their_own(stage: Stage) -> None:
    app = stage.app
    app.secret = b"s" * 32
    app.padding = b" " + app.secret
    app.headers = [("Set-Cookie", f"csrftoken={app.secret.decode()}; Path=/"), ("Cache-Control", "no-store")]
    replies = [stage.get(SIGN_IN) for _ in range(3)]
    assert len(app.asked) == 1
    secrets = {reply.body.split()[1] for reply in replies}
    assert len(secrets) == 3
    assert app.secret not in secrets
    assert all(re.fullmatch(rb"[a-z0-9]{32}", each) for each in secrets)
    for reply in replies:
        assert reply.headers["set-cookie"] == f"csrftoken={reply.body.split()[1].decode()}; Path=/"
        assert reply.headers["cache-control"] == "no-store"
    assert len({reply.headers["x-request-id"] for reply in replies}) == 3


def test_the_page_where_staff_sign_in_is_made_where_there_is_no_room_for_strangers() -> None:
    app, seen = Application(), []
    lanes = (Lane("sign_in", threads=1, waiting=8, per_client=2), *one_lane(1, 1, longest_wait=DEADLINE_S))
    door = FrontDoor(app, limits=Limits(lanes), shares=True, observers=[seen.append])
    with serve(door) as service:
        stage = Stage(service, app)
        crowd = [stage.crowd.submit(stage.get, f"/{number}/") for number in range(2)]
        until(lambda: len(door.pool) == 1)
        is_refusal(stage.get("/3/"), 503, "busy")
        page = stage.crowd.submit(stage.get, SIGN_IN)
        until(lambda: len(app.asked) == 2)
        app.go.set()
        assert page.result().status == 200
        assert {reply.result().status for reply in crowd} == {200}
    assert {one.lane for one in seen if one.path == SIGN_IN} == {"anonymous"}, "it is no log-in that failed"


def test_the_page_where_staff_sign_in_is_sent_while_others_have_all_that_may_be_sent(stage: Stage) -> None:
    assert [stage.get(path).status for path in ("/tasks/", SIGN_IN)] == [200, 200]
    stage.sharing.is_tight = lambda: True
    stage.sharing._sent_until = stage.now + 1.0
    assert [stage.get(path).status for path in ("/tasks/", SIGN_IN)] == [503, 200]


def test_who_comes_with_a_cookie_gets_a_page_of_their_own(stage: Stage) -> None:
    stage.get(SIGN_IN)
    assert stage.get(SIGN_IN, Cookie="csrftoken=mine").body == b"2"
    assert stage.get("/admin/").body == b"3"
    assert stage.get("/admin/").body == b"4"


# --- Who has it made, and fails ---


@pytest.mark.parametrize("status", ["500 Broken", "503 Busy", "429 Too Many Requests"])
def test_what_one_was_refused_the_next_may_get(stage: Stage, status: str) -> None:
    app = stage.app
    app.status = status
    app.go.clear()
    asked = stage.many(6)
    until(lambda: app.asked)
    app.status = "200 OK"
    app.go.set()
    assert sorted(each.result().status for each in asked) == [200] * 5 + [int(status[:3])]
    assert len(app.asked) == 2


def test_who_hangs_up_hurts_nobody(stage: Stage) -> None:
    stage.app.go.clear()
    with stage.service.dial() as first:
        first.sendall(b"GET /tasks/ HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: identity\r\n\r\n")
        until(lambda: stage.app.asked)
    asked = stage.many(3)
    stage.app.go.set()
    assert {each.result().status for each in asked} == {200}


def test_who_waits_too_long_for_another_is_told_so(stage: Stage) -> None:
    stage.app.go.clear()
    asked = stage.many(1)
    until(lambda: stage.app.asked)
    limits = stage.sharing.limits
    object.__setattr__(limits, "shared_wait", 0.05)
    try:
        is_refusal(stage.get(), 503, "too_slow")
    finally:
        object.__setattr__(limits, "shared_wait", 10.0)
    stage.app.go.set()
    assert asked[0].result().status == 200


# --- Bounds ---


def test_answers_at_hand_are_bounded_in_number_and_bytes(stage: Stage) -> None:
    for number in range(10):
        stage.get(f"/tasks/?x={number}")
    assert len(stage.sharing) == 3
    stage.app.padding = b"x" * 1_400
    for number in range(10):
        stage.get(f"/tasks/?y={number}")
    assert len(stage.sharing) == 2
    assert 2_800 < stage.sharing.held <= 3_000
    stage.app.padding = b"x" * 2_500
    assert [stage.get("/tasks/?z").body[:2] for _ in range(2)] == [b"21", b"22"], (
        "one that is too large is made for each"
    )
    assert len(stage.sharing) == 2


def test_what_is_forgotten_is_asked_anew_also_while_it_is_on_its_way(stage: Stage) -> None:
    stage.get()
    stage.on_the_loop(stage.sharing.forget)
    assert (len(stage.sharing), stage.sharing.held) == (0, 0)
    stage.app.go.clear()
    asked = stage.many(3)
    until(lambda: len(stage.app.asked) == 2)
    stage.on_the_loop(stage.sharing.forget)
    stage.app.go.set()
    assert {each.result().body for each in asked} == {b"2"}
    assert len(stage.sharing) == 0
    assert stage.get().body == b"3"


# --- Under attack ---


def test_under_attack_an_answer_is_good_for_longer_and_little_work_is_begun(stage: Stage) -> None:
    door = stage.service.door
    assert stage.get().body == b"1"
    door.answer_from_memory(Mode(keep=10.0, stale=60.0, work=0.1))
    until(lambda: door.sharing.mode.keep)
    stage.now += 9.9
    assert stage.get().body == b"1"
    assert stage.get("/other/").status == 200, "the work of these ten seconds"
    is_refusal(stage.get("/third/"), 503, "busy")
    stage.now += 30.0
    assert stage.get().body == b"1", "old, and better than none"
    assert stage.get(**TOKEN).status == 200, "whoever has a token works as usual"
    stage.now += 30.0
    is_refusal(stage.get(), 503, "busy")
    door.answer_from_memory(Mode())
    until(lambda: not door.sharing.mode.keep)
    assert [stage.get(f"/{number}/").status for number in range(5)] == [200] * 5
