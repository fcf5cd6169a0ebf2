"""What came of a request, in the words of the table."""

from typing import Any

import orjson
from django.db import transaction
from django.urls import resolve

from moderation.actions import suspend
from tests.attack.ownership import snapshot
from tests.attack.ownership.matrix import LETTERS, Case
from tests.attack.ownership.snapshot import Change
from tests.attack.ownership.world import World, maker
from tests.makers import Caller

NOT_FOUND = {"detail": "Not found.", "code": "not_found"}
CELLS = {(cell[:3], code): cell for cell, code in LETTERS.items()}
SUSPENDED = ("read_only", "out")
KEPT_COUNTS = {"follower_count"}  # what somebody else's act may change of a maker


def ask(client: Caller, case: Case, world: World) -> Any:
    url, body = case.filled(world.names)
    return client.generic(case.method, url, orjson.dumps(body).decode(), content_type="application/json")


def outcome(case: Case, role: str, world: World) -> str:
    """As the table writes it. All is put back afterwards."""
    scope = scope_of(case, world)
    with transaction.atomic():
        client = caller_in(role, world, scope)
        before = snapshot.taken() if role in SUSPENDED else world.rows
        response = ask(client, case, world)
        done = snapshot.changes(before, snapshot.taken())
        transaction.set_rollback(True)
    return cell(response, done) + ("~" if scope and changes_others(done, client) else "")


def scope_of(case: Case, world: World) -> str:
    """The resource that the view names; "" where it needs no token."""
    callback: Any = resolve(case.filled(world.names)[0]).func
    return callback.cls.scope


def caller_in(role: str, world: World, scope: str) -> Caller:
    """With ``scope``, or where there is none ``user``, as what the token may not write."""
    if role == "scope":
        return world.narrow[scope or "user"]
    if role in SUSPENDED:
        suspend(maker=maker("alice"), kind=role, actor=maker("ada"))
        return world.callers["owner"]
    return world.callers[role]


def cell(response: Any, done: list[Change]) -> str:
    status = str(response.status_code)
    if response.status_code < 400:
        return status if done else f"{status}="
    body = response.json()
    code = body.get("code", "") if isinstance(body, dict) else ""
    found = CELLS.get((status, code), f"{status}:{code}" if code else status)
    return found + ("!" if done else "") + ("?" if found == "404" and body != NOT_FOUND else "")


def changes_others(done: list[Change], client: Caller) -> bool:
    """Whether another maker's account was touched, counters apart."""
    return any(
        each.table == "accounts_maker"
        and each.key != client.maker.pk
        and not (each.columns and each.columns.keys() <= KEPT_COUNTS)
        for each in done
    )
