"""Tokens against tokens: none makes a stronger one, and none is answered what another was."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from makerlog.accounts.models import AccessToken
from makerlog.accounts.scopes import SCOPES, grants
from tasks.models import Task
from tests.attack.ownership.snapshot import taken
from tests.attack.ownership.world import World
from tests.errors import assert_error
from tests.makers import Caller, caller, just_logged_in

pytestmark = pytest.mark.django_db

LACKED = [scope for scope in SCOPES if not grants(["user:write"], *scope.split(":"))]


def with_secret(secret: str) -> Caller:
    client = Caller()
    client.credentials(HTTP_AUTHORIZATION=f"Token {secret}")
    return client


@pytest.mark.parametrize("scope", LACKED)
@pytest.mark.parametrize("way", ["json", "form", "commas", "object"])
def test_a_token_makes_none_with_a_scope_it_lacks(scope: str, way: str, world: World) -> None:
    client = caller("alice", scopes=["user:write", "tokens"])
    AccessToken.objects.update(last_used_at=timezone.now())
    before = taken()
    asked: dict[str, Any] = {
        "json": ["user:read", scope],
        "form": ["user:read", scope],
        "commas": f"user:read,{scope}",
        "object": {"0": "user:read", "1": scope},
    }
    form = "multipart" if way == "form" else "json"
    assert_error(client.post("/tokens/", {"name": "x", "scopes": asked[way]}, format=form), 403, "missing_scope")
    assert taken() == before


def test_what_a_token_makes_is_as_weak_down_to_the_last(world: World) -> None:
    client, scopes = caller("alice", scopes=["user:write", "tasks:read", "tokens"]), ["tokens", "tasks:read"]
    for _ in range(3):
        client = with_secret(client.post("/tokens/", {"name": "x", "scopes": scopes}, format="json").json()["token"])
    assert_error(client.post("/tasks/", {"content": "New"}), 403, "missing_scope")
    assert_error(client.post("/tokens/", {"name": "x", "scopes": ["tasks:write"]}, format="json"), 403, "missing_scope")


def test_what_a_token_makes_does_not_outlive_it(world: World) -> None:
    client, tomorrow = just_logged_in("alice"), timezone.now() + timedelta(days=1)
    body = {"name": "x", "scopes": ["tokens", "user:write"], "expires_at": tomorrow.isoformat()}
    short = with_secret(client.post("/tokens/", body, format="json").json()["token"])
    made = short.post("/tokens/", {"name": "y", "expires_at": None}, format="json").json()
    assert AccessToken.objects.get(pk=made["id"]).expires_at == AccessToken.objects.get(name="x").expires_at
    later = (tomorrow + timedelta(seconds=2)).isoformat()
    assert_error(short.post("/tokens/", {"name": "z", "expires_at": later}, format="json"), 403, "outlives_its_maker")


def test_an_idempotency_key_is_the_token_s_own(world: World) -> None:
    alice, other_token, bob = world.callers["owner"], caller("alice"), world.callers["maker"]
    answers = [
        each.post("/tasks/", {"content": "Once"}, HTTP_IDEMPOTENCY_KEY="k") for each in (alice, other_token, bob)
    ]
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert len({answer.json()["id"] for answer in answers}) == 3
    assert not any(answer.has_header("Idempotency-Replayed") for answer in answers)
    assert alice.post("/tasks/", {"content": "Once"}, HTTP_IDEMPOTENCY_KEY="k").json() == answers[0].json()
    assert Task.objects.filter(content="Once").count() == 3


def test_an_idempotency_key_answers_nobody_whom_the_endpoint_refuses(world: World) -> None:
    again = {"content": "Once"}
    assert world.callers["owner"].post("/tasks/", again, HTTP_IDEMPOTENCY_KEY="k").status_code == 201
    assert_error(world.callers["anonymous"].post("/tasks/", again, HTTP_IDEMPOTENCY_KEY="k"), 401, "not_authenticated")
    assert_error(world.narrow["tasks"].post("/tasks/", again, HTTP_IDEMPOTENCY_KEY="k"), 403, "missing_scope")
    AccessToken.objects.filter(maker=world.names["alice"]).update(revoked_at=timezone.now())
    assert_error(world.callers["owner"].post("/tasks/", again, HTTP_IDEMPOTENCY_KEY="k"), 401, "token_revoked")
