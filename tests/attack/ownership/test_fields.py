"""Mass assignment: every write with every name of a model in its body changes what it changes without them, and no more."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
import time_machine
from django.contrib.postgres.fields import ArrayField
from django.db import models, transaction

from makerlog.accounts.models import Maker
from tests.attack.ownership.matrix import CASES, WRITES, Case, Write
from tests.attack.ownership.snapshot import Change, changes, models_of_ours, taken
from tests.attack.ownership.world import World

pytestmark = pytest.mark.django_db

PROFILE = (
    "first_name last_name status description private timezone twitter_handle instagram_handle product_hunt_handle"
    " github_handle telegram_handle nomadlist_handle bmc_handle shipstreams_handle website accent avatar header"
    " digest dark_mode weekends_off hardcore_mode email_notifications ads_enabled"
)
TASK = "content description done in_progress due_at done_at external_id attachment"
PRODUCT = "name description website product_hunt twitter accent icon tags private launched team projects"
DISCUSSION = "type title body pinned locked hidden"

# What each write may be told; of a route that is not here, nothing. The table says who may tell it.
ACCEPTS = {
    "api-token-auth/": "username password otp",
    "tokens/": "name scopes expires_at password",
    "tokens/<int:pk>/": "password",
    "me/export_data/": "password",
    "accounts/register/": "email username password repeat_password",
    "accounts/forgot/": "email",
    "accounts/reset/": "uidb64 token password repeat_password",
    "accounts/change_password/": "old_password new_password",
    "accounts/change_username/": "username password",
    "accounts/delete_account/": "validation password",
    "me/": PROFILE,
    "me/privileged/": f"{PROFILE} email password",
    "me/set_timezone/": "timezone",
    "users/<str:maker>/": PROFILE,
    "users/username/<str:maker>/": PROFILE,
    "tasks/": TASK,
    "tasks/batch/": TASK,
    "tasks/<int:pk>/": TASK,
    "tasks/<int:task>/comments/": "content",
    "tasks/<int:task>/comments/<int:pk>/": "content",
    "projects/": "name private",
    "projects/<int:pk>/": "name private",
    "products/": PRODUCT,
    "products/<slug:slug>/": PRODUCT,
    "products/<slug:slug>/invitations/": "user",
    "discussions/": DISCUSSION,
    "discussions/<slug:slug>/": DISCUSSION,
    "discussions/<slug:slug>/replies/": "body parent_reply hidden",
    "discussions/<slug:slug>/replies/<int:pk>/": "body hidden",
}
WIRE = ("user", "user_id", "owner", "owner_id", "parent", "project_set", "product_set", "object_id", "content_type")
DRAWN = ("password", "public_id", "stem", "digest", "updated_at", "deleted_at", "at")  # new at each attempt
HOSTILE_DATE, HOSTILE_TEXT = "2001-01-01", "hostile"
NOON = datetime(2026, 5, 20, 12, tzinfo=UTC)


def referred(model: type[models.Model]) -> Iterator[tuple[tuple[str, str | None], str]]:
    """Of the columns that hold a key: whose."""
    for each in model._meta.concrete_fields:
        known = model if each.primary_key else each.related_model
        if isinstance(known, type):
            yield (model._meta.db_table, each.column), known._meta.db_table


REFERS = dict(pair for model in models_of_ours() for pair in referred(model))


def hostile_values(field: Any, world: World) -> list[Any]:
    """What an attacker would like ``field`` to be: two at least, one of which differs from what is there."""
    if field.is_relation:
        known = world.names["bob"] if field.related_model is Maker else field.related_model._default_manager.last()
        return [getattr(known, "pk", known), [getattr(known, "pk", known)]]
    if isinstance(field, ArrayField):
        return [[7] * 7, ["user:write", "tasks:write"], []]
    if isinstance(field, models.BooleanField):
        return [True, False]
    if isinstance(field, models.IntegerField):
        return [world.names["bobs_task"], 0, world.names["bob"]]
    if isinstance(field, models.DateField):
        return [f"{HOSTILE_DATE}T00:00:00Z", HOSTILE_DATE]
    return [HOSTILE_TEXT, ""]


def names_of(model: Any) -> Iterator[tuple[str, Any]]:
    for each in model._meta.get_fields():
        yield each.name, each
        yield getattr(each, "attname", each.name), each


def poisons(world: World, accepted: str) -> list[dict[str, Any]]:
    """Bodies of every name that the write does not take, each name with each of its values in one of them."""
    values: dict[str, list[Any]] = {name: [world.names["bob"], {"id": world.names["bob"]}] for name in ("pk", *WIRE)}
    for model in models_of_ours():
        for name, each in names_of(model):
            known = values.setdefault(name, [])
            known += [value for value in hostile_values(each, world) if value not in known]
    foreign = {name: found for name, found in values.items() if name not in accepted.split()}
    return [
        {name: found[number % len(found)] for name, found in foreign.items()}
        for number in range(max(map(len, foreign.values())))
    ]


def allowed(write: Write, world: World) -> tuple[Case, str]:
    """The first line that lets somebody, alice if possible, change something by this write; failing that, do nothing by
    it. And the role."""
    lines = [case for case in CASES if (case.method, case.route(world.names)) == write]
    found = [(case, role) for role in ("owner", "team") for case in lines if case.expected[role].startswith("2")]
    return min(found, key=lambda each: each[0].expected[each[1]].endswith("="))  # of equals the first


def effect(case: Case, role: str, world: World, poison: dict[str, Any]) -> tuple[int, list[str]]:
    """The status, and what the request changed, without what is new each time. All is put back.

    A name may be refused, too: then nothing changed, and the others are tried without it.
    """
    url, body = case.filled(world.names)
    with transaction.atomic():
        sent = with_poison(body, poison)
        response = world.callers[role].generic(case.method, url, sent, content_type="application/json")
        done = changes(world.rows, taken())
        transaction.set_rollback(True)
    if response.status_code == 400 and (refused := poison.keys() & response.json().keys()):
        assert done == []
        return effect(case, role, world, {name: value for name, value in poison.items() if name not in refused})
    return response.status_code, comparable(done)


def comparable(done: list[Change]) -> list[str]:
    made = {(each.table, each.key) for each in done if each.new}
    return sorted(f"{each.table} {'new' if each.new else each.key}: {told(each, made)}" for each in done)


def told(change: Change, made: set[tuple[str, Any]]) -> dict[str, Any]:
    """The columns; what is drawn or counted anew at each attempt is not told, unless it is what the attacker sent."""
    return {
        name: "new"
        if (refers := REFERS.get((change.table, name))) and (refers, value) in made
        else "drawn"
        if name in DRAWN and not str(value).startswith((HOSTILE_DATE, HOSTILE_TEXT))
        else value
        for name, value in change.columns.items()
    }


def with_poison(body: Any, poison: dict[str, Any]) -> str:
    body = [{**poison, **each} for each in body] if isinstance(body, list) else {**poison, **body}
    return orjson.dumps(body).decode()


@pytest.mark.parametrize("write", sorted(WRITES), ids=" ".join)
def test_no_field_of_any_model_is_taken_by_a_write_that_does_not_own_it(write: Write, world: World) -> None:
    case, role = allowed(write, world)
    with time_machine.travel(NOON, tick=False):
        clean = effect(case, role, world, {})
        for poison in poisons(world, ACCEPTS.get(write[1], "")):
            assert effect(case, role, world, poison) == clean, f"{case} with {poison}"


def test_what_routes_accept_is_said_of_routes_that_there_are() -> None:
    assert ACCEPTS.keys() <= {route for _, route in WRITES}
