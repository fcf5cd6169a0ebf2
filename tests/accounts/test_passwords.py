"""POST /accounts/forgot/, POST /accounts/reset/, PUT POST /accounts/change_password/"""

import hashlib
import re
from datetime import timedelta
from typing import Any

import orjson
import pytest
import time_machine
from django.utils import timezone

from makerlog.accounts.actions import log_in
from makerlog.accounts.models import Maker
from makerlog.api.models import IdempotencyKey
from tests.errors import assert_error, assert_invalid
from tests.makers import Caller, anonymous, caller, make_maker

pytestmark = pytest.mark.django_db

OLD, NEW = "correct horse", "battery staple"


@pytest.fixture
def alice() -> Maker:
    maker = make_maker("alice")
    maker.set_password(OLD)
    maker.save()
    return maker


@pytest.fixture
def forgot(committed: Any, mailoutbox: Any) -> Any:
    """Asks for a new password; the two parts of the mailed link, if one was mailed."""

    def asked(email: str = "alice@example.com") -> Any:
        with committed():
            response = anonymous().post("/accounts/forgot/", {"email": email})
        assert (response.status_code, response.json()) == (200, {"success": True})
        if not mailoutbox:
            return None
        link = next(line for line in mailoutbox[-1].body.splitlines() if line.startswith("http"))
        *_, uidb64, token, _ = link.split("/")
        return {"uidb64": uidb64, "token": token}

    return asked


def reset(parts: Any, **values: Any) -> Any:
    sent = {**parts, "password": NEW, "repeat_password": NEW, **values}
    return anonymous().post("/accounts/reset/", sent)


def logged_in(maker: Maker) -> Caller:
    client = anonymous()
    client.credentials(HTTP_AUTHORIZATION=f"Token {log_in(maker=maker)}")
    return client


def test_a_forgotten_password_is_set_anew_and_ends_all_log_ins_and_tokens(alice: Maker, forgot: Any) -> None:
    app, personal = logged_in(alice), caller("alice")
    response = reset(forgot("ALICE@example.com"))
    assert (response.status_code, response.json()) == (200, {"success": True})
    alice.refresh_from_db()
    assert alice.check_password(NEW)
    assert_error(app.get("/me/"), 401, "token_revoked")
    assert_error(personal.get("/me/"), 401, "token_revoked")


def test_a_link_works_once(alice: Maker, forgot: Any) -> None:
    parts = forgot()
    reset(parts)
    assert_error(reset(parts), 400, "bad_link")


def test_a_link_ends_after_three_days(alice: Maker, forgot: Any) -> None:
    parts = forgot()
    with time_machine.travel(timezone.now() + timedelta(days=3, minutes=1)):
        assert_error(reset(parts), 400, "bad_link")


def test_a_link_ends_with_the_address_it_was_mailed_to(alice: Maker, forgot: Any) -> None:
    parts = forgot()
    Maker.objects.update(email="new@example.com")
    assert_error(reset(parts), 400, "bad_link")


def test_a_weak_password_does_not_use_the_link_up(alice: Maker, forgot: Any) -> None:
    parts = forgot()
    assert_invalid(reset(parts, password="short", repeat_password="short"), "password")
    assert_invalid(reset(parts, repeat_password="another"), "repeat_password")
    assert reset(parts).status_code == 200


def test_the_link_itself_says_what_to_post(alice: Maker, forgot: Any) -> None:
    parts = forgot()
    path = f"/accounts/reset/{parts['uidb64']}/{parts['token']}/"
    response = anonymous().get(path)
    assert {name: response.json()[name] for name in parts} == parts
    reset(parts)
    assert_error(anonymous().get(path), 400, "bad_link")


@pytest.mark.parametrize("uid", ["MQ", "!!", "x", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5"])
def test_a_made_up_link_is_a_400(alice: Maker, uid: str) -> None:
    assert_error(reset({"uidb64": uid, "token": "a-b"}), 400, "bad_link")
    assert_invalid(reset({"uidb64": "M\x00", "token": "a-b"}), "uidb64")


def test_an_address_nobody_has_is_told_nothing(forgot: Any) -> None:
    assert forgot("nobody@example.com") is None


def test_a_closed_account_is_mailed_nothing(alice: Maker, forgot: Any) -> None:
    Maker.objects.update(is_active=False)
    assert forgot() is None


def test_a_link_opens_no_account_that_was_closed(alice: Maker, forgot: Any) -> None:
    parts = forgot()
    Maker.objects.update(is_active=False)
    assert_error(reset(parts), 400, "bad_link")


def test_who_never_activated_is_mailed_that_link_again(alice: Maker, forgot: Any, mailoutbox: Any) -> None:
    Maker.objects.update(is_active=False, awaiting_activation=True)
    forgot()
    assert mailoutbox[0].subject == "Makerlog: Activate your account"


def test_no_address_is_a_400() -> None:
    assert_invalid(anonymous().post("/accounts/forgot/", {"email": "nothing"}), "email")


# --- change_password ---


def change(client: Caller, method: str = "put", **values: Any) -> Any:
    return getattr(client, method)("/accounts/change_password/", {"old_password": OLD, "new_password": NEW, **values})


@pytest.mark.parametrize("method", ["put", "post"])
def test_a_password_is_changed_and_the_other_log_ins_end(alice: Maker, method: str) -> None:
    here, there, personal = logged_in(alice), logged_in(alice), caller("alice")
    response = change(here, method)
    assert (response.status_code, response.json()) == (200, {"success": True})
    assert [client.get("/me/").status_code for client in (here, there, personal)] == [200, 401, 200]
    alice.refresh_from_db()
    assert alice.check_password(NEW)


def test_a_wrong_old_password_changes_nothing(alice: Maker) -> None:
    there = logged_in(alice)
    assert_invalid(change(logged_in(alice), old_password="wrong"), "old_password")
    assert there.get("/me/").status_code == 200


@pytest.mark.parametrize("password", ["short", "password", "alice@example.com", "", None])
def test_a_weak_new_password_is_a_400(alice: Maker, password: Any) -> None:
    assert_invalid(change(logged_in(alice), new_password=password), "new_password")


def test_somebody_elses_password_does_not_do(alice: Maker) -> None:
    assert_invalid(change(caller("bob")), "old_password")


def test_changing_a_password_needs_a_token_that_may(alice: Maker) -> None:
    assert_error(change(anonymous()), 401, "not_authenticated")
    assert_error(change(caller("alice", scopes=["tasks:write"])), 403, "missing_scope")


def test_no_plain_hash_of_a_password_is_kept_with_an_idempotency_key(alice: Maker) -> None:
    sent = {"old_password": OLD, "new_password": NEW}
    caller("alice").post("/accounts/change_password/", sent, HTTP_IDEMPOTENCY_KEY="k")
    plain = hashlib.blake2b(orjson.dumps(sent, option=orjson.OPT_SORT_KEYS), digest_size=32).hexdigest()
    assert IdempotencyKey.objects.get().fingerprint != plain


def test_an_address_is_looked_up_in_its_index(alice: Maker) -> None:
    """Anybody may ask, so it must not cost a walk over all makers."""
    plan = Maker.objects.mailed_at("ALICE@example.com").explain()
    indexes = {"one_maker_per_mailbox", "one_maker_per_email", "one_registration_per_mailbox"}
    assert indexes <= set(re.findall(r"\w+", plan)), plan
    assert Maker.objects.at("ALICE@example.com").get() == alice
    assert not Maker.objects.at("").exists()
