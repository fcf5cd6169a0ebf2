"""Lockdown levels: declared by command and in the admin; what each keeps back, and from whom."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from makerlog.accounts.models import Maker
from makerlog.api.limits import AT_LEVEL, LIMITS, NEW_MAKER
from makerlog.gate.level import LEVELS, lockdown
from moderation import actions
from moderation.models import AuditEntry, Lockdown
from moderation.roles import NotAllowed
from moderation.standing import watcher
from tests.api.test_limits import left
from tests.errors import assert_error
from tests.makers import anonymous, caller, make_maker
from tests.tasks.logs import NOON

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("nothing_stands")]
PAGE = reverse("admin:moderation_lockdown_changelist")


def declare(level: str, **values: Any) -> Lockdown:
    made = actions.lock_down(level=level, **values)
    watcher.catch_up()
    return made


def run(*args: str, **options: Any) -> str:
    out = StringIO()
    call_command("lockdown", *args, stdout=out, **options)
    watcher.catch_up()
    return out.getvalue()


@pytest.fixture
def admin() -> Client:
    client = Client(REMOTE_ADDR="8.8.8.8")
    client.force_login(make_maker("root", is_staff=True, is_superuser=True))
    return client


# --- Declaring ---


def test_a_level_is_declared_noted_and_told() -> None:
    mo = make_maker("mo", is_staff=True, is_moderator=True)
    declare("guarded", notice="Careful.", reason="a crawl", actor=mo)
    assert (lockdown.level, lockdown.now.notice) == ("guarded", "Careful.")
    entry = AuditEntry.objects.get()
    assert (entry.act, entry.subject, entry.actor_id, entry.reason) == ("lockdown", "lockdown", mo.pk, "a crawl")
    assert entry.details == {"level": "guarded", "notice": "Careful.", "expires_at": None}


def test_the_levels_of_the_door_and_of_the_database_are_the_same() -> None:
    assert tuple(Lockdown.Level.values) == LEVELS
    with pytest.raises(ValueError, match="panic"):
        declare("panic")
    declare("guarded")
    with transaction.atomic(), pytest.raises(IntegrityError, match="there_is_one_lockdown_level"):
        Lockdown.objects.create(id=2)


def test_a_level_is_over_at_its_second_without_anybody_looking() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        declare("under_attack", expires_at=timezone.now() + timedelta(minutes=1))
        clock.shift(59)
        assert lockdown.level == "under_attack"
        clock.shift(1)
        assert lockdown.level == "normal"
        assert run() == "The level is normal.\n"


def test_helpers_may_not_and_moderators_may() -> None:
    helper = make_maker("holly", is_staff=True)
    with pytest.raises(NotAllowed):
        declare("guarded", actor=helper)
    assert not Lockdown.objects.exists()


def test_the_command_shows_and_declares() -> None:
    assert run() == "The level is normal.\n"
    with time_machine.travel(NOON, tick=False):
        said = run("under_attack", "--for", "1h", "--notice", "Back soon.")
        assert lockdown.now.notice == "Back soon."
    assert said.startswith("The level is under_attack, ends in 1 hour (")
    assert "In force in every process within a second." in said
    assert run("normal") == "The level is normal. In force in every process within a second.\n"


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("--for", "1h"), "Say which level"),
        (("normal", "--for", "1h"), "Normal has no end"),
        (("guarded", "--for", "soon"), "is no duration"),
        (("guarded", "--notice", "x" * 501), "is 501 characters long; at most 500"),
        (("panic",), "invalid choice"),
    ],
)
def test_the_command_says_what_is_wrong(args: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        run(*args)
    assert not Lockdown.objects.exists()


# --- In the admin ---


def test_one_tap_declares_a_level_and_another_ends_it(admin: Client) -> None:
    form = {"level": "under_attack", "span": "1h", "notice": "Back soon.", "reason": "a flood"}
    said = admin.post(PAGE, form, follow=True).content.decode()
    watcher.catch_up()
    assert "The level is under_attack, ends in 1 hour" in said
    assert "To undo it, tap Normal." in said
    assert '<button name="level" value="under_attack" class="under_attack" aria-pressed="true">' in said
    assert "Back soon.</textarea>" in said
    assert lockdown.level == "under_attack"
    assert "The level is under_attack" in admin.get(reverse("admin:index")).content.decode()
    admin.post(PAGE, {"level": "normal", "span": "1h"})
    watcher.catch_up()
    assert (lockdown.level, Lockdown.objects.get().expires_at) == ("normal", None)


@pytest.mark.parametrize(
    ("onward", "url"),
    [("/admin/", "/admin/"), ("https://evil.example/", PAGE), ("//evil.example/", PAGE), ("", PAGE)],
)
def test_the_console_gets_its_reader_back(admin: Client, onward: str, url: str) -> None:
    assert admin.post(PAGE, {"level": "guarded", "next": onward}).url == url


def test_a_helper_looks_and_cannot_tap() -> None:
    client = Client(REMOTE_ADDR="8.8.8.8")
    client.force_login(make_maker("holly", is_staff=True))
    assert client.get(PAGE).content.decode().count("disabled>") == 3
    assert client.post(PAGE, {"level": "guarded"}).status_code == 403
    assert not Lockdown.objects.exists()


# --- What it keeps back ---


@pytest.mark.parametrize("level", LEVELS)
def test_a_budget_without_a_token_shrinks_and_that_of_a_token_stays(level: str) -> None:
    alice = caller("alice", date_joined=timezone.now() - NEW_MAKER)
    declare(level)
    address = AT_LEVEL.get(level, {}).get("address") or LIMITS["address"]
    response = anonymous().get("/tasks/")
    assert f'"address";q={address.quota};w=60' in response["RateLimit-Policy"]
    assert left(response)["address"] == address.burst - 1
    assert left(alice.get("/tasks/"))["token"] == LIMITS["token"].burst - 1
    assert set(left(alice.post("/tasks/", {"content": "x"}))) == {"token", "maker", "write"}
    shown = {limit["name"]: limit["quota"] for limit in anonymous().get("/limits/").json()["limits"]}
    assert shown["address"] == address.quota


def test_the_budgets_shrink_from_level_to_level_and_take_as_long_to_fill() -> None:
    for name in AT_LEVEL["under_attack"]:
        steps = [LIMITS[name], AT_LEVEL["guarded"][name], AT_LEVEL["under_attack"][name]]
        assert steps[0].quota > steps[1].quota >= steps[2].quota
        # A bucket is the moment at which it is full: it means the same at each level where the spans are equal.
        assert len({each.span for each in steps}) == 1
        assert {each.per for each in steps} == {"address"}, "token holders notice nothing"


@pytest.mark.parametrize("level", ["guarded", "under_attack"])
def test_registration_closes_and_says_so(level: str) -> None:
    form = {
        "email": "bo@example.com",
        "username": "bo",
        "password": "a long one, this",
        "repeat_password": "a long one, this",
    }
    declare(level)
    assert anonymous().get("/accounts/register_preflight/").json()["registrations_open"] is False
    body = assert_error(anonymous().post("/accounts/register/", form), 403, "registrations_closed")
    assert "/status/" in body["detail"]
    assert not Maker.objects.exists()
    declare("normal")
    assert anonymous().get("/accounts/register_preflight/").json()["registrations_open"] is True
    assert anonymous().post("/accounts/register/", form).status_code == 201


@pytest.mark.parametrize("level", ["guarded", "under_attack"])
def test_a_new_maker_posts_slower_and_reads_as_usual(level: str) -> None:
    bo = caller("bo")
    assert "new-maker" not in left(bo.post("/tasks/", {"content": "before"}))
    declare(level)
    tasks = [{"content": f"task {number}"} for number in range(50)]
    response = bo.post("/tasks/batch/", tasks)
    assert response.status_code == 207, "a whole batch fits"
    assert left(response)["new-maker"] < 5
    refused = assert_error(bo.post("/tasks/batch/", tasks), 429, "throttled")
    assert 'limit "new-maker" is used up' in refused["detail"]
    assert "new-maker" not in left(bo.get("/tasks/"))
    declare("normal")
    assert bo.post("/tasks/", {"content": "x"}).status_code == 201
