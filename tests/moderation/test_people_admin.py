"""The admin's pages of makers and tokens: what each of the staff is offered, and what comes of it."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from makerlog.accounts import actions as accounts
from makerlog.accounts.models import AccessToken, Maker
from moderation import actions
from moderation.leaks import MOST_BYTES
from moderation.models import AuditEntry
from moderation.roles import Role, role_of
from tests.jobs.queue import run_jobs
from tests.makers import caller, make_maker

pytestmark = pytest.mark.django_db

TOKENS = "/admin/accounts/accesstoken/"


def signed_in(role: Role) -> Client:
    client = Client()
    client.force_login(actions.set_role(maker=make_maker(role.name.lower()), role=role))
    return client


def page_of(maker: Maker) -> str:
    return reverse("admin:accounts_maker_change", args=[maker.pk])


def act(client: Client, maker: Maker, name: str, **values: Any) -> str:
    """Does it as the page's form would: what the page then says."""
    url = reverse("admin:accounts_maker_act", args=[maker.pk])
    page = client.post(url, {"act": name, **values}, follow=True)
    maker.refresh_from_db()
    return " ".join(str(message) for message in page.context["messages"])


def offered(client: Client, maker: Maker) -> list[str]:
    return [offer["act"] for offer in client.get(page_of(maker)).context["offers"]]


# --- Makers ---


def test_each_of_the_staff_is_offered_what_they_may() -> None:
    alice, helen = make_maker(), actions.set_role(maker=make_maker("helen"), role=Role.HELPER)
    moderator, admin = signed_in(Role.MODERATOR), signed_in(Role.ADMIN)
    assert offered(signed_in(Role.HELPER), alice) == ["warn"]
    assert offered(moderator, alice) == ["suspend", "warn", "close"]
    assert offered(moderator, helen) == []
    assert offered(admin, helen) == ["suspend", "warn", "role", "close"]
    actions.suspend(maker=alice)
    actions.set_open(maker=alice, is_open=False)
    assert offered(moderator, alice) == ["unsuspend", "suspend", "warn", "open"]
    assert offered(admin, Maker.objects.get(username="admin")) == []


def test_a_moderator_suspends_for_a_while_and_lifts() -> None:
    alice, moderator = make_maker(), signed_in(Role.MODERATOR)
    said = act(moderator, alice, "suspend", kind="out", span="2h", reason="spam")
    assert said.startswith("alice is suspended. No mail went out; the API answers: This account is suspended until ")
    assert (alice.suspension, alice.suspension_reason) == ("out", "spam")
    assert "This account is suspended until" in moderator.get(page_of(alice)).content.decode()
    assert act(moderator, alice, "unsuspend", reason="sorry") == "alice is no longer suspended."
    assert alice.suspension == ""
    entry = AuditEntry.objects.get(act="suspend")
    assert entry.actor_id == Maker.objects.get(username="moderator").pk


@pytest.mark.parametrize(
    "values", [{"kind": "out", "span": "soon"}, {"kind": "dead"}, {"kind": "out"}, {"kind": "out", "span": ""}, {}]
)
def test_what_the_form_cannot_read_is_said_and_changes_nothing(values: Any) -> None:
    alice = make_maker()
    assert act(signed_in(Role.MODERATOR), alice, "suspend", **values)
    assert alice.suspended == ""


def test_nobody_gets_further_than_their_role_by_a_form_of_their_own() -> None:
    alice, ada = make_maker(), actions.set_role(maker=make_maker("ada"), role=Role.ADMIN)
    helper, moderator = signed_in(Role.HELPER), signed_in(Role.MODERATOR)
    assert "takes the role moderator" in act(helper, alice, "suspend", kind="out", span="1d")
    assert "takes the role admin" in act(moderator, ada, "suspend", kind="out", span="1d")
    assert "takes the role admin" in act(moderator, ada, "close")
    assert "takes the role admin" in act(moderator, alice, "role", role=Role.ADMIN.value)
    me = Maker.objects.get(username="moderator")
    assert act(moderator, me, "role", role=Role.ADMIN.value)
    assert (role_of(me), alice.suspended, ada.is_active, role_of(alice)) == (Role.MODERATOR, "", True, Role.NONE)


def test_flags_and_addresses_are_not_to_be_had_by_the_form_of_badges() -> None:
    """A moderator who could set an admin's address could have their password reset."""
    moderator, admin = signed_in(Role.MODERATOR), signed_in(Role.ADMIN)
    alice = make_maker()
    flags = {"is_superuser": "on", "is_staff": "on", "is_moderator": "on", "suspended": "out"}
    form = {"gold": "on", "username": "eve", "email": "eve@example.com", **flags}
    for client in (moderator, admin):
        assert client.post(page_of(alice), form).status_code == 302
        alice.refresh_from_db()
        assert (alice.gold, alice.username, alice.email) == (True, "alice", "alice@example.com")
        assert (role_of(alice), alice.is_moderator, alice.is_active, alice.suspended) == (Role.NONE, False, True, "")


def test_a_helper_looks_and_changes_no_badge() -> None:
    helper, alice = signed_in(Role.HELPER), make_maker()
    assert helper.get(page_of(alice)).status_code == 200
    assert helper.post(page_of(alice), {"gold": "on"}).status_code == 403


def test_an_admin_sets_a_role_and_closes_and_opens_an_account() -> None:
    admin, bob = signed_in(Role.ADMIN), caller("bob")
    assert act(admin, bob.maker, "role", role=Role.MODERATOR.value) == "bob has the role moderator now."
    assert role_of(bob.maker) == Role.MODERATOR
    assert act(admin, bob.maker, "close", reason="left") == "The account of bob is closed now."
    assert bob.get("/tasks/").status_code == 401
    assert act(admin, bob.maker, "open") == "The account of bob is open now."
    assert bob.get("/tasks/").status_code == 200


# --- Tokens ---


def test_a_moderator_revokes_with_a_look_at_what_it_hits(mailoutbox: Any) -> None:
    moderator, alice = signed_in(Role.MODERATOR), caller()
    alice.get("/tasks/", REMOTE_ADDR="93.184.216.7")
    form = {"network": "93.184.216.0/24", "reason": "taken"}
    page = moderator.post(f"{TOKENS}revoke/", form)
    html = page.content.decode()
    assert "1 token of 1 maker" in html
    assert alice.maker.tokens.get().prefix in html
    assert alice.get("/tasks/").status_code == 200
    again = {**form, "previewed": page.context["form"]["previewed"].value()}
    other = {**again, "network": "93.184.0.0/16"}
    assert moderator.post(f"{TOKENS}revoke/", other).status_code == 200  # another selection is looked at first
    assert alice.get("/tasks/").status_code == 200
    done = moderator.post(f"{TOKENS}revoke/", again, follow=True)
    assert "Revoked 1. Told by mail: 1 owners" in done.content.decode()
    assert alice.get("/tasks/").status_code == 401
    run_jobs()
    assert "Why: taken." in mailoutbox[0].body


@pytest.mark.parametrize(
    "form",
    [
        {}, {"kinds": "login"}, {"user": "nobody"}, {"network": "home"}, {"token": "mkl_x"},
        {"issued_from": "2026-01-01"}, {"token": "\x00"}, {"user": "a\x00"},
    ],
)  # fmt: skip
def test_a_selection_that_is_none_is_said_on_the_page(form: dict[str, str]) -> None:
    alice = caller()
    page = signed_in(Role.MODERATOR).post(f"{TOKENS}revoke/", form)
    assert page.status_code == 200
    assert page.context["form"].errors
    assert alice.get("/tasks/").status_code == 200


@pytest.mark.parametrize("others", [{}, {"network": "home"}])
def test_a_token_given_as_its_whole_text_comes_back_as_its_prefix(others: dict[str, str]) -> None:
    alice = caller()
    page = signed_in(Role.MODERATOR).post(f"{TOKENS}revoke/", {"token": alice.token, **others}).content.decode()
    assert alice.token not in page
    assert f'value="{alice.maker.tokens.get().prefix}"' in page


def test_a_leaked_text_is_never_shown_again(caplog: pytest.LogCaptureFixture, mailoutbox: Any) -> None:
    moderator, alice, bob = signed_in(Role.MODERATOR), caller("alice"), caller("bob")
    accounts.revoke_token(token=bob.maker.tokens.get())
    text = f'{{"a": "{alice.token}", "b": "{bob.token}", "c": "private words"}}'
    page = moderator.post(f"{TOKENS}leaked/", {"text": text})
    html = page.content.decode()
    assert "1 token of 1 maker" in html
    assert "2 genuine in the text, 1 of which had ended before." in html
    assert alice.maker.tokens.get().prefix in html
    assert "no-store" in page["Cache-Control"]
    ids = re.search(r'name="ids" value="([^"]+)"', html)
    assert ids
    done = moderator.post(f"{TOKENS}leaked/", {"ids": ids[1], "reason": "a gist"}, follow=True)
    assert "Revoked 1." in done.content.decode()
    assert alice.get("/tasks/").status_code == 401
    run_jobs()
    assert "a text that holds it was handed to us: a gist" in mailoutbox[0].body
    noted = str(list(AuditEntry.objects.values()))
    for said in (html, done.content.decode(), caplog.text, noted, mailoutbox[0].body):
        assert alice.token not in said
        assert "private words" not in said


def test_a_list_of_ids_that_the_page_did_not_make_is_refused() -> None:
    alice = caller()
    forged = signed_in(Role.MODERATOR).post(f"{TOKENS}leaked/", {"ids": "WzFd:1abc:sig"})
    assert forged.status_code == 403
    assert alice.get("/tasks/").status_code == 200


def test_a_text_that_is_too_long_is_said_and_not_shown_again() -> None:
    page = signed_in(Role.MODERATOR).post(f"{TOKENS}leaked/", {"text": "word" * (MOST_BYTES // 4 + 1)})
    assert "at most 1,048,576 are read at once" in page.content.decode()
    assert "wordword" not in page.content.decode()


def test_a_helper_sees_tokens_and_may_not_revoke_them() -> None:
    helper = signed_in(Role.HELPER)
    caller()
    page = helper.get(TOKENS)
    assert (page.status_code, "Leaked text" in page.content.decode()) == (200, False)
    for name in ("revoke", "leaked"):
        assert helper.get(f"{TOKENS}{name}/").status_code == 403
    assert AccessToken.objects.filter(revoked_at=None).count() == 1


def test_the_page_takes_so_many_and_says_that_there_are_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moderation.people_admin.MOST", 1)
    alice = caller()
    accounts.create_token(maker=alice.maker)
    page = signed_in(Role.MODERATOR).post(f"{TOKENS}revoke/", {"user": "alice"})
    assert "There are more than one act takes" in page.content.decode()
