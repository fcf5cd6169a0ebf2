"""Every error can be told by its code alone, and the table of codes is whole."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from makerlog.accounts.models import Maker
from makerlog.api import idempotency
from makerlog.api.exceptions import ConflictForNow
from makerlog.gate.codes import CODES
from tests.api.codes import codes_in_source, codes_of_library
from tests.errors import assert_error, assert_rejected
from tests.makers import anonymous, caller, make_maker

PASSWORD = "correct horse"


def test_every_code_in_the_source_is_in_the_table() -> None:
    missing = {code: files for code, files in codes_in_source().items() if code not in CODES}
    assert missing == {}, "add each to makerlog/gate/codes.py, with its status and what it means"
    assert codes_of_library() <= set(CODES)


def test_every_code_in_the_table_is_used() -> None:
    assert set(CODES) - set(codes_in_source()) - codes_of_library() == set()


@pytest.mark.django_db
def test_the_description_of_the_api_has_the_table() -> None:
    description = anonymous().get("/schema/").json()["info"]["description"]
    assert [code for code in CODES if f"| `{code}` |" not in description] == []


@pytest.fixture
def alice() -> Maker:
    maker = make_maker("alice")
    maker.set_password(PASSWORD)
    maker.save()
    return maker


def log_in(password: str = PASSWORD, **headers: str) -> Any:
    return anonymous().post("/api-token-auth/", {"username": "alice", "password": password}, **headers)


@pytest.mark.django_db
def test_why_a_log_in_failed_is_told_by_its_code(alice: Maker) -> None:
    assert_rejected(log_in("another"), "wrong_password")
    assert_rejected(anonymous().post("/api-token-auth/", {"username": "nobody", "password": "x"}), "wrong_password")
    Maker.objects.update(is_active=False, awaiting_activation=True)
    assert_rejected(log_in(), "not_activated")
    assert_rejected(log_in("another"), "wrong_password")
    Maker.objects.update(awaiting_activation=False)
    assert_rejected(log_in(), "account_closed")
    Maker.objects.update(is_active=True, suspended=Maker.Suspension.OUT)
    assert_rejected(log_in(), "suspended")


@pytest.mark.django_db
def test_a_problem_has_the_same_code(alice: Maker) -> None:
    problem = log_in("another", HTTP_ACCEPT="application/problem+json").json()
    assert (problem["code"], problem["status"]) == ("wrong_password", 400)
    assert problem["errors"] == {"non_field_errors": ["Unable to log in with these credentials."]}


@pytest.mark.django_db
def test_a_token_that_was_revoked_is_told_from_one_that_expired() -> None:
    revoked, expired = caller("alice"), caller("bob")
    revoked.maker.tokens.update(revoked_at=timezone.now())
    expired.maker.tokens.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert_error(revoked.get("/me/"), 401, "token_revoked")
    assert_error(expired.get("/me/"), 401, "token_expired")
    revoked.maker.tokens.all().delete()
    assert_error(revoked.get("/me/"), 401, "token_revoked")


@pytest.mark.django_db
def test_a_conflict_that_may_be_repeated_says_when(monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(identity: Any) -> None:
        raise ConflictForNow("The first request with this Idempotency-Key is still running.", "idempotency_key_in_use")

    client = caller()
    client.post("/tasks/", {"content": "x"}, HTTP_IDEMPOTENCY_KEY="k")
    reused = client.post("/tasks/", {"content": "y"}, HTTP_IDEMPOTENCY_KEY="k")
    assert_error(reused, 409, "idempotency_key_reused")
    assert "Retry-After" not in reused
    monkeypatch.setattr(idempotency, "take_turn", taken)
    in_use = client.post("/tasks/", {"content": "x"}, HTTP_IDEMPOTENCY_KEY="k")
    assert_error(in_use, 409, "idempotency_key_in_use")
    assert int(in_use["Retry-After"]) >= 1
