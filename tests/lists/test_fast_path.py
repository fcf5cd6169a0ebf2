"""The fast path (makerlog.api.fast) answers as the slow one does, byte for byte, or not at all."""

import gc
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import orjson
import pytest
import time_machine
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection
from django.test.utils import CaptureQueriesContext

from makerlog.accounts.models import AccessToken, Maker
from makerlog.api import throttling
from makerlog.api.checks import routes
from makerlog.api.fast import FastPath, PlainRequest, is_compiled
from makerlog.api.limits import LIMITS
from makerlog.api.throttling import account_in
from makerlog.gate.answers import Answer
from makerlog.gate.bans import Standing, network_of
from makerlog.gate.caller import Caller as Calling
from makerlog.gate.lanes import WHOSE
from makerlog.gate.seen import QUERIES, ROUTE, ROWS
from makerlog.gate.wsgi import Environ, environ_of, run
from makerlog.wsgi import django
from moderation import standing
from tests.lists.catalogue import LISTS
from tests.lists.test_compiled import DETAILS, world
from tests.makers import Caller, caller, refill
from tests.tasks.logs import NOON, log

pytestmark = pytest.mark.django_db

MOST = 8 * 1024 * 1024
EACH = 25
ZONES = (None, "Asia/Kolkata", "Pacific/Apia")
ORIGINS = (None, "https://app.example", "no origin")


def asked(url: str, token: str = "", method: str = "GET", body: bytes = b"", **headers: str | None) -> Environ:
    """An environ, as the front door makes it. ``headers``: X_App_Timezone="UTC"."""
    split = urlsplit(url)
    sent = {"Host": "127.0.0.1", "Accept": "application/json"} | ({"Authorization": f"Token {token}"} if token else {})
    sent |= {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
    scope = {
        "type": "http",
        "method": method,
        "http_version": "1.1",
        "path": unquote(split.path),
        "raw_path": split.path.encode(),
        "query_string": split.query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in sent.items()],
    }
    environ = environ_of(scope, body, Calling("93.184.216.34", "http"), uuid4().hex)
    return environ | {"makerlog.request_id": "1" * 32}


OF_ONESELF = ("/me/", "/me/privileged/")


class Ways:
    """Both paths, and readers by name."""

    def __init__(self) -> None:
        self.fast = FastPath(standing.is_open)
        self.django: WSGIHandler = django

    def slow(self, environ: Environ) -> Answer:
        refill()
        return run(self.django, environ, MOST)

    def learnt(self, environ: Environ) -> Answer:
        """The slow path's answer, which the fast one learns from."""
        refill()
        return run(self.django, environ, MOST, self.fast)

    def quick(self, environ: Environ) -> Answer | None:
        refill()
        return self.fast.answer(environ)


@pytest.fixture
def ways() -> Iterator[Ways]:
    """Within the test's transaction, whose connection no request may close."""
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    yield Ways()
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)


def plainly(answer: Answer | None) -> Any:
    return answer and (answer.status, sorted(answer.headers), answer.body)


def alike(ways: Ways, url: str, token: str, **headers: str | None) -> Answer:
    """The answer that both give. The first of a kind the fast path leaves to the slow one."""
    slow = ways.learnt(asked(url, token, **headers))
    fast = ways.quick(asked(url, token, **headers))
    assert slow.status == 200, (url, slow)
    assert fast is not None, (url, headers)
    assert dict(fast.headers) == dict(slow.headers), (url, headers)
    assert plainly(fast) == plainly(slow), (url, headers)
    return slow


def next_page(answer: Answer) -> str | None:
    body = orjson.loads(answer.body)
    if isinstance(body, dict):
        return body["next"]
    link = dict(answer.headers).get(b"link", b"").decode()
    return link.partition(">")[0][1:] if 'rel="next"' in link else None


def walked(ways: Ways, url: str, token: str, dice: random.Random) -> None:
    """Two pages, of random length, in random zones, from random origins."""
    page: str | None = f"{url}{'&' if '?' in url else '?'}limit={dice.randrange(1, 101)}"
    for _ in range(2):
        if page is not None:
            headers = {"X_App_Timezone": dice.choice(ZONES), "Origin": dice.choice(ORIGINS)}
            page = next_page(alike(ways, page.removeprefix(settings.PUBLIC_URL), token, **headers))


@time_machine.travel(NOON, tick=False)
def test_every_list_and_detail_is_answered_alike_to_every_reader(ways: Ways) -> None:
    dice, readers = random.Random(7), world(EACH)
    for who, client in readers.items():
        for listing in LISTS:
            if who == "alice" or not listing.own:
                walked(ways, listing.url, client.token, dice)
        for url in OF_ONESELF if client.token else ():
            alike(ways, url, client.token)
        for model, _, url in DETAILS:
            for row in dice.sample(list(model._default_manager.all()), 4):
                address = url.format(row)
                if ways.slow(asked(address, client.token)).status == 200:
                    alike(ways, address, client.token)
                else:
                    assert ways.quick(asked(address, client.token)) is None


def test_every_compiled_read_is_taken() -> None:
    taken = {route.path for route in routes() if is_compiled(route)}
    assert taken == {listing.route for listing in LISTS} | {
        "tasks/<int:pk>/",
        "tasks/<int:task>/comments/<int:pk>/",
        "products/<slug:slug>/",
        "projects/<int:pk>/",
        "discussions/<slug:slug>/",
        "discussions/<slug:slug>/replies/<int:pk>/",
        "users/<str:maker>/",
        "users/username/<str:maker>/",
        *(url[1:] for url in OF_ONESELF),
    }


def conditional(ways: Ways, url: str, token: str, tags: str) -> tuple[Answer, Answer | None, list[list[int]]]:
    """What both say to who has read it before, and what they charged for that."""
    answers, charged = [], []
    for way in (ways.learnt, ways.quick):
        environ = asked(url, token, If_None_Match=tags)
        answers.append(way(environ))
        charged.append([each.full_in for each in account_in(environ).standings.values()])
    return answers[0], answers[1], charged  # type: ignore[return-value]


@time_machine.travel(NOON, tick=False)
@pytest.mark.parametrize("url", ["/tasks/", "/tasks/me/", "/users/alice/"])
def test_who_has_it_already_is_told_so_alike_and_charged_a_tenth(url: str, ways: Ways) -> None:
    client = caller("alice")
    for _ in range(2):
        log(client.maker)
    url = f"{url}?limit=1"
    tag = dict(alike(ways, url, client.token).headers)[b"etag"].decode()
    for tags, status in ((tag, 304), (f'"other", W/{tag}', 304), ("*", 304), ('"other"', 200), ("other", 200)):
        slow, fast, charged = conditional(ways, url, client.token, tags)
        assert slow.status == status, tags
        assert plainly(fast) == plainly(slow), tags
        if status == 304:  # else the rest was charged later, and Redis's clock went on
            assert charged[0] == charged[1], tags


@time_machine.travel(NOON, tick=False)
def test_what_is_passed_over_is_named_alike_on_both_paths_and_for_one_answer_alone(ways: Ways) -> None:
    client = caller("alice")
    log(client.maker)
    answer = alike(ways, "/tasks/?utm=1", client.token)
    assert dict(answer.headers)[b"x-ignored-parameters"] == b"utm"
    tag = dict(answer.headers)[b"etag"].decode()
    slow, fast, _ = conditional(ways, "/tasks/?utm=1", client.token, tag)
    assert (slow.status, plainly(fast)) == (304, plainly(slow))
    assert b"x-ignored-parameters" not in dict(alike(ways, "/tasks/", client.token).headers)


def test_the_first_304_of_a_kind_is_left_to_the_slow_path_and_charged_once(ways: Ways) -> None:
    client = caller("alice")
    tag = dict(alike(ways, "/tasks/", client.token).headers)[b"etag"].decode()
    environ = asked("/tasks/", client.token, If_None_Match=tag)
    assert ways.quick(environ) is None
    begun = run(ways.django, environ, MOST)
    slow = ways.slow(asked("/tasks/", client.token, If_None_Match=tag))
    assert begun.status == 304
    assert plainly(begun) == plainly(slow)


# --- What it leaves to the slow path ---


@pytest.fixture
def alice(ways: Ways) -> Caller:
    """Of whose kind of request the fast path knows everything."""
    client = caller("alice")
    log(client.maker)
    for token in ("", client.token):
        alike(ways, "/tasks/", token)
    return client


ODD: dict[str, dict[str, Any]] = {
    "a limit of nothing": {"url": "/tasks/?limit=0"},
    "a limit in words": {"url": "/tasks/?limit=ten"},
    "a filter with a typing error": {"url": "/tasks/?donee=true"},
    "an offset": {"url": "/tasks/?offset=20"},
    "a made-up cursor": {"url": "/tasks/?cursor=x"},
    "a filter that says nothing sensible": {"url": "/tasks/?done=perhaps"},
    "NUL in a filter": {"url": "/tasks/?search=%00"},
    "more parameters than anybody needs": {"url": f"/tasks/?{'a=1&' * 1001}"},
    "no slash at the end": {"url": "/tasks"},
    "a path of bytes": {"url": "/tasks/%ff/"},
    "a path that leads nowhere": {"url": "/nothing/"},
    "a task that is not there": {"url": "/tasks/999999999/"},
    "an id that no column holds": {"url": f"/tasks/{2**70}/"},
    "another method": {"method": "HEAD"},
    "a preflight": {"method": "OPTIONS"},
    "a write": {"method": "POST", "body": b"{}", "Content_Type": "application/json"},
    "a body": {"body": b"{}"},
    "a token of nobody's": {"token": "x"},
    "half a credential": {"Authorization": "Token"},
    "another kind of credential": {"Authorization": "Basic eDp5"},
    "a zone that is none": {"X_App_Timezone": "Mars/Olympus"},
    "a Host that is not ours": {"Host": "evil.example"},
    "what was read then": {"If_Modified_Since": "Wed, 21 Oct 2015 07:28:00 GMT"},
    "a cookie": {"Cookie": "sessionid=x"},
    "one's own tasks without a token": {"url": "/tasks/me/"},
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_what_is_not_ordinary_is_left_to_the_slow_path_without_a_word(
    odd: dict[str, Any], ways: Ways, alice: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    assert ways.quick(asked(**{"url": "/tasks/", **odd})) is None
    assert not [record for record in caplog.records if record.name == "makerlog.fast"]


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_what_the_fast_path_began_is_answered_and_charged_as_if_it_had_not(
    odd: dict[str, Any], ways: Ways, alice: Caller
) -> None:
    environ = asked(**{"url": "/tasks/", **odd})
    assert ways.quick(environ) is None
    begun = run(ways.django, environ, MOST)
    assert plainly(begun) == plainly(ways.slow(asked(**{"url": "/tasks/", **odd})))


def test_who_has_nothing_left_is_told_so_by_the_slow_path_without_being_asked_for_more(
    ways: Ways, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    refill()
    environ = asked("/tasks/", alice.token)
    token = str(AccessToken.objects.get(maker=alice.maker).pk)
    assert throttling.limiter.decide([throttling.charge(LIMITS["token"], {"token": token}, 4000)]).allowed
    decisions, decide = [], throttling.limiter.decide
    monkeypatch.setattr(
        throttling.limiter, "decide", lambda *given, **how: decisions.append(given) or decide(*given, **how)
    )
    assert ways.fast.answer(environ) is None
    assert run(ways.django, environ, MOST).status == 429
    assert len(decisions) == 1


def test_a_switched_route_and_a_banned_address_are_left_to_the_slow_path(ways: Ways, alice: Caller) -> None:
    assert ways.quick(asked("/tasks/")) is not None
    with switched("tasks/"):
        assert ways.quick(asked("/tasks/")) is None
    with banned("93.184.216.0/24"):
        assert ways.quick(asked("/tasks/", alice.token)) is None
    assert ways.quick(asked("/tasks/", alice.token)) is not None


@contextmanager
def switched(route: str) -> Iterator[None]:
    switches = standing.route_switches
    switches._by_route = {route: standing.Switched("closed", "", None)}
    try:
        yield
    finally:
        switches._by_route = {}


@contextmanager
def banned(network: str) -> Iterator[None]:
    standing.bans.put(Standing(1, network_of(network), "anonymous", since=0.0))
    try:
        yield
    finally:
        standing.bans.drop(1)


@pytest.mark.parametrize(
    "change", [{"is_active": False}, {"suspended": "out"}], ids=["a closed account", "a suspended maker"]
)
def test_a_token_whose_maker_may_not_come_in_is_left_to_the_slow_path(
    change: dict[str, Any], ways: Ways, alice: Caller
) -> None:
    assert ways.quick(asked("/tasks/", alice.token)) is not None
    Maker.objects.filter(pk=alice.maker.pk).update(**change)
    assert ways.quick(asked("/tasks/", alice.token)) is None


def test_a_token_without_the_scope_is_left_to_the_slow_path(ways: Ways, alice: Caller) -> None:
    bob = caller("bob", scopes=["products:read"])
    assert ways.quick(asked("/products/", bob.token)) is None  # the first of its kind
    ways.learnt(asked("/products/", bob.token))
    assert ways.quick(asked("/products/", bob.token)) is not None
    assert ways.quick(asked("/tasks/", bob.token)) is None


def test_what_sets_a_cookie_is_not_learnt_from(ways: Ways) -> None:
    environ = asked("/tasks/")
    assert ways.quick(environ) is None
    ways.fast.learn(environ, Answer(200, [(b"set-cookie", b"a=b")], b"[]"))
    assert ways.quick(asked("/tasks/")) is None


def test_a_read_is_charged_once_and_asks_as_often_as_on_the_slow_path(ways: Ways, alice: Caller) -> None:
    counts = []
    for way in (ways.slow, ways.quick):
        environ = asked("/tasks/", alice.token)
        with CaptureQueriesContext(connection) as captured:
            assert way(environ) is not None
        charged = [each.full_in for each in account_in(environ).standings.values()]
        counts.append((len(captured), charged, *(environ[name] for name in (WHOSE, ROUTE, QUERIES, ROWS))))
    assert counts[0] == counts[1]


def test_a_fault_of_the_fast_path_is_logged_and_the_slow_path_answers(
    ways: Ways, alice: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("makerlog.api.fast.rendered", lambda *args: 1 / 0)
    environ = asked("/tasks/", alice.token)
    assert ways.quick(environ) is None
    assert run(ways.django, environ, MOST).status == 200
    assert "The fast path failed on /tasks/" in caplog.text


def test_who_is_being_looked_up_holds_nobody_else_up() -> None:
    """functools.cached_property has one lock for all instances before Python 3.12; the event loop would wait for it."""
    held, looked_up = Event(), Event()

    class View:
        def __init__(self, authenticate: Callable[[Any], Any]) -> None:
            self.get_authenticators = lambda: [SimpleNamespace(authenticate=authenticate)]

    def look_up(authenticate: Callable[[Any], Any]) -> None:
        view = View(authenticate)
        assert PlainRequest(asked("/tasks/"), view).user

    def slowly(_: Any) -> None:
        looked_up.set()
        assert held.wait(10)

    thread = Thread(target=look_up, args=[slowly], daemon=True)
    thread.start()
    assert looked_up.wait(10)
    other = Thread(target=look_up, args=[lambda _: None], daemon=True)
    other.start()
    other.join(5)
    waits = other.is_alive()
    held.set()
    thread.join(10)
    assert not waits


def test_what_a_read_made_is_gone_with_it(ways: Ways, alice: Caller) -> None:
    """What is left to the collector of garbage lies in everybody's way until it comes."""
    alike(ways, "/tasks/", alice.token)
    gc.collect()
    gc.disable()
    try:
        assert ways.quick(asked("/tasks/", alice.token)) is not None
        assert not [each for each in gc.get_objects() if type(each) is PlainRequest]
    finally:
        gc.enable()
