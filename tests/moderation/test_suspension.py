"""Suspended makers: read-only, or out."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.contrib.auth.hashers import make_password
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from makerlog.accounts.links import reset_tokens, uid_of
from makerlog.accounts.models import AccessToken, Maker
from makerlog.changes.models import Change
from moderation import actions
from moderation.models import AuditEntry
from moderation.roles import NotAllowed, Role, role_of
from tests.errors import assert_error, assert_rejected
from tests.makers import anonymous, caller, make_maker
from tests.tasks.logs import NOON

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse 9"


def suspend(maker: Maker, kind: str = "read_only", **values: Any) -> Maker:
    return actions.suspend(maker=maker, kind=kind, **values)


# --- Read-only ---


def test_a_read_only_maker_reads_and_is_told_why_they_cannot_write(settings) -> None:
    alice = caller()
    until = timezone.now() + timedelta(hours=2)
    suspend(alice.maker, reason="forty posts a minute", expires_at=until)
    assert alice.get("/tasks/").status_code == 200
    assert alice.get("/me/").status_code == 200
    body = assert_error(alice.post("/tasks/", {"content": "x"}), 403, "suspended")
    assert body["detail"] == (
        f"This account may read but not write until {until.isoformat(timespec='seconds')}: forty posts a minute."
        f" If that is wrong, write to {settings.APPEAL_TO}."
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "/tasks/"), ("post", "/products/"), ("post", "/discussions/"), ("post", "/tokens/"), ("patch", "/me/"),
        ("get", "/users/bob/follow/"), ("get", "/users/bob/unfollow/"), ("put", "/users/bob/follow/"),
        ("post", "/accounts/delete_account/"), ("put", "/accounts/change_password/"), ("delete", "/tasks/1/"),
    ],
)  # fmt: skip
def test_a_read_only_maker_writes_nothing_also_not_by_a_get(method: str, path: str) -> None:
    make_maker("bob")
    alice = caller()
    suspend(alice.maker)
    assert_error(getattr(alice, method)(path), 403, "suspended")


def test_a_read_only_maker_may_log_in() -> None:
    suspend(make_maker(password=make_password(PASSWORD)))
    response = anonymous().post("/api-token-auth/", {"username": "alice", "password": PASSWORD})
    assert response.status_code == 200


# --- Out ---


@pytest.mark.parametrize("path", ["/tasks/", "/me/", "/users/", "/products/", "/tasks/sync/"])
def test_a_maker_who_is_out_gets_a_401_with_the_reason_everywhere(path: str) -> None:
    alice = caller()
    suspend(alice.maker, "out", reason="spam")
    body = assert_error(alice.get(path), 401, "suspended")
    assert body["detail"].startswith("This account is suspended: spam.")
    assert AccessToken.objects.get().last_used_at is None


def test_who_is_out_logs_in_no_more_and_only_who_knows_the_password_is_told() -> None:
    suspend(make_maker(password=make_password(PASSWORD)), "out", reason="spam")
    right = anonymous().post("/api-token-auth/", {"username": "alice", "password": PASSWORD})
    assert "suspended: spam" in assert_rejected(right, "suspended")
    wrong = anonymous().post("/api-token-auth/", {"username": "alice", "password": "wrong"})
    assert "suspended" not in assert_rejected(wrong, "wrong_password")
    assert not AccessToken.objects.exists()


def test_a_password_reset_is_no_way_back_in() -> None:
    alice = make_maker(password=make_password(PASSWORD))
    suspend(alice, "out")
    form = {"uidb64": uid_of(alice), "token": reset_tokens.make_token(alice)}
    passwords = {"password": "another horse 8", "repeat_password": "another horse 8"}
    response = anonymous().post("/accounts/reset/", {**form, **passwords})
    assert (response.status_code, response.json()) == (200, {"success": True})
    log_in = anonymous().post("/api-token-auth/", {"username": "alice", "password": "another horse 8"})
    assert_rejected(log_in, "suspended")


def test_what_they_posted_stays() -> None:
    alice = caller()
    task = alice.post("/tasks/", {"content": "before"}).json()["id"]
    suspend(alice.maker, "out")
    assert anonymous().get(f"/tasks/{task}/").status_code == 200
    assert anonymous().get("/users/alice/").status_code == 200


# --- The end of it ---


@pytest.mark.parametrize("kind", ["read_only", "out"])
def test_a_suspension_ends_at_its_second_without_any_clean_up(kind: str) -> None:
    alice = caller()
    suspend(alice.maker, kind, expires_at=NOON)
    with time_machine.travel(NOON - timedelta(seconds=1), tick=False):
        assert alice.post("/tasks/", {"content": "x"}).status_code in (401, 403)
    with time_machine.travel(NOON, tick=False):
        assert alice.post("/tasks/", {"content": "x"}).status_code == 201


def test_a_lifted_suspension_is_gone_and_the_next_one_takes_the_place_of_the_first() -> None:
    alice = caller()
    suspend(alice.maker, "out", reason="spam")
    suspend(alice.maker, "read_only")
    assert alice.get("/tasks/").status_code == 200
    actions.unsuspend(maker=alice.maker)
    assert alice.post("/tasks/", {"content": "x"}).status_code == 201
    assert Maker.objects.get().suspension_reason == ""


# --- Who may, and what is kept of it ---


def staff(name: str, role: Role) -> Maker:
    return actions.set_role(maker=make_maker(name), role=role)


def test_every_act_is_noted_by_id_and_announced() -> None:
    mo, alice = staff("mo", Role.MODERATOR), make_maker()
    suspend(alice, "out", actor=mo, reason="spam", expires_at=NOON)
    actions.unsuspend(maker=alice, actor=mo, reason="a mistake")
    actions.set_open(maker=alice, is_open=False, actor=mo)
    acts = (
        AuditEntry.objects.filter(subject=f"maker:{alice.pk}").order_by("id").values_list("act", "actor_id", "reason")
    )
    assert list(acts) == [("suspend", mo.pk, "spam"), ("unsuspend", mo.pk, "a mistake"), ("close", mo.pk, "")]
    assert AuditEntry.objects.get(act="suspend").details == {"kind": "out", "expires_at": NOON.isoformat()}
    assert Change.objects.filter(topic="maker", key=str(alice.pk)).count() == 3


@pytest.mark.parametrize(
    "act", [suspend, lambda maker, actor: actions.set_open(maker=maker, is_open=False, actor=actor)]
)
@pytest.mark.parametrize(
    ("actor", "maker", "allowed"),
    [
        (Role.NONE, Role.NONE, False),
        (Role.HELPER, Role.NONE, False),
        (Role.MODERATOR, Role.NONE, True),
        (Role.MODERATOR, Role.HELPER, False),
        (Role.MODERATOR, Role.MODERATOR, False),
        (Role.MODERATOR, Role.ADMIN, False),
        (Role.ADMIN, Role.MODERATOR, True),
        (Role.ADMIN, Role.ADMIN, True),
    ],
)
def test_staff_act_on_makers_and_only_admins_on_staff(act: Any, actor: Role, maker: Role, allowed: bool) -> None:
    one, other = staff("mo", actor), staff("alice", maker)
    staff("ada", Role.ADMIN)  # else an admin among these would be the last
    if allowed:
        act(other, actor=one)
    else:
        with pytest.raises(NotAllowed):
            act(other, actor=one)
        other.refresh_from_db()
        assert (other.suspended, other.is_active) == ("", True)


def test_nobody_suspends_themselves_or_lifts_it_or_changes_their_own_role() -> None:
    ada = staff("ada", Role.ADMIN)
    with pytest.raises(NotAllowed):
        suspend(ada, actor=ada)
    with pytest.raises(NotAllowed):
        actions.set_role(maker=ada, role=Role.NONE, actor=ada)
    staff("bea", Role.ADMIN)
    suspended = suspend(ada)
    with pytest.raises(NotAllowed):
        actions.unsuspend(maker=suspended, actor=suspended)


def test_only_an_admin_gives_roles_and_a_role_is_all_of_its_flags() -> None:
    mo, ada, bob = staff("mo", Role.MODERATOR), staff("ada", Role.ADMIN), make_maker("bob")
    with pytest.raises(NotAllowed):
        actions.set_role(maker=bob, role=Role.ADMIN, actor=mo)
    for role in Role:
        assert role_of(actions.set_role(maker=bob, role=role, actor=ada)) == role
        assert role_of(Maker.objects.get(username="bob")) == role
    assert AuditEntry.objects.filter(act="role", actor_id=ada.pk).count() == len(Role)


@pytest.mark.parametrize("kind", ["read_only", "out"])
def test_suspended_staff_have_no_admin_and_no_role(kind: str) -> None:
    mo = staff("mo", Role.ADMIN)
    staff("ada", Role.ADMIN)
    mo.password = make_password(PASSWORD)
    mo.save()
    inside = Client()
    inside.force_login(mo)
    assert inside.get("/admin/").status_code == 200
    mo = suspend(mo, kind)
    assert inside.get("/admin/").status_code == 302
    anew = Client().post("/admin/login/", {"username": "mo", "password": PASSWORD})
    assert (anew.status_code, anew.wsgi_request.user.is_authenticated) == (200, False)
    assert role_of(mo) == Role.NONE


def test_a_kind_that_there_is_not_is_an_error_of_the_caller() -> None:
    with pytest.raises(ValueError, match="read_only or out"):
        suspend(make_maker(), "forever")


# --- The commands ---


def run(*args: str) -> str:
    out = StringIO()
    call_command(*args, stdout=out)
    return out.getvalue()


def test_the_commands_suspend_for_a_while_and_lift() -> None:
    make_maker()
    with time_machine.travel(NOON, tick=False):
        said = run("suspend", "Alice", "--kind", "out", "--for", "2h", "--reason", "spam")
    alice = Maker.objects.get()
    assert (alice.suspended, alice.suspended_until) == ("out", NOON + timedelta(hours=2))
    assert said.startswith("alice is suspended. No mail went out; the API answers: This account is suspended until ")
    with time_machine.travel(NOON, tick=False):
        assert run("unsuspend", "alice") == "alice is no longer suspended.\n"
        assert run("unsuspend", "alice") == "alice was not suspended.\n"


@pytest.mark.parametrize(
    "args",
    [
        ("suspend", "nobody", "--for", "2h"),
        ("suspend", "alice"),
        ("suspend", "alice", "--for", "soon"),
        ("unsuspend", "nobody"),
    ],
)
def test_what_a_command_cannot_read_it_says(args: tuple[str, ...]) -> None:
    make_maker()
    with pytest.raises(CommandError, match=r"\.|required: --for"):
        run(*args)
