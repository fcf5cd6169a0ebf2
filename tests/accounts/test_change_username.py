"""GET POST /accounts/change_username/"""

from typing import Any

import pytest

from makerlog.accounts.models import Maker
from tests.errors import assert_error, assert_invalid
from tests.makers import anonymous, caller, just_logged_in, make_maker

pytestmark = pytest.mark.django_db

PATH = "/accounts/change_username/"


def test_a_free_name_is_available_and_can_be_had() -> None:
    alice = just_logged_in()
    assert alice.get(f"{PATH}?username=Alicia").json() == {"available": True}
    body = alice.post(PATH, {"username": "Alicia"}).json()
    assert (body["success"], body["username"], body["id"]) == (True, "Alicia", alice.maker.pk)
    assert anonymous().get("/users/alicia/").status_code == 200
    assert_error(anonymous().get("/users/alice/"), 404, "not_found")


def test_ones_own_name_in_other_letters_is_available() -> None:
    alice = just_logged_in()
    assert alice.get(f"{PATH}?username=ALICE").json() == {"available": True}
    assert alice.post(PATH, {"username": "ALICE"}).json()["username"] == "ALICE"


@pytest.mark.parametrize("name", ["bob", "BOB", "123", "me", "a b", "", "x" * 31])
def test_a_name_that_cannot_be_had_is_a_400(name: str) -> None:
    make_maker("bob")
    alice = caller()
    assert_invalid(alice.get(PATH, {"username": name}), "username")
    assert_invalid(alice.post(PATH, {"username": name}), "username")
    assert Maker.objects.filter(username="alice").exists()


def test_a_name_is_needed() -> None:
    assert_invalid(caller().get(PATH), "username")
    assert_invalid(caller().post(PATH), "username")


def test_a_name_taken_between_the_check_and_the_write_is_a_400(monkeypatch: pytest.MonkeyPatch) -> None:
    def check_late(self: Any, username: str) -> str:
        make_maker("bob")
        return username

    monkeypatch.setattr("makerlog.accounts.serializers.UsernameSerializer.validate_username", check_late)
    assert_invalid(just_logged_in().post(PATH, {"username": "Bob"}), "username")


@pytest.mark.parametrize("method", ["get", "post"])
def test_it_needs_a_token_that_may(method: str) -> None:
    assert_error(getattr(anonymous(), method)(PATH, {"username": "x1"}), 401, "not_authenticated")
    weak = caller(scopes=["tasks:write"])
    assert_error(getattr(weak, method)(PATH, {"username": "x1"}), 403, "missing_scope")
