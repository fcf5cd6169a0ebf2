"""GET POST /tokens/, DELETE /tokens/{id}/, GET /tokens/current/"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.utils import timezone

from makerlog.accounts.actions import create_token
from makerlog.accounts.models import AccessToken
from makerlog.accounts.scopes import SCOPES, TOKENS
from tests.errors import assert_error, assert_invalid
from tests.makers import Caller, anonymous, caller, just_logged_in, make_maker

pytestmark = pytest.mark.django_db


PASSWORD = "correct horse"
FIELDS = set("id kind name prefix scopes created_at expires_at last_used_at second_factor".split())
HASHED = make_password(PASSWORD)


def caller_with(secret: str) -> Caller:
    client = Caller()
    client.credentials(HTTP_AUTHORIZATION=f"Token {secret}")
    return client


def ahead(**span: int) -> str:
    return (timezone.now() + timedelta(**span)).isoformat()


def test_a_new_token_is_shown_once_and_works() -> None:
    alice = just_logged_in()
    response = alice.post("/tokens/", {"name": "my app", "scopes": ["tasks:write"]})
    made = response.json()
    assert response.status_code == 201
    assert set(made) == {*FIELDS, "token"}
    assert (made["name"], made["scopes"], made["expires_at"]) == ("my app", ["tasks:write"], None)
    assert made["token"].startswith(made["prefix"])
    app = anonymous()
    app.credentials(HTTP_AUTHORIZATION=f"Bearer {made['token']}")
    assert app.post("/tasks/", {"content": "hello"}).status_code == 201
    assert_error(app.get("/me/"), 403, "missing_scope")


def test_the_list_holds_no_secret() -> None:
    alice = just_logged_in()
    secret = alice.post("/tokens/", {"name": "my app"}).json()["token"]
    response = alice.get("/tokens/")
    assert set(response.json()) == {"next", "previous", "results"}
    listed = [(token["kind"], token["name"]) for token in response.json()["results"]]
    assert listed == [("personal", "my app"), ("login", "log-in")]
    assert "token" not in response.json()["results"][0]
    assert secret.rsplit("_", 1)[1] not in response.content.decode()
    assert response["Cache-Control"] == "no-store"


def test_log_ins_are_in_the_list_and_tokens_of_others_are_not() -> None:
    alice, bob = just_logged_in(), caller("bob")
    personal, _ = create_token(maker=alice.maker)
    listed = [(token["id"], token["kind"]) for token in alice.get("/tokens/").json()["results"]]
    assert listed == [(personal.pk, "personal"), (alice.maker.tokens.get(kind="login").pk, "login")]
    assert bob.maker.tokens.get().pk not in dict(listed)


def test_a_log_in_elsewhere_is_ended_from_the_list() -> None:
    alice, elsewhere = just_logged_in(), just_logged_in()
    assert alice.delete(f"/tokens/{alice.maker.tokens.latest('pk').pk}/").status_code == 204
    assert_error(elsewhere.get("/me/"), 401, "token_revoked")
    assert alice.get("/me/").status_code == 200


def test_a_deleted_token_stops_working() -> None:
    alice = just_logged_in()
    made = alice.post("/tokens/", {"name": "gone soon"}).json()
    app = anonymous()
    app.credentials(HTTP_AUTHORIZATION=f"Token {made['token']}")
    assert app.get("/me/").status_code == 200
    assert alice.delete(f"/tokens/{made['id']}/").status_code == 204
    assert_error(app.get("/me/"), 401, "token_revoked")
    assert_error(alice.delete(f"/tokens/{made['id']}/"), 404, "not_found")


def test_a_token_of_somebody_else_is_a_404_and_stays() -> None:
    alice, bob = just_logged_in(), caller("bob")
    theirs = bob.maker.tokens.get()
    assert_error(alice.delete(f"/tokens/{theirs.pk}/"), 404, "not_found")
    assert bob.get("/me/").status_code == 200


@pytest.mark.parametrize("method", ["get", "post"])
def test_without_a_token_there_is_nothing(method: str) -> None:
    assert_error(getattr(anonymous(), method)("/tokens/"), 401, "not_authenticated")


def test_a_token_makes_none_with_scopes_it_lacks_the_password_or_not() -> None:
    weak = caller(scopes=["user:write", "tasks:read"], password=HASHED)
    sent = {"password": PASSWORD, "scopes": ["tasks:write"]}
    assert_error(weak.post("/tokens/", sent), 403, "missing_scope")
    sent = {"password": PASSWORD, "scopes": ["user:read", "tasks:read"]}
    assert weak.post("/tokens/", sent).status_code == 201


def test_a_token_that_names_no_scopes_gets_those_of_the_one_that_asks() -> None:
    weak = caller(scopes=["user:write", "tasks:read"], password=HASHED)
    assert weak.post("/tokens/", {"password": PASSWORD}).json()["scopes"] == ["user:write", "tasks:read"]
    assert just_logged_in("bob").post("/tokens/").json()["scopes"] == list(SCOPES)


def test_a_token_that_may_only_read_makes_none() -> None:
    assert_error(caller(scopes=["user:read"]).post("/tokens/"), 403, "missing_scope")


def test_a_token_makes_none_that_outlives_it() -> None:
    alice, expires_at = anonymous(), timezone.now() + timedelta(days=7)
    scopes = [*SCOPES, TOKENS]
    _, text = create_token(maker=make_maker(), scopes=scopes, expires_at=expires_at)
    alice.credentials(HTTP_AUTHORIZATION=f"Token {text}")
    assert_error(alice.post("/tokens/", {"expires_at": ahead(days=8)}), 403, "outlives_its_maker")
    assert alice.post("/tokens/", {"expires_at": ahead(days=6)}).status_code == 201
    inherited = alice.post("/tokens/").json()["expires_at"]
    assert inherited == f"{expires_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000000Z"


def test_an_app_that_must_manage_tokens_has_a_scope_for_it_alone() -> None:
    alice = just_logged_in()
    scopes = ["tokens", "tasks:read"]
    app = caller_with(alice.post("/tokens/", {"name": "manager", "scopes": scopes}).json()["token"])
    made = app.post("/tokens/", {"name": "made"}).json()
    assert made["scopes"] == ["tasks:read"]
    assert app.delete(f"/tokens/{made['id']}/").status_code == 204
    assert [token["name"] for token in app.get("/tokens/").json()["results"]] == ["manager", "log-in"]
    assert_error(app.post("/tokens/", {"scopes": ["tasks:write"]}), 403, "missing_scope")
    assert_error(app.get("/me/"), 403, "missing_scope")


def test_the_scope_tokens_is_given_only_where_it_is_named_and_by_who_may() -> None:
    alice = just_logged_in()
    assert TOKENS not in alice.post("/tokens/").json()["scopes"]
    personal = caller("bob", scopes=["user:write"], password=HASHED)
    sent = {"password": PASSWORD, "scopes": ["tokens"]}
    assert_error(personal.post("/tokens/", sent), 403, "missing_scope")


def test_a_token_ends_itself_without_a_password() -> None:
    alice = caller(scopes=["user:write"])
    assert alice.delete(f"/tokens/{alice.maker.tokens.get().pk}/").status_code == 204
    assert_error(alice.get("/me/"), 401, "token_revoked")


def test_a_token_tells_what_it_is_good_for_whatever_that_is() -> None:
    alice, expires_at = make_maker(), timezone.now() + timedelta(days=7)
    token, text = create_token(maker=alice, name="reader", scopes=["tasks:read"], expires_at=expires_at)
    response = caller_with(text).get("/tokens/current/")
    body = response.json()
    assert (response.status_code, response["Cache-Control"]) == (200, "no-store")
    assert set(body) == FIELDS
    assert (body["id"], body["kind"], body["name"], body["scopes"]) == (token.pk, "personal", "reader", ["tasks:read"])
    assert body["expires_at"].startswith(f"{expires_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}")
    assert just_logged_in().get("/tokens/current/").json()["kind"] == "login"
    assert_error(anonymous().get("/tokens/current/"), 401, "not_authenticated")


@pytest.mark.parametrize("moment", ["2020-01-01T00:00:00Z", "2150-01-01T00:00:00Z", "soon", 5])
def test_an_expiry_in_the_past_or_beyond_what_a_token_holds_is_a_400(moment: Any) -> None:
    assert_invalid(caller().post("/tokens/", {"expires_at": moment}), "expires_at")


@pytest.mark.parametrize("scopes", [["tasks:delete"], ["everything"], [], "", ["tasks"], {"0": "nothing"}])
def test_scopes_that_there_are_not_are_a_400(scopes: Any) -> None:
    assert_invalid(caller().post("/tokens/", {"scopes": scopes}), "scopes")


def test_an_expired_token_is_a_401() -> None:
    alice = caller()
    _, text = create_token(maker=alice.maker, expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    alice.credentials(HTTP_AUTHORIZATION=f"Token {text}")
    assert_error(alice.get("/me/"), 401, "token_expired")


def test_there_is_a_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AccessToken, "MAX_PERSONAL", 2)
    alice = just_logged_in()
    assert [alice.post("/tokens/").status_code for _ in range(2)] == [201, 201]
    assert_error(alice.post("/tokens/"), 409, "too_many_tokens")


def test_the_same_idempotency_key_makes_one_token_and_keeps_no_secret() -> None:
    alice = just_logged_in()
    first = alice.post("/tokens/", {"name": "once"}, HTTP_IDEMPOTENCY_KEY="k")
    assert first.status_code == 201
    assert_error(alice.post("/tokens/", {"name": "once"}, HTTP_IDEMPOTENCY_KEY="k"), 409, "already_answered")
    assert alice.maker.tokens.filter(name="once").count() == 1


@pytest.mark.parametrize("count", [1, 3])
def test_a_list_is_two_queries(count: int, django_assert_num_queries: Any) -> None:
    alice = just_logged_in()
    for _ in range(count - 1):
        create_token(maker=alice.maker)
    alice.get("/tokens/")
    with django_assert_num_queries(2):
        assert len(alice.get("/tokens/").json()["results"]) == count


def test_the_list_is_paged() -> None:
    alice = just_logged_in()
    for _ in range(2):
        create_token(maker=alice.maker)
    first = alice.get("/tokens/?limit=2").json()
    second = alice.get(first["next"]).json()
    ids = [token["id"] for token in first["results"] + second["results"]]
    assert ids == sorted(alice.maker.tokens.values_list("pk", flat=True), reverse=True)
    assert second["next"] is None
