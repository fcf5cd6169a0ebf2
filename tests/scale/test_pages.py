"""A page costs what its rows cost, however big the table is and however deep in it the page lies.

Read off EXPLAIN (ANALYZE, BUFFERS) of the queries that the API sends, half of all rows being private. 100,000 rows in
``make test``, a million in ``make scale``.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.request import Request
from rest_framework.test import APIClient, APIRequestFactory

from makerlog.accounts.models import Maker
from makerlog.api.keyset import WINDOW
from makerlog.api.pagination import Cursor
from tasks.models import Task
from tests.scale.crowd import disperse, gather
from tests.scale.plans import Cost, explain

pytestmark = pytest.mark.django_db

LIMIT = 4
PAGES = (1_000, 10_000)
DEPTH_TOLERANCE = 1.2

# Each filter alone, the rows it keeps, and the key its list is ordered by.
SINGLE = {
    "": {},
    "user=1": {"author": 1},
    "username=maker1": {"author": 1},
    "project=1": {"projects": 1},
    "product=product-1": {"products": 1},
    "done=true": {"done": True},
    "in_progress=false": {"in_progress": False},
    "created_at=2026-01-01": {},
    "start_date=2026-01-01": {},
    "end_date=2026-02-01": {},
    "user=1&start_date=2026-01-01&end_date=2026-02-01": {"author": 1},
    "ordering=created_at": {},
    "updated_since=2025-12-31": {},
}
ASCENDING = {"ordering=created_at": "created_at", "updated_since=2025-12-31": "updated_at"}
BY_DATE = ("start_date", "end_date")
# What is rare, or all old: nothing may be walked past to find it.
RARE = [
    "done=false",
    "in_progress=true",
    "user=11",
    "user=maker11",
    "project=11",
    "user=11&start_date=2026-01-01",
    "user=maker11&end_date=2027-01-01",
]
COMBINED = [
    "search=nowhere-to-be-found",
    "user=1&search=nowhere-to-be-found",
    "user=2&done=false&in_progress=true",
    "project=1&done=false&search=nothing",
    "product=product-2&user=1",
    "done=true&in_progress=true",
    "start_date=2026-01-01&done=false&user=99",
]


@pytest.fixture(
    scope="module", params=[100_000, pytest.param(1_000_000, marks=pytest.mark.scale)], ids=lambda rows: f"{rows:,}"
)
def crowd(request: Any, django_db_setup: None, django_db_blocker: Any) -> Iterator[int]:
    """A big table for all the tests here, committed and taken away after them."""
    with django_db_blocker.unblock():
        gather(request.param)
    yield request.param
    with django_db_blocker.unblock():
        disperse()


def costs(query: str, cursor: str = "") -> list[Cost]:
    """What the page's own queries cost: those that read tasks in order, not the look-ups beside them."""
    with CaptureQueriesContext(connection) as captured:
        response = APIClient().get(f"/tasks/?{query}&limit={LIMIT}" + (f"&cursor={cursor}" if cursor else ""))
    assert response.status_code == 200, response.content
    queries = [each["sql"] for each in captured if reads_tasks(each["sql"])]
    return [explain(sql) for sql in queries]


def reads_tasks(sql: str) -> bool:
    return "ORDER BY" in sql and 'FROM "tasks_task"' in sql


def key_of(query: str) -> tuple[str, ...]:
    if query in ASCENDING:
        return (ASCENDING[query], "id")
    return ("-worked_at", "-id") if any(name in query for name in BY_DATE) else ("-created_at", "-id")


def cursor_behind(query: str, row: int) -> str:
    """The cursor that 'next' holds after ``row`` rows of the list."""
    names = [name.lstrip("-") for name in key_of(query)]
    rows = Task.objects.filter(listed=True, **SINGLE[query]).order_by(*key_of(query))
    position = rows.values_list(*names)[row - 1]
    request = Request(APIRequestFactory().get(f"/tasks/?{query}&limit={LIMIT}"))
    return Cursor(request, key_of(query)).write(position, backwards=False)


@pytest.mark.parametrize("query", SINGLE)
def test_a_page_looks_at_no_more_rows_than_it_shows_and_one(crowd: int, query: str) -> None:
    [first] = costs(query)
    assert 0 < first.rows <= LIMIT + 1
    for page in PAGES:
        [deep] = costs(query, cursor_behind(query, (page - 1) * LIMIT))
        assert 0 < deep.rows <= LIMIT + 1
        assert deep.buffers <= first.buffers * DEPTH_TOLERANCE


@pytest.mark.parametrize("query", RARE)
def test_what_is_rare_is_found_without_walking_past_the_rest(crowd: int, query: str) -> None:
    [cost] = costs(query)
    assert 0 < cost.rows <= LIMIT + 1
    assert cost.buffers <= 40


@pytest.mark.parametrize("query", COMBINED)
def test_combined_filters_and_search_look_at_no_more_than_a_window(crowd: int, query: str) -> None:
    assert max(cost.rows for cost in costs(query)) <= WINDOW


def test_the_control_that_pages_by_offset_is_caught(crowd: int) -> None:
    deep = (PAGES[-1] - 1) * LIMIT
    by_offset = Task.objects.filter(listed=True).order_by("-created_at", "-id")[deep : deep + LIMIT + 1]
    with CaptureQueriesContext(connection) as captured:
        list(by_offset)
    cost = explain(captured[0]["sql"])
    assert cost.rows > LIMIT + 1
    assert cost.rows >= deep


def test_one_s_own_private_tasks_cost_no_more(crowd: int, private_reader: Callable[[str], list[Cost]]) -> None:
    for query in ("", "done=true", "project=1", "user=1", "start_date=2026-01-01"):
        found = private_reader(query)
        assert len(found) == 1  # the public branch and one's own, in one statement
        assert all(cost.rows <= LIMIT + 1 for cost in found)


@pytest.fixture
def private_reader() -> Callable[[str], list[Cost]]:
    """The same as ``costs``, asked by the prolific maker."""
    client = APIClient()
    client.force_authenticate(Maker.objects.get(pk=1))

    def ask(query: str) -> list[Cost]:
        with CaptureQueriesContext(connection) as captured:
            response = client.get(f"/tasks/?{query}&limit={LIMIT}")
        assert response.status_code == 200
        return [explain(each["sql"]) for each in captured if reads_tasks(each["sql"])]

    return ask
