"""POST /api-token-auth/"""

from typing import Any

import pytest

from makerlog.accounts.hashing import SlottedPBKDF2PasswordHasher
from makerlog.accounts.models import AccessToken, Maker
from tests.errors import assert_error, assert_invalid, assert_rejected
from tests.makers import anonymous, caller, make_maker

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse"
WRONG = "Unable to log in with these credentials."


@pytest.fixture
def alice() -> Maker:
    maker = make_maker("Alice")
    maker.set_password(PASSWORD)
    maker.save()
    return maker


def log_in(username: str = "Alice", password: str = PASSWORD, **options: Any) -> Any:
    return anonymous().post("/api-token-auth/", {"username": username, "password": password}, **options)


def works(token: str) -> bool:
    client = anonymous()
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    return bool(client.get("/me/").status_code == 200)


@pytest.mark.usefixtures("alice")
@pytest.mark.parametrize("name", ["Alice", "alice", "ALICE@example.com"])
def test_username_and_address_both_log_in_whatever_their_case(name: str) -> None:
    response = log_in(name)
    assert response.status_code == 200
    assert set(response.json()) == {"token"}
    assert works(response.json()["token"])


@pytest.mark.usefixtures("alice")
@pytest.mark.parametrize("kind", ["json", "multipart"])
def test_json_and_forms_are_taken(kind: str) -> None:
    assert log_in(format=kind).status_code == 200


@pytest.mark.usefixtures("alice")
def test_an_urlencoded_form_without_the_slash_is_taken() -> None:
    body = "username=alice&password=correct+horse"
    response = anonymous().post("/api-token-auth", body, content_type="application/x-www-form-urlencoded")
    assert response.status_code == 200


@pytest.mark.usefixtures("alice")
def test_no_cache_keeps_the_answer() -> None:
    assert log_in()["Cache-Control"] == "no-store"


@pytest.mark.usefixtures("alice")
@pytest.mark.parametrize(("name", "password"), [("alice", "wrong"), ("nobody", PASSWORD), ("no@body.com", PASSWORD)])
def test_a_wrong_password_and_an_unknown_name_are_told_the_same(name: str, password: str) -> None:
    assert assert_rejected(log_in(name, password), "wrong_password") == WRONG


@pytest.mark.usefixtures("alice")
@pytest.mark.parametrize("name", ["alice", "nobody", "nobody@example.com"])
def test_every_attempt_costs_one_hash(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = []
    encode = SlottedPBKDF2PasswordHasher.encode

    def counted(self: Any, *args: Any) -> str:
        hashes.append(args)
        return encode(self, *args)

    monkeypatch.setattr(SlottedPBKDF2PasswordHasher, "encode", counted)
    log_in(name, "wrong")
    assert len(hashes) == 1


def test_an_account_not_activated_is_told_so(alice: Maker) -> None:
    Maker.objects.update(is_active=False, awaiting_activation=True)
    expected = "This account is not active yet: open the link in the e-mail we sent you."
    assert assert_rejected(log_in(), "not_activated") == expected


def test_a_closed_account_is_told_so(alice: Maker) -> None:
    Maker.objects.update(is_active=False)
    assert assert_rejected(log_in(), "account_closed") == "This account is closed."


def test_who_does_not_know_the_password_is_not_told_that_an_account_is_closed(alice: Maker) -> None:
    Maker.objects.update(is_active=False)
    assert assert_rejected(log_in(password="wrong"), "wrong_password") == WRONG


def test_an_account_without_a_password_cannot_log_in(alice: Maker) -> None:
    alice.set_unusable_password()
    alice.save()
    assert_rejected(log_in(password=alice.password), "wrong_password")


def test_both_fields_are_needed() -> None:
    assert_invalid(anonymous().post("/api-token-auth/", {}), "username", "password")


@pytest.mark.parametrize("name", ["a\x00b", "\x00@example.com"])
def test_a_name_that_the_database_cannot_hold_is_a_400(name: str) -> None:
    assert_invalid(log_in(name), "username")


def test_a_bad_token_in_the_header_is_a_401(alice: Maker) -> None:
    client = anonymous()
    client.credentials(HTTP_AUTHORIZATION="Token made-up")
    response = client.post("/api-token-auth/", {"username": "alice", "password": PASSWORD})
    assert_error(response, 401, "bad_credential")


def test_a_good_token_in_the_header_makes_no_difference(alice: Maker) -> None:
    response = caller("bob").post("/api-token-auth/", {"username": "alice", "password": PASSWORD})
    assert AccessToken.objects.get(kind="login").maker == alice
    assert response.status_code == 200


def test_the_newest_log_ins_stay_and_the_oldest_go(alice: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AccessToken, "MAX_LOGINS", 2)
    first, second, third = (log_in().json()["token"] for _ in range(3))
    assert [works(first), works(second), works(third)] == [False, True, True]
