"""GET /accounts/register_preflight/, POST /accounts/register/, GET POST /accounts/email_activate/{uid}/{token}/"""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.utils import timezone

from makerlog.accounts import actions, emails, links
from makerlog.accounts.models import AccessToken, Maker
from makerlog.jobs.models import Job
from tests.errors import assert_error, assert_invalid
from tests.jobs.queue import run_jobs
from tests.makers import anonymous, make_maker

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse"


@pytest.fixture
def register(committed: Any) -> Any:
    def posted(*, REMOTE_ADDR: str = "127.0.0.1", **values: Any) -> Any:
        sent = {"email": "alice@example.com", "username": "alice", "password": PASSWORD, "repeat_password": PASSWORD}
        with committed():
            return anonymous().post("/accounts/register/", {**sent, **values}, REMOTE_ADDR=REMOTE_ADDR)

    return posted


def link_in(mail: Any) -> str:
    link = next(line for line in mail.body.splitlines() if line.startswith("http"))
    return str(link[link.index("/accounts/") :])


def test_the_preflight_says_how(settings: Any) -> None:
    assert anonymous().get("/accounts/register_preflight/").json() == {"method": "email", "registrations_open": True}
    settings.REGISTRATIONS_OPEN = False
    assert anonymous().get("/accounts/register_preflight/").json()["registrations_open"] is False


def test_a_maker_registers_opens_the_link_and_is_in(register: Any, mailoutbox: Any, settings: Any) -> None:
    response = register()
    assert (response.status_code, response.json()) == (201, {"success": True})
    assert Maker.objects.get().is_active is False
    assert mailoutbox[0].to == ["alice@example.com"]
    assert f"{settings.PUBLIC_URL}/accounts/email_activate/" in mailoutbox[0].body
    opened = anonymous().get(link_in(mailoutbox[0]))
    assert (opened.status_code, opened["Cache-Control"]) == (200, "no-store")
    client = anonymous()
    client.credentials(HTTP_AUTHORIZATION=f"Token {opened.json()['token']}")
    assert client.get("/me/").json()["username"] == "alice"
    log_in = anonymous().post("/api-token-auth/", {"username": "alice", "password": PASSWORD})
    assert log_in.status_code == 200


def test_a_link_is_posted_too(register: Any, mailoutbox: Any) -> None:
    register()
    assert set(anonymous().post(link_in(mailoutbox[0])).json()) == {"token"}


def test_a_link_works_once(register: Any, mailoutbox: Any) -> None:
    register()
    anonymous().get(link_in(mailoutbox[0]))
    assert_error(anonymous().get(link_in(mailoutbox[0])), 400, "bad_link")
    assert AccessToken.objects.count() == 1


def test_looking_before_opening_does_not_use_the_link_up(register: Any, mailoutbox: Any) -> None:
    register()
    assert anonymous().head(link_in(mailoutbox[0])).status_code == 405
    assert anonymous().get(link_in(mailoutbox[0])).status_code == 200


def test_a_link_ends_after_three_days(register: Any, mailoutbox: Any) -> None:
    register()
    with time_machine.travel(timezone.now() + timedelta(days=3, minutes=1)):
        assert_error(anonymous().get(link_in(mailoutbox[0])), 400, "bad_link")


def test_a_link_does_not_reopen_what_was_closed_later(register: Any, mailoutbox: Any) -> None:
    register()
    anonymous().get(link_in(mailoutbox[0]))
    Maker.objects.update(is_active=False)
    assert_error(anonymous().get(link_in(mailoutbox[0])), 400, "bad_link")
    register(username="another")
    assert mailoutbox[1].subject == "Makerlog: You have an account already"
    assert Maker.objects.get(username="alice").is_active is False


@pytest.mark.parametrize(
    "path", ["MQ/made-up", "!!/x-y", "w6k/x", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5/a-b", "%00/a-b", "MQ/%00-b"]
)
def test_a_made_up_link_is_a_400(path: str) -> None:
    make_maker("alice")
    assert_error(anonymous().get(f"/accounts/email_activate/{path}/"), 400, "bad_link")


def test_the_link_of_one_is_not_anothers(register: Any, mailoutbox: Any) -> None:
    register()
    register(username="bob", email="bob@example.com")
    uid = link_in(mailoutbox[1]).split("/")[-3]
    token = link_in(mailoutbox[0]).split("/")[-2]
    assert_error(anonymous().get(f"/accounts/email_activate/{uid}/{token}/"), 400, "bad_link")


def test_a_taken_address_answers_the_same_and_its_owner_is_told(register: Any, mailoutbox: Any) -> None:
    Maker.objects.create(username="owner", email="Alice@example.com")
    response = register()
    assert (response.status_code, response.json()) == (201, {"success": True})
    assert not Maker.objects.get(username="alice").is_active
    assert [(mail.to, mail.subject) for mail in mailoutbox] == [
        (["Alice@example.com"], "Makerlog: You have an account already")
    ]


def test_who_registers_again_before_activating_counts_the_last_time(register: Any, mailoutbox: Any) -> None:
    register(username="first")
    assert register(email="ALICE@example.com").status_code == 201
    assert_error(anonymous().get(link_in(mailoutbox[0])), 400, "bad_link")
    assert anonymous().get(link_in(mailoutbox[1])).status_code == 200
    maker = Maker.objects.get()
    assert (maker.username, maker.email, maker.check_password(PASSWORD)) == ("alice", "ALICE@example.com", True)


ANOTHER = {"password": "of somebody else", "repeat_password": "of somebody else", "username": "mallory"}


def can_log_in(username: str, password: str) -> bool:
    response = anonymous().post("/api-token-auth/", {"username": username, "password": password})
    return bool(response.status_code == 200)


@pytest.mark.parametrize(("first", "second"), [({}, ANOTHER), (ANOTHER, {})])
def test_nobody_leaves_their_password_behind_a_link_by_registering_the_address_anew(
    register: Any, mailoutbox: Any, first: Any, second: Any
) -> None:
    register(**first)
    register(**second)
    assert_error(anonymous().get(link_in(mailoutbox[0])), 400, "bad_link")
    opened = anonymous().get(link_in(mailoutbox[1]))
    assert set(opened.json()) == {"token"}
    assert "choose one" in mailoutbox[1].body
    username = Maker.objects.get().username
    assert not can_log_in(username, PASSWORD)
    assert not can_log_in(username, ANOTHER["password"])


def test_registering_again_and_again_brings_no_password_back(register: Any, mailoutbox: Any) -> None:
    register()
    for _ in range(2):
        register(REMOTE_ADDR="9.9.9.9", **ANOTHER)
    anonymous().get(link_in(mailoutbox[-1]))
    assert not can_log_in("mallory", ANOTHER["password"])


def test_a_mail_that_was_held_up_holds_no_link_of_somebody_else_s_password(register: Any, mailoutbox: Any) -> None:
    actions.register(email="alice@example.com", username="alice", password=PASSWORD)
    actions.register(email="alice@example.com", username="mallory", password=ANOTHER["password"])
    run_jobs()
    for mail in mailoutbox:
        anonymous().get(link_in(mail))
    assert not can_log_in("mallory", ANOTHER["password"])


def test_whose_password_did_not_count_chooses_one(register: Any, mailoutbox: Any, committed: Any) -> None:
    register()
    register(**ANOTHER)
    anonymous().get(link_in(mailoutbox[1]))
    with committed():
        anonymous().post("/accounts/forgot/", {"email": "alice@example.com"})
    *_, uid, token, _ = link_in(mailoutbox[2]).split("/")
    new = {"uidb64": uid, "token": token, "password": "battery staple", "repeat_password": "battery staple"}
    assert anonymous().post("/accounts/reset/", new).status_code == 200
    assert can_log_in("mallory", "battery staple")


def test_a_registration_that_lapsed_takes_nothing_from_the_next_one(register: Any, mailoutbox: Any) -> None:
    register(**ANOTHER)
    with time_machine.travel(timezone.now() + timedelta(days=4)):
        register()
        anonymous().get(link_in(mailoutbox[1]))
        assert can_log_in("alice", PASSWORD)


def test_a_registration_of_the_release_before_is_activated_and_superseded(register: Any, mailoutbox: Any) -> None:
    before = make_maker("alice", is_active=False, awaiting_activation=True)
    assert anonymous().get(links.activation_link(before)[len(settings.PUBLIC_URL) :]).status_code == 200
    Maker.objects.update(is_active=False, awaiting_activation=True, mailbox="", email="alice@example.com")
    register(username="alice2")
    assert anonymous().get(link_in(mailoutbox[0])).status_code == 200
    assert [maker.username for maker in Maker.objects.all()] == ["alice2"]


@pytest.mark.parametrize("username", ["bob", "BOB"])
def test_a_taken_username_is_a_400(register: Any, username: str) -> None:
    make_maker("bob")
    assert assert_invalid(register(username=username), "username") == {"username": ["This username is taken."]}


def test_a_name_that_awaits_another_mailbox_is_taken_and_free_again_in_the_end(register: Any) -> None:
    register(email="first@example.com")
    assert_invalid(register(), "username")
    with time_machine.travel(timezone.now() + timedelta(days=4)):
        assert register().status_code == 201
    assert Maker.objects.get().pending_email == "alice@example.com"


def test_a_name_taken_between_the_check_and_the_write_is_a_400(register: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def hash_slowly(password: str, **salt: str) -> str:
        Maker.objects.create(username="Alice", email="other@example.com")
        return password

    monkeypatch.setattr("makerlog.accounts.actions.make_password", hash_slowly)
    assert assert_invalid(register(), "username") == {"username": ["This username is taken."]}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", "12345"), ("username", "me"), ("username", "Admin"), ("username", "a b"), ("username", "x" * 31),
        ("username", "-a"), ("username", ""), ("username", "é"), ("username", "a\x00"), ("username", "a@b"),
        ("email", "no address"), ("email", ""), ("email", None), ("email", "x" * 250 + "@b.com"),
        ("repeat_password", "another"), ("repeat_password", ""),
    ],
)  # fmt: skip
def test_what_cannot_be_is_a_400_of_its_field(register: Any, field: str, value: Any) -> None:
    assert_invalid(register(**{field: value}), field)
    assert Maker.objects.count() == 0


@pytest.mark.parametrize("password", ["short", "password", "8674395023", "alice@example.com"])
def test_a_weak_password_is_a_400(register: Any, password: str) -> None:
    assert_invalid(register(password=password, repeat_password=password), "password")


def test_a_password_is_taken_as_typed(register: Any) -> None:
    register(password="  spaces around  ", repeat_password="  spaces around  ")
    assert Maker.objects.get().check_password("  spaces around  ")


def test_nobody_registers_as_somebody_mighty(register: Any) -> None:
    register(is_staff=True, is_superuser=True, is_active=True, is_moderator=True, awaiting_activation=False, id=7)
    maker = Maker.objects.get()
    flags = (maker.is_staff, maker.is_superuser, maker.is_active, maker.is_moderator, maker.awaiting_activation)
    assert flags == (False, False, False, False, True)
    assert maker.pk != 7


def test_registration_may_be_closed(register: Any, settings: Any) -> None:
    settings.REGISTRATIONS_OPEN = False
    assert_error(register(), 403, "registrations_closed")
    assert Maker.objects.count() == 0


def test_a_mail_that_fails_loses_nothing(register: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(emails, "send_mail", refuse)
    assert register().status_code == 201
    assert Maker.objects.filter(username="alice").exists()
    assert Job.objects.put_off().count() == 1
