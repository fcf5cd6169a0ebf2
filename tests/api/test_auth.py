"""A credential is good, or it is a 401: on public reads too, never silently anonymous."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from makerlog.accounts.actions import create_token, revoke_token
from makerlog.accounts.models import AccessToken, Maker
from tests.errors import assert_error
from tests.makers import Caller, anonymous, caller, make_maker
from tests.tasks.logs import NOON

pytestmark = pytest.mark.django_db

PATHS = ["/tasks/", "/users/", "/tasks/me/", "/products/"]


def ask(credential: str, path: str = "/tasks/me/") -> Any:
    return anonymous().get(path, HTTP_AUTHORIZATION=credential)


@pytest.mark.parametrize("scheme", ["Token", "Bearer", "token", "BEARER", "tOkEn"])
def test_both_schemes_work_in_any_case(scheme: str) -> None:
    client = caller()
    assert ask(f"{scheme} {client.token}").status_code == 200
    assert ask(f"{scheme}   {client.token}  ").status_code == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "credential",
    [
        "Token x", "Token", "Bearer", "Token ", "Basic YTpi", "Digest x", "nonsense", "Token null", "Token undefined",
        "Bearer [object Object]", "Token \xff\xfe", "\xff", "Token\tx", "Token a b", "Token " + "x" * 10_000,
        "Token mkl_00000000000_" + "0" * 45, "Token mkl_" + "z" * 11 + "_" + "z" * 45,
    ],
)  # fmt: skip
def test_a_credential_that_is_none_is_a_401_everywhere(credential: str, path: str) -> None:
    response = ask(credential, path)
    assert_error(response, 401, "bad_credential")
    assert response["WWW-Authenticate"] == "Token"


def test_a_token_with_one_letter_changed_is_none() -> None:
    token = caller().token
    for where in range(len(token)):
        other = "A" if token[where] != "A" else "B"
        assert ask(f"Token {token[:where]}{other}{token[where + 1 :]}").status_code == 401
        assert ask(f"Token {token[:where]}").status_code == 401


def test_a_token_we_made_that_nobody_has_is_none() -> None:
    client = caller()
    AccessToken.objects.all().delete()
    assert_error(ask(f"Token {client.token}"), 401, "token_revoked")


def test_a_revoked_token_is_refused_on_public_reads_too() -> None:
    client = caller()
    revoke_token(token=AccessToken.objects.get())
    for path in PATHS:
        assert_error(client.get(path), 401, "token_revoked")


def test_a_token_ends_at_its_second() -> None:
    maker = make_maker()
    with time_machine.travel(NOON, tick=False):
        _, text = create_token(maker=maker, expires_at=NOON + timedelta(hours=1))
    with time_machine.travel(NOON + timedelta(minutes=59, seconds=59), tick=False):
        assert ask(f"Token {text}").status_code == 200
    with time_machine.travel(NOON + timedelta(hours=1), tick=False):
        assert_error(ask(f"Token {text}"), 401, "token_expired")


def test_the_token_of_a_closed_account_is_refused() -> None:
    client = caller()
    Maker.objects.update(is_active=False)
    assert_error(client.get("/tasks/"), 401, "account_closed")


def test_a_token_in_the_address_or_in_a_cookie_is_no_credential() -> None:
    client = caller()
    assert_error(
        anonymous().get(f"/tasks/me/?token={client.token}&access_token={client.token}"), 401, "not_authenticated"
    )
    other = Caller()
    other.cookies["token"] = client.token
    assert_error(other.get("/tasks/me/"), 401, "not_authenticated")


def test_a_session_is_no_credential() -> None:
    maker = make_maker(is_staff=True, is_superuser=True)
    client = Caller(enforce_csrf_checks=True)
    client.force_login(maker)
    assert_error(client.get("/tasks/me/"), 401, "not_authenticated")
    assert_error(client.post("/tasks/", {"content": "x"}), 401, "not_authenticated")


def test_last_use_is_noted_at_most_once_a_minute(django_assert_num_queries: Any) -> None:
    client = caller()
    with time_machine.travel(NOON, tick=False):
        client.get("/tasks/")
    with time_machine.travel(NOON + timedelta(seconds=59), tick=False):
        client.get("/tasks/")
    assert AccessToken.objects.get().last_used_at == NOON
    with time_machine.travel(NOON + timedelta(seconds=61), tick=False):
        client.get("/tasks/")
    assert AccessToken.objects.get().last_used_at == NOON + timedelta(seconds=61)
    assert timezone.now() > NOON
