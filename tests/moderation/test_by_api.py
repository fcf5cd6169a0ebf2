"""Moderating by token: it takes the second factor, and every act is in the audit log."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from discussions.models import Discussion, Reply
from makerlog.accounts.models import AccessToken, Maker
from moderation import actions
from moderation.by_api import VERIFIED_FOR
from moderation.models import AuditEntry, SignInFailure
from tests.discussions.talks import make_discussion, make_reply
from tests.errors import assert_error
from tests.makers import Caller, caller, just_logged_in, make_maker, moderator
from tests.moderation.test_second_factor import PASSWORD, code_of, enrolled, staff

pytestmark = pytest.mark.django_db

TALK = "/discussions/bees/"


@pytest.fixture
def bees() -> Discussion:
    return make_discussion(make_maker("alice"))


def logged_in(name: str, **values: Any) -> Any:
    return Caller().post("/api-token-auth/", {"username": name, "password": PASSWORD, **values})


def client_of(response: Any) -> Caller:
    client = Caller()
    client.credentials(HTTP_AUTHORIZATION=f"Token {response.json()['token']}")
    return client


def noted() -> list[tuple[str, str]]:
    return list(AuditEntry.objects.filter(act__startswith="post.").order_by("pk").values_list("act", "subject"))


@pytest.mark.parametrize("act", [{"hidden": True}, {"locked": True}, {"pinned": True}])
def test_a_moderator_s_token_without_the_second_factor_moderates_nothing(bees: Discussion, act: Any) -> None:
    mo = staff("mo", is_moderator=True)
    enrolled(mo)
    for client in (just_logged_in("mo"), caller("mo"), client_of(logged_in("mo"))):
        assert_error(client.patch(TALK, act), 403, "second_factor_required")
        assert_error(client.post("/discussions/", {"title": "New", **act}), 403, "second_factor_required")
    reply = make_reply(bees, bees.author)
    assert_error(
        just_logged_in("mo").patch(f"{TALK}replies/{reply.pk}/", {"hidden": True}), 403, "second_factor_required"
    )
    assert not Reply.objects.filter(hidden=True).exists()
    assert Discussion.objects.filter(hidden=False, locked=False, pinned=False).count() == 1
    assert noted() == []


def test_staff_without_a_device_are_told_to_set_one_up(bees: Discussion) -> None:
    client = moderator(second_factor=False)
    body = assert_error(client.patch(TALK, {"pinned": True}), 403, "no_second_factor")
    assert "/admin/login/second-factor/" in body["detail"]
    staff("mo", is_moderator=True)
    assert_error(logged_in("mo", otp="123456"), 403, "no_second_factor")


@pytest.mark.parametrize("flags", [{"is_moderator": True}, {"is_superuser": True}])
def test_a_log_in_with_a_code_moderates_and_each_act_is_noted(bees: Discussion, flags: Any) -> None:
    mo = staff("mo", **flags)
    key, _ = enrolled(mo)
    client = client_of(logged_in("mo", otp=code_of(key)))
    assert client.get("/tokens/current/").json()["second_factor"] is True
    reply = make_reply(bees, bees.author)
    for values in ({"hidden": True}, {"hidden": True}, {"hidden": False}, {"locked": True, "pinned": True}):
        assert client.patch(TALK, values).status_code == 200
    assert client.patch(f"{TALK}replies/{reply.pk}/", {"hidden": True}).status_code == 200
    subject = f"discussion:{bees.pk}"
    assert sorted(noted()) == sorted(
        [
            ("post.hide", subject),
            ("post.show", subject),
            ("post.lock", subject),
            ("post.pin", subject),
            ("post.hide", f"reply:{reply.pk}"),
        ]
    )
    assert set(AuditEntry.objects.filter(act__startswith="post.").values_list("actor_id", flat=True)) == {mo.pk}
    assert AuditEntry.objects.get(act="sign_in.api").details == {"second_factor": "totp"}


def test_a_code_works_once_and_a_wrong_one_is_counted_whatever_key_is_sent_along() -> None:
    mo = staff("mo", is_moderator=True)
    key, recovery = enrolled(mo)
    code = code_of(key)
    assert logged_in("mo", otp=code).status_code == 200
    assert_error(logged_in("mo", otp=code), 403, "wrong_otp")
    body = {"username": "mo", "password": PASSWORD, "otp": "000000"}
    assert_error(caller("bob").post("/api-token-auth/", body, HTTP_IDEMPOTENCY_KEY="k"), 403, "wrong_otp")
    assert SignInFailure.objects.get(maker=mo).count == 2
    assert logged_in("mo", otp=recovery[0]).status_code == 200
    assert AccessToken.objects.filter(maker=mo, second_factor=True).count() == 2


def test_no_code_is_looked_at_before_the_password_is_right() -> None:
    mo = staff("mo", is_moderator=True)
    key, _ = enrolled(mo)
    body = {"username": "mo", "password": "a guess", "otp": code_of(key)}
    assert Caller().post("/api-token-auth/", body).status_code == 400
    assert logged_in("mo", otp=code_of(key)).status_code == 200


def test_the_factor_wears_off_and_goes_with_the_device(bees: Discussion) -> None:
    first, second = moderator("mo"), moderator("nora")
    made = timezone.now() - VERIFIED_FOR - timedelta(seconds=1)
    AccessToken.objects.filter(maker=first.maker).update(created_at=made)
    assert_error(first.patch(TALK, {"pinned": True}), 403, "no_second_factor")
    enrolled(second.maker)
    assert second.patch(TALK, {"pinned": True}).status_code == 200
    actions.reset_second_factor(maker=second.maker)
    assert_error(second.patch(TALK, {"pinned": False}), 401, "token_revoked")


def test_what_such_a_token_makes_has_no_factor(bees: Discussion) -> None:
    made = client_of(moderator().post("/tokens/", {"name": "app"}))
    assert_error(made.patch(TALK, {"pinned": True}), 403, "no_second_factor")


def test_helpers_and_makers_whose_flag_was_left_moderate_nothing(bees: Discussion) -> None:
    helper, left = moderator("helga", is_moderator=False), moderator("lena", is_staff=False)
    assert_error(helper.patch(TALK, {"pinned": True}), 403, "not_yours")
    assert_error(left.patch(TALK, {"pinned": True}), 403, "not_moderator")
    assert noted() == []


def test_what_is_a_moderator_s_own_takes_no_code() -> None:
    client = moderator(second_factor=False)
    slug = client.post("/discussions/", {"title": "Mine", "pinned": False}).json()["slug"]
    whole = {**client.get(f"/discussions/{slug}/").json(), "title": "Mine, changed"}
    assert client.patch(f"/discussions/{slug}/", whole, format="json").json()["title"] == "Mine, changed"
    assert noted() == []


def test_a_moderator_who_may_only_read_moderates_nothing(bees: Discussion) -> None:
    client = moderator()
    Maker.objects.filter(pk=client.maker.pk).update(suspended=Maker.Suspension.READ_ONLY)
    assert_error(client.patch(TALK, {"pinned": True}), 403, "suspended")
