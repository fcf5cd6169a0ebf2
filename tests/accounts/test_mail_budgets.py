"""Which mails there are, who can have them sent, to which address, and how many (deploy/decisions/0027-mail.md)."""

import ast
import re
from collections import Counter
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from makerlog.accounts import emails, mail_budgets
from makerlog.accounts.mailboxes import mailbox_of
from makerlog.accounts.models import Maker
from makerlog.jobs.models import Job
from moderation import actions as moderation
from moderation.roles import Role
from tests.errors import assert_error, assert_invalid
from tests.jobs.queue import run_jobs
from tests.makers import Caller, anonymous, just_logged_in, make_maker, refill

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse"
VICTIM = "victim@example.com"


def link_in(mail: Any) -> str:
    link = next(line for line in mail.body.splitlines() if line.startswith("http"))
    return str(link[link.index("/accounts/") :])


@pytest.fixture
def mails(mailoutbox: Any) -> Any:
    """Delivers what waits; what was sent since the last call, as pairs of an address and a subject."""

    def delivered() -> list[tuple[str, str]]:
        run_jobs()
        sent = [(mail.to[0], mail.subject.removeprefix("Makerlog: ")) for mail in mailoutbox]
        mailoutbox.clear()
        return sent

    return delivered


def register(email: str, username: str, *, password: str = PASSWORD, address: str = "9.9.9.9") -> Any:
    sent = {"email": email, "username": username, "password": password, "repeat_password": password}
    return anonymous().post("/accounts/register/", sent, REMOTE_ADDR=address)


def forgot(email: str, *, address: str = "9.9.9.9") -> Any:
    return anonymous().post("/accounts/forgot/", {"email": email}, REMOTE_ADDR=address)


def wish(client: Caller, email: str, *, address: str = "9.9.9.9") -> Any:
    return client.patch("/me/privileged/", {"email": email}, REMOTE_ADDR=address)


# --- A new address of one's account ---


def test_a_new_address_counts_once_its_link_is_opened_and_only_then_the_old_one_is_told(
    mails: Any, mailoutbox: Any
) -> None:
    alice = just_logged_in()
    body = wish(alice, "New@Example.com").json()
    assert (body["email"], body["pending_email"]) == ("alice@example.com", "New@example.com")
    run_jobs()
    link = link_in(mailoutbox[0])
    assert mails() == [("New@example.com", "Your new e-mail address")]
    assert anonymous().get(link).json() == {"success": True}
    assert mails() == [("alice@example.com", "Your e-mail address was changed")]
    body = alice.get("/me/privileged/").json()
    assert (body["email"], body["pending_email"]) == ("New@example.com", "")
    assert Maker.objects.get().mailbox == "new@example.com"
    assert_error(anonymous().get(link), 400, "bad_link")


def test_changing_ones_address_over_and_over_mails_nobody_who_did_not_open_a_link(mails: Any) -> None:
    """150 mails to one mailbox in eight seconds: each change told the unproven address before it."""
    alice = just_logged_in()
    statuses = Counter(wish(alice, email).status_code for email in (VICTIM, "other@example.com") * 10)
    assert statuses == {200: 3, 429: 17}
    assert sum(Counter(to for to, _ in mails()).values()) == 3


def test_one_mailbox_is_not_bombed_by_many_makers_under_many_spellings(mails: Any) -> None:
    spellings = [
        "victim@gmail.com",
        "v.ictim@gmail.com",
        "victim+1@googlemail.com",
        "VICTIM@gmail.com",
        "vic.tim@gmail.com",
    ]
    for number, spelling in enumerate(spellings):
        wish(just_logged_in(f"mallory{number}"), spelling, address=f"9.9.9.{number}")
    assert len(mails()) == 3


def test_the_last_wish_counts_and_ends_earlier_links(mails: Any, mailoutbox: Any) -> None:
    alice = just_logged_in()
    for email in ("one@example.com", "two@example.com"):
        wish(alice, email)
        run_jobs()
    first, second = map(link_in, mailoutbox)
    assert_error(anonymous().get(first), 400, "bad_link")
    assert anonymous().post(second).status_code == 200
    assert Maker.objects.get().email == "two@example.com"


def test_a_new_password_ends_the_link_to_an_address_that_a_thief_wants(mailoutbox: Any) -> None:
    alice = just_logged_in()
    wish(alice, "thief@example.com")
    run_jobs()
    alice.maker.set_password("another")
    alice.maker.save(update_fields=["password"])
    assert_error(anonymous().get(link_in(mailoutbox[0])), 400, "bad_link")


def test_whoever_is_first_has_the_address(mailoutbox: Any) -> None:
    alice, bob = just_logged_in(), just_logged_in("bob")
    for client in (alice, bob):
        wish(client, "new@example.com")
        run_jobs()
    first, second = map(link_in, mailoutbox)
    assert anonymous().get(first).status_code == 200
    assert_error(anonymous().get(second), 409, "email_taken")
    assert Maker.objects.get(username="bob").email == "bob@example.com"


def test_an_app_that_sends_a_whole_maker_back_leaves_a_wish_alone() -> None:
    alice = just_logged_in()
    before = wish(alice, "new@example.com").json()
    after = alice.patch("/me/privileged/", {**before, "status": "Back"}).json()
    assert (after["email"], after["pending_email"]) == ("alice@example.com", "new@example.com")


# --- One mailbox is one mailbox ---


@pytest.mark.parametrize("email", ["owner+x@gmail.com", "o.w.ner@googlemail.com", "OWNER@GMAIL.COM"])
def test_another_spelling_of_a_taken_mailbox_gets_no_second_account(mails: Any, email: str) -> None:
    Maker.objects.create(username="owner", email="owner@gmail.com", mailbox=mailbox_of("owner@gmail.com"))
    assert register(email, "second").status_code == 201
    assert mails() == [("owner@gmail.com", "You have an account already")]
    forgot(email, address="9.9.9.8")
    assert mails() == [("owner@gmail.com", "A new password")]


def test_the_database_itself_holds_one_account_a_mailbox() -> None:
    Maker.objects.create(username="one", email="a@gmail.com", mailbox=mailbox_of("a@gmail.com"))
    with pytest.raises(Exception, match="one_maker_per_mailbox"):
        Maker.objects.create(username="two", email="a+b@gmail.com", mailbox=mailbox_of("a+b@gmail.com"))


def test_the_upgrade_gives_each_account_its_mailbox_and_of_two_the_one_spelt_like_it() -> None:
    addresses = {"a": "an.n@gmail.com", "b": "ann@gmail.com", "c": "x+1@example.com", "d": "X+2@example.com", "e": ""}
    Maker.objects.bulk_create(Maker(username=name, email=address) for name, address in addresses.items())
    import_module("makerlog.accounts.migrations.0011_mailboxes").fill_mailboxes(None, None)
    boxes = dict(Maker.objects.values_list("username", "mailbox"))
    assert boxes == {"a": "", "b": "ann@gmail.com", "c": "x@example.com", "d": "", "e": ""}


def test_two_accounts_that_had_one_mailbox_before_are_each_found_by_their_address(mails: Any) -> None:
    Maker.objects.create(username="older", email="ann@gmail.com", mailbox="ann@gmail.com")
    Maker.objects.create(username="newer", email="a.nn@gmail.com")  # as the migration leaves it
    forgot("ann@gmail.com")
    forgot("a.nn@gmail.com", address="9.9.9.8")
    assert [to for to, _ in mails()] == ["ann@gmail.com", "a.nn@gmail.com"]
    assert [Maker.objects.signing_in(each).first().username for each in ("a.nn@gmail.com", "a.n.n@gmail.com")] == [
        "newer",
        "older",
    ]


@pytest.mark.parametrize("email", ['"a.b"@gmail.com', "a@[127.0.0.1]", "a@localhost", "a@example.com."])
@pytest.mark.parametrize("path", ["/accounts/register/", "/accounts/forgot/"])
def test_what_would_be_a_second_spelling_is_no_address(path: str, email: str) -> None:
    values = {"username": "a", "password": PASSWORD, "repeat_password": PASSWORD, "email": email}
    assert_invalid(anonymous().post(path, values), "email")


# --- Each purpose has a budget of its own ---


def test_registering_somebodys_address_over_and_over_leaves_them_their_way_back(mails: Any) -> None:
    make_maker("victim")
    statuses = [register(VICTIM, f"m{number}", address=f"9.9.9.{number}").status_code for number in range(5)]
    assert statuses == [201, 201, 201, 429, 429]
    assert forgot(VICTIM, address="8.8.8.8").status_code == 200
    assert mails() == [(VICTIM, "You have an account already")] * 3 + [(VICTIM, "A new password")]


def test_one_caller_does_not_use_up_what_a_mailbox_may_get() -> None:
    assert [register(VICTIM, f"m{number}").status_code for number in range(4)] == [201, 201, 429, 429]
    assert register(VICTIM, "victim", address="8.8.8.8").status_code == 201


def test_moderation_s_notices_to_one_mailbox_are_bounded(mails: Any) -> None:
    alice, ada = just_logged_in(), moderation.set_role(maker=make_maker("ada"), role=Role.ADMIN)
    for _ in range(12):
        moderation.warn(maker=alice.maker, actor=ada, reason="Be kind.")
    assert len([to for to, _ in mails() if to == "alice@example.com"]) == 10
    assert not Job.objects.put_off().exists()


def test_a_registration_that_lapsed_or_whose_address_is_taken_is_mailed_no_link(
    mails: Any, mailoutbox: Any, time_machine: Any
) -> None:
    time_machine.move_to("2026-11-22 12:00Z", tick=False)
    register(VICTIM, "late")
    time_machine.move_to("2026-11-26 12:00Z", tick=False)
    assert mails() == []


# --- All of them together ---


@pytest.fixture
def few(settings: Any) -> None:
    settings.MAILS_PER_HOUR = 20  # four registrations, five resets, two changes, nine notices
    refill()


@pytest.mark.usefixtures("few")
def test_what_the_provider_would_not_take_waits_and_counts_as_no_attempt(mails: Any) -> None:
    for number in range(3):
        register(f"m{number}@example.com", f"m{number}", address=f"9.9.9.{number}")
    assert len(mails()) == 2  # the half of an hour's four at once
    waiting = Job.objects.put_off().get()
    assert (waiting.attempts, waiting.traceback) == (0, "")


@pytest.mark.usefixtures("few")
def test_a_flood_of_registrations_leaves_resets_their_part_and_later_ones_are_told_when_to_come_back(
    mails: Any,
) -> None:
    make_maker("victim")
    for number in range(2):
        register(f"m{number}@example.com", f"m{number}", address=f"9.9.9.{number}")
    mails()
    response = register("one.more@example.com", "m9")
    assert "mails" in assert_error(response, 503, "mails_used_up")["detail"]
    assert int(response["Retry-After"]) > 60
    assert not Maker.objects.filter(username="m9").exists()
    assert forgot(VICTIM).status_code == 200
    assert mails() == [(VICTIM, "A new password")]


def test_all_shares_are_all_there_is() -> None:
    assert sum(mail_budgets.SHARES.values()) == 100


# --- Whether an address has an account ---


ADDRESSES = ("victim@example.com", "nobody@example.com")


def seen(response: Any) -> Any:
    """All but what changes with the seconds that pass meanwhile."""
    timed = {"X-Request-Id", "Retry-After", "X-RateLimit-Reset"}
    headers = {
        name: re.sub(r";t=\d+|\"address\";r=\d+", "", value) for name, value in response.items() if name not in timed
    }
    return response.status_code, re.sub(rb"\d+ second", b"", response.content), headers


SHAPE = re.compile(r" WHERE | VALUES | SET |POINT ")


def statements(act: Any) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        act()
    return [SHAPE.split(query["sql"], maxsplit=1)[0] for query in queries]


@pytest.mark.parametrize(
    "act",
    [
        lambda email: register(email, "newcomer"),
        lambda email: [register(email, "newcomer"), register(email, "newcomer")][1],
        lambda email: [register(email, "newcomer"), register(email, "newcomer2")][1],
        lambda email: [register(email, "newcomer"), register("mallory@example.com", "newcomer")][1],
        lambda email: [
            register(email, "newcomer"),
            anonymous().post("/api-token-auth/", {"username": "newcomer", "password": PASSWORD}),
        ][1],
        lambda email: [
            register(email, "newcomer"),
            anonymous().post("/api-token-auth/", {"username": email, "password": PASSWORD}),
        ][1],
        lambda email: [register(email, "newcomer"), anonymous().get("/users/newcomer/")][1],
        lambda email: forgot(email),
        lambda email: [forgot(email) for _ in range(5)][-1],
    ],
)
def test_nobody_can_tell_from_outside_whether_an_address_has_an_account(act: Any) -> None:
    make_maker("victim")
    answers, work = [], []
    for email in ADDRESSES:
        refill()
        work.append(statements(lambda email=email: answers.append(seen(act(email)))))
        Maker.objects.exclude(username="victim").delete()
    assert answers[0] == answers[1]
    assert work[0] == work[1]


def test_a_token_cannot_tell_from_a_new_address_whether_it_has_an_account(mails: Any) -> None:
    make_maker("victim")
    answers, work = [], []
    for email in ADDRESSES:
        refill()
        alice = just_logged_in()
        work.append(statements(lambda alice=alice, email=email: answers.append(wish(alice, email))))
        answers[-1] = (answers[-1].status_code, {**answers[-1].json(), "pending_email": ""}, answers[-1]["RateLimit"])
    assert answers[0] == answers[1]
    assert work[0] == work[1]
    wish(just_logged_in(), ADDRESSES[0], address="8.8.8.8")
    assert (VICTIM, "Your address was wanted for another account") in mails()


def test_a_registration_for_a_known_address_lets_nobody_in(mailoutbox: Any) -> None:
    make_maker("victim")
    register(VICTIM, "newcomer")
    run_jobs()
    assert "/accounts/email_activate/" not in mailoutbox[0].body
    assert Maker.objects.get(username="victim").email == VICTIM


# --- The table ---


TABLE = (Path(django_settings.BASE_DIR) / "deploy/decisions/0027-mail.md").read_text()


def tasks_of(file: str) -> list[str]:
    tree = ast.parse((Path(django_settings.BASE_DIR) / file).read_text())
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list]


@pytest.mark.parametrize("name", [*tasks_of("makerlog/accounts/emails.py"), *tasks_of("moderation/emails.py")])
def test_every_mail_stands_in_the_table(name: str) -> None:
    assert f"`{name}`" in TABLE


def test_nothing_mails_but_by_the_budget() -> None:
    files = [file for folder in ("makerlog", "moderation", "tasks", "products", "discussions")
             for file in (Path(django_settings.BASE_DIR) / folder).rglob("*.py")]  # fmt: skip
    mailers = ("send_mail", "EmailMessage", "EmailMultiAlternatives", "mail_admins", "email_user", "send_messages")
    senders = {file.name for file in files if any(f"{word}(" in file.read_text() for word in mailers)}
    assert senders == {"emails.py"}
    assert (Path(emails.__file__).read_text()).count("send_mail(") == 1


@pytest.mark.parametrize("purpose", [*mail_budgets.SHARES])
def test_every_purpose_has_a_budget_of_a_mailbox_and_one_of_all(purpose: Any) -> None:
    limit = mail_budgets.limit_called(f"mail-{purpose}")
    assert f"`mail-{purpose}`" in TABLE
    assert limit.quota <= 20
    assert timedelta(seconds=limit.window) == timedelta(days=1)
    assert mail_budgets.share_of(purpose).quota == 1_000 * mail_budgets.SHARES[purpose] // 100
