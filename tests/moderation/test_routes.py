"""Route switches: open, cached, tokens only, closed."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from makerlog.accounts.models import Maker
from makerlog.changes.journal import latest
from makerlog.gate.wsgi import PUBLIC_FOR
from moderation import actions, routes, standing
from moderation.models import AuditEntry, RouteSwitch
from moderation.roles import NotAllowed
from moderation.sharing import CACHED_S, AnswersOfRoutes
from moderation.standing import watcher
from tests.errors import assert_error
from tests.makers import anonymous, caller, make_maker
from tests.tasks.logs import NOON

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("nothing_stands")]

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
ADMIN = "admin:moderation_routeswitch_changelist"


def switch(route: str, state: str, **values: Any) -> RouteSwitch:
    made = actions.switch_route(route=route, state=state, **values)
    watcher.catch_up()
    return made


def route(*args: str, **options: Any) -> str:
    out = StringIO()
    call_command("route", *args, stdout=out, **options)
    return out.getvalue()


# --- Names ---


def test_every_route_resolves_to_the_name_it_is_switched_by() -> None:
    samples = {"<int:": "7", "<str:": "alice", "<slug:": "a-slug"}
    for name in routes.names():
        path = "/".join(
            next((value for kind, value in samples.items() if part.startswith(kind)), part) for part in name.split("/")
        )
        assert routes.route_named(f"/{path}") == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("users/<str:maker>/", "users/<str:maker>/"),
        ("/users/<str:maker>/", "users/<str:maker>/"),
        ("/users/alice/", "users/<str:maker>/"),
        ("users/alice", "users/<str:maker>/"),
        ("/tasks", "tasks/"),
        ("/", ""),
    ],
)
def test_a_route_is_named_by_its_name_or_by_a_path(text: str, name: str) -> None:
    assert routes.route_named(text) == name


@pytest.mark.parametrize("text", ["/admin/", "/admin/login/", "/health", "/nowhere/", "tasks/<int:id>/"])
def test_what_is_no_route_cannot_be_switched(text: str) -> None:
    with pytest.raises(routes.UnknownRoute):
        routes.route_named(text)
    with pytest.raises(routes.UnknownRoute):
        actions.switch_route(route=text, state="closed")
    assert not RouteSwitch.objects.exists()


# --- Closed ---


@pytest.mark.parametrize("method", METHODS)
def test_a_closed_route_answers_nobody_and_says_why(method: str) -> None:
    switch("tasks/", "closed", message="Back in an hour.")
    for client in (anonymous(), caller()):
        response = client.generic(method, "/tasks/")
        assert response.status_code == 503
        assert "Retry-After" not in response
        assert response["Access-Control-Allow-Origin"] == "*"
        if method != "HEAD":
            assert assert_error(response, 503, "route_closed")["detail"] == "Back in an hour."
    assert anonymous().get("/tasks/me/").status_code == 401, "other routes are as usual"


def test_both_slash_forms_are_switched_alike() -> None:
    switch("tasks/", "closed")
    assert [anonymous().get(path).status_code for path in ("/tasks/", "/tasks")] == [503, 503]


@pytest.mark.parametrize("state", ["closed", "tokens_only", "cached"])
def test_preflights_and_options_pass_every_switch(state: str) -> None:
    switch("tasks/", state)
    preflight = {"HTTP_ORIGIN": "https://app.example", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST"}
    assert anonymous().options("/tasks/", **preflight).status_code == 200
    assert anonymous().options("/tasks/").status_code == 204


def test_a_switch_expires_at_its_second_without_anybody_looking() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        switch("tasks/", "closed", expires_at=timezone.now() + timedelta(minutes=1))
        clock.shift(50.5)
        assert anonymous().get("/tasks/")["Retry-After"] == "10"
        clock.shift(9.4)
        assert anonymous().get("/tasks/").status_code == 503
        clock.shift(0.1)
        assert anonymous().get("/tasks/").status_code == 200
        assert next(row.state for row in routes.current() if row.route == "tasks/") == "open"


def test_a_route_is_opened_again() -> None:
    switch("tasks/", "closed")
    switch("tasks/", "open")
    assert anonymous().get("/tasks/").status_code == 200


# --- Tokens only ---


@pytest.mark.parametrize("method", METHODS)
def test_without_a_token_a_route_of_tokens_only_is_a_401(method: str) -> None:
    switch("tasks/", "tokens_only", message="Too much is asked just now.")
    response = anonymous().generic(method, "/tasks/")
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Token"
    if method != "HEAD":
        body = assert_error(response, 401, "token_required")
        assert body["detail"] == "This asks for a token at the moment. Too much is asked just now."


def test_a_good_token_passes_tokens_only() -> None:
    switch("tasks/", "tokens_only")
    assert caller().get("/tasks/").status_code == 200


@pytest.mark.parametrize("path", ["/tasks/", "/api-token-auth/"])
def test_a_made_up_token_does_not_reach_the_database(path: str, django_assert_num_queries) -> None:
    """Neither where the view asks who is calling, nor where it asks nobody."""
    switch(path.strip("/") + "/", "tokens_only")
    client = anonymous()
    with django_assert_num_queries(0):
        response = client.post(path, HTTP_AUTHORIZATION=f"Token mkl_{'x' * 40}")
    assert_error(response, 401, "bad_credential")


# --- Cached ---


def anybodys_for(response: Any) -> float | None:
    """Seconds, as the front door is told (tests/gate/test_sharing.py shows what it does with them)."""
    return response.wsgi_request.META.get(PUBLIC_FOR)


def test_a_read_of_a_cached_route_is_anybodys_for_ten_times_as_long() -> None:
    assert anybodys_for(anonymous().get("/tasks/")) == 1.0
    switch("tasks/", "cached")
    assert [anybodys_for(ask("/tasks/")) for ask in (anonymous().get, anonymous().head)] == [CACHED_S] * 2
    assert anybodys_for(anonymous().get("/products/")) == 1.0


def test_what_a_token_reads_is_nobody_elses() -> None:
    switch("tasks/", "cached")
    assert anybodys_for(caller().get("/tasks/")) is None
    bad = anonymous().get("/tasks/", HTTP_AUTHORIZATION="Token mkl_made_up")
    assert_error(bad, 401, "bad_credential")
    assert anybodys_for(bad) is None


def test_errors_and_writes_and_what_says_no_store_are_nobodys() -> None:
    for name in ("tasks/", "tasks/<int:pk>/", "health/ready/"):
        switch(name, "cached")
    for path in ("/tasks/7/", "/tasks/?limit=0"):
        assert anybodys_for(anonymous().get(path)) is None
    assert anonymous().get("/health/ready/")["Cache-Control"] == "no-store"
    assert anybodys_for(anonymous().post("/tasks/", {"content": "Ship"})) is None


def test_a_switch_drops_what_is_shared_once_it_is_in_force() -> None:
    dropped = []
    asked_anew = AnswersOfRoutes(lambda: dropped.append(standing.route_switches.of("tasks/", NOON.timestamp())))
    watcher.subscribers.append(asked_anew)
    try:
        switch("tasks/", "closed")
    finally:
        watcher.subscribers.remove(asked_anew)
    assert [each.state for each in dropped if each] == ["closed"]


# --- In memory ---


def test_a_refusal_that_was_meant_is_no_error_in_the_log(caplog) -> None:
    switch("tasks/", "closed")
    anonymous().get("/tasks/")
    assert caplog.records == []


@pytest.mark.parametrize("state", ["open", "cached", "tokens_only"])
def test_a_switch_costs_no_query(state: str) -> None:
    alice = caller()
    alice.get("/tasks/")
    with CaptureQueriesContext(connection) as usual:
        alice.get("/tasks/")
    switch("tasks/", state)
    with CaptureQueriesContext(connection) as switched:
        alice.get("/tasks/")
    assert len(switched) == len(usual)


def test_a_closed_route_asks_the_database_nothing(django_assert_num_queries) -> None:
    switch("tasks/", "closed")
    with django_assert_num_queries(0):
        assert anonymous().get("/tasks/").status_code == 503


@pytest.mark.django_db(transaction=True)
def test_with_the_database_gone_a_switch_stays(monkeypatch) -> None:
    switch("tasks/", "closed")
    with monkeypatch.context() as gone:
        connection.close()
        gone.setitem(connection.settings_dict, "HOST", "/nowhere")
        watcher.work()
        assert_error(anonymous().get("/products/"), 503, "database_unavailable")
        assert_error(anonymous().get("/tasks/"), 503, "route_closed")
    watcher.work()
    assert anonymous().get("/products/").status_code == 200


# --- Acting ---


def test_a_switch_is_noted_and_announced() -> None:
    root = make_maker("root", is_superuser=True)
    before = latest()
    made = switch("tasks/", "closed", message="Repairs.", actor=root)
    entry = AuditEntry.objects.get(act="route")
    assert (entry.subject, entry.actor_id, entry.reason) == ("route:tasks/", root.pk, "Repairs.")
    assert entry.details == {"state": "closed", "expires_at": None}
    assert latest() > before
    assert made.author == root


@pytest.mark.parametrize("flags", [{"is_staff": True}, {"is_staff": True, "is_moderator": True}, {}])
def test_only_admins_switch(flags: dict[str, bool]) -> None:
    with pytest.raises(NotAllowed):
        actions.switch_route(route="tasks/", state="closed", actor=make_maker("helper", **flags))
    assert not RouteSwitch.objects.exists()


# --- The command ---


def test_the_command_lists_shows_and_switches() -> None:
    assert route().count("\n") == len(routes.names())
    assert route("/tasks/") == "open         /tasks/\n"
    with time_machine.travel(NOON, tick=False):
        until = timezone.now() + timedelta(hours=1)
        told = route("/tasks/", "closed", "--for", "1h", "--message", "Repairs.")
    assert f"until {until:%Y-%m-%d %H:%M:%S} (UTC), by a command  Repairs." in told
    assert "In force in every process within a second" in told
    made = RouteSwitch.objects.get()
    assert (made.route, made.state, made.message, made.expires_at) == ("tasks/", "closed", "Repairs.", until)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["/taks/"], "Did you mean /tasks/"),
        (["/tasks/", "shut"], "invalid choice"),
        (["/tasks/", "closed", "--for", "soon"], "no duration"),
        (["/tasks/", "--for", "1h"], "Say which state"),
        (["/tasks/", "open", "--for", "1h"], "has no end"),
        (["/tasks/", "closed", "--message", "x" * 301], "301 characters"),
    ],
)
def test_the_command_says_what_is_wrong(args: list[str], told: str) -> None:
    with pytest.raises(CommandError, match=told):
        route(*args)
    assert not RouteSwitch.objects.exists()


# --- The page ---


def signed_in(**flags: bool) -> Client:
    client = Client()
    client.force_login(make_maker("root", is_staff=True, **flags))
    return client


def test_the_page_lists_every_route_of_the_urlconf_and_what_is_switched_first() -> None:
    switch("tasks/", "closed", message="Repairs <now>.", actor=make_maker("ada", is_superuser=True))
    page = signed_in().get(reverse(ADMIN))
    listed = [row.route for row in page.context["routes"]]
    assert listed == ["tasks/", *(name for name in routes.names() if name != "tasks/")]
    html = page.content.decode()
    assert 'value="closed users/&lt;str:maker&gt;/"' in html
    assert "by ada: Repairs &lt;now&gt;." in html


def test_one_tap_switches() -> None:
    admin = signed_in(is_superuser=True)
    tapped = {"switch": "closed users/<str:maker>/", "span": "1h", "message": "Repairs."}
    assert admin.post(reverse(ADMIN), tapped).status_code == 302
    made = RouteSwitch.objects.get()
    assert (made.route, made.state, made.message) == ("users/<str:maker>/", "closed", "Repairs.")
    assert made.author == Maker.objects.get(username="root")
    assert made.expires_at is not None
    admin.post(reverse(ADMIN), tapped | {"switch": "open users/<str:maker>/"})
    made.refresh_from_db()
    assert (made.state, made.message, made.expires_at) == ("open", "", None)


@pytest.mark.parametrize("tapped", ["closed nowhere/", "shut tasks/", "closed admin/", ""])
def test_the_page_takes_no_route_that_there_is_not(tapped: str) -> None:
    assert signed_in(is_superuser=True).post(reverse(ADMIN), {"switch": tapped}).status_code == 200
    assert not RouteSwitch.objects.exists()


def test_helpers_and_moderators_see_the_page_and_cannot_switch() -> None:
    moderator = signed_in(is_moderator=True)
    assert moderator.get(reverse(ADMIN)).context["may_switch"] is False
    assert moderator.post(reverse(ADMIN), {"switch": "closed tasks/"}).status_code == 403
    assert not RouteSwitch.objects.exists()
