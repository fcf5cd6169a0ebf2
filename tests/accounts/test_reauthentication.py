"""What could take an account from its owner asks again who is there: a log-in of the last hour, or the password."""

from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from django.contrib.auth.hashers import make_password
from django.utils import timezone

from makerlog.accounts.models import AccessToken, Maker
from makerlog.accounts.scopes import SCOPES
from tests.errors import assert_error
from tests.makers import Caller, caller, just_logged_in, make_maker

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse"


class Operation(NamedTuple):
    method: str
    path: str
    body: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


OPERATIONS = [
    Operation("post", "/tokens/", {"name": "x"}),
    Operation("delete", "/tokens/$token/", {}),
    Operation("post", "/accounts/change_username/", {"username": "renamed"}),
    Operation("post", "/accounts/delete_account/", {"validation": "alice"}),
    Operation("patch", "/me/privileged/", {"email": "new@example.com"}),
    Operation("post", "/me/export_data/", {}),
]
each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=str)


@pytest.fixture(autouse=True)
def alice() -> Maker:
    return make_maker("alice", password=make_password(PASSWORD))


def asked(client: Caller, operation: Operation, **values: Any) -> Any:
    other = caller("alice").maker.tokens.latest("pk").pk
    path = operation.path.replace("$token", str(other))
    return getattr(client, operation.method)(path, {**operation.body, **values})


def accounts() -> tuple[list[Any], int]:
    rows = Maker.objects.order_by("pk").values_list("username", "email")
    return list(rows), AccessToken.objects.filter(revoked_at=None).count()


@each_operation
def test_a_token_with_every_scope_does_not_take_the_account(operation: Operation) -> None:
    app = caller("alice", scopes=list(SCOPES))
    caller("alice")
    before = accounts()
    response = asked(app, operation)
    assert_error(response, 403, "reauthentication_required")
    assert "`password`" in response.json()["detail"]
    assert accounts() == (before[0], before[1] + 1)  # one more was made to be aimed at


@each_operation
def test_the_password_in_the_body_will_do(operation: Operation) -> None:
    assert asked(caller("alice"), operation, password=PASSWORD).status_code in (200, 201, 202, 204)


@each_operation
def test_a_wrong_password_is_told_by_its_code(operation: Operation) -> None:
    assert_error(asked(caller("alice"), operation, password="a guess"), 403, "wrong_password")
    assert_error(asked(caller("alice"), operation, password=""), 403, "reauthentication_required")


@each_operation
def test_a_log_in_of_the_last_hour_will_do_as_old_apps_have_it(operation: Operation) -> None:
    assert asked(just_logged_in("alice"), operation).status_code in (200, 201, 202, 204)


@each_operation
def test_a_log_in_of_yesterday_is_not_enough(operation: Operation) -> None:
    app = just_logged_in("alice")
    AccessToken.objects.update(created_at=timezone.now() - timedelta(hours=1, seconds=1))
    assert_error(asked(app, operation), 403, "reauthentication_required")
    assert asked(app, operation, password=PASSWORD).status_code in (200, 201, 202, 204)


def test_what_one_says_of_oneself_asks_nobody_again() -> None:
    app = caller("alice")
    assert app.patch("/me/privileged/", {"status": "making", "email": "alice@example.com"}).status_code == 200
    assert app.post("/me/set_timezone/", {"timezone": "Asia/Tokyo"}).status_code == 200


def test_an_export_is_read_by_a_log_in_of_the_last_hour_alone() -> None:
    assert_error(caller("alice").get("/me/export_data/"), 403, "reauthentication_required")
    assert just_logged_in("alice").get("/me/export_data/").status_code == 202


def test_guesses_at_a_password_are_charged_as_log_ins_are() -> None:
    app = caller("alice")
    guesses = [asked(app, OPERATIONS[0], password=f"guess {number}") for number in range(11)]
    assert [each.status_code for each in guesses] == [403] * 10 + [429]
    assert '"log-in";r=29' in guesses[0]["RateLimit"]


def test_one_app_s_guesses_do_not_keep_the_owner_out() -> None:
    app, owner = caller("alice"), just_logged_in("alice")
    for number in range(11):
        asked(app, OPERATIONS[0], password=f"guess {number}")
    assert asked(owner, OPERATIONS[0]).status_code == 201


def test_old_password_guesses_are_charged_as_log_ins_too() -> None:
    sent = {"old_password": "a guess", "new_password": "battery staple"}
    response = caller("alice").put("/accounts/change_password/", sent)
    assert '"log-in";r=29' in response["RateLimit"]


def test_logging_out_ends_this_log_in_and_no_other() -> None:
    app, elsewhere = just_logged_in("alice"), just_logged_in("alice")
    response = app.delete("/api-token-auth/")
    assert (response.status_code, response.content) == (204, b"")
    assert_error(app.get("/me/"), 401, "token_revoked")
    assert elsewhere.get("/me/").status_code == 200
    assert '"log-in"' not in response["RateLimit"]


def test_logging_out_takes_no_personal_token_from_the_programs_that_share_it() -> None:
    app = caller("alice")
    assert_error(app.delete("/api-token-auth/"), 403, "not_a_login")
    assert app.get("/me/").status_code == 200
    assert_error(Caller().delete("/api-token-auth/"), 401, "not_authenticated")


def test_whoever_may_only_read_may_still_log_out() -> None:
    app = just_logged_in("alice")
    Maker.objects.update(suspended=Maker.Suspension.READ_ONLY)
    assert app.delete("/api-token-auth/").status_code == 204
