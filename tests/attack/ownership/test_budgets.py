"""No handler costs more than its view says: every write, and every read that is no list, by who may.

Lists are held to their budgets on pages of 100 full rows by tests/lists/test_query_counts.py.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from django.db import transaction

from makerlog.api.budgets import budget_of, over
from makerlog.api.checks import Route, routes
from tests.attack.ownership.matrix import CASES, Case
from tests.attack.ownership.outcomes import ask
from tests.attack.ownership.world import World
from tests.lists.catalogue import BOUNDED, LISTS
from tests.lists.reading import spent
from tests.makers import Caller

pytestmark = pytest.mark.django_db

ELSEWHERE = {each.route for each in LISTS + BOUNDED} | {"metrics/"}  # the last: tests/api/test_budgets.py
ALLOWED = ("owner", "maker", "team", "moderator", "admin")
# Reads of what nobody writes.
READS = {
    "": "",
    "health/ready/": "health/ready/",
    "schema/": "schema/",
    "docs/": "docs/",
    "limits/": "limits/",
    "me/refusals/": "me/refusals/",
    "tokens/current/": "tokens/current/",
    "users/<str:maker>/is_following/": "users/bob/is_following/",
    "accounts/register_preflight/": "accounts/register_preflight/",
    "accounts/reset/<str:uid>/<str:token>/": "accounts/reset/$alice_uid/$reset/",
    "accounts/change_username/": "accounts/change_username/?username=renamed",
}


class Handler(NamedTuple):
    """What answers one method of one route."""

    route: Route
    method: str

    def __str__(self) -> str:
        return f"{self.method} /{self.route.path}"


HANDLERS = [
    Handler(route, method)
    for route in routes()
    for method in route.handlers
    if method != "GET" or route.path not in ELSEWHERE
]


@pytest.mark.parametrize("handler", HANDLERS, ids=str)
def test_what_is_asked_of_a_handler_by_who_may_is_within_its_budget(handler: Handler, world: World) -> None:
    budget = budget_of(handler.route.callback, handler.method)
    assert budget
    responses = list(answers(handler, world))
    assert responses, f"nobody is let in: {handler}"
    assert [spent(each) for each in responses if over(spent(each), budget)] == [], budget


def answers(handler: Handler, world: World) -> Iterator[Any]:
    """Those below 400, of all that the matrix sends there; to reads, of the owner of what is read."""
    for client, case in asked(handler, world):
        with transaction.atomic():
            response = ask(client, case, world)
            transaction.set_rollback(True)
        if response.status_code < 400:
            yield response


def asked(handler: Handler, world: World) -> Iterator[tuple[Caller, Case]]:
    route, here = handler.route.path, [case for case in CASES if case.route(world.names) == handler.route.path]
    writes = [case for case in here if case.method == handler.method]
    for case in writes:
        yield from ((world.callers[role], case) for role in ALLOWED if case.expected[role].startswith("2"))
    if not writes:
        url = READS[route] if route in READS else here[0].url
        yield world.callers["owner"], Case("GET", url, "{}", ())
