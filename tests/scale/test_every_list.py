"""Every list beside the log costs what its page costs, as test_pages.py shows for the log itself.

20,000 rows in each, half of them private or hidden where there is such a thing; all scans of the page's own query count,
those of joined tables included.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from rest_framework.request import Request
from rest_framework.test import APIClient, APIRequestFactory

from discussions.models import Discussion, Participant, Reply
from discussions.trending import CANDIDATES as TREND_CANDIDATES
from makerlog.accounts.models import AccessToken, Follow, Maker
from makerlog.api.keyset import WINDOW
from makerlog.api.pagination import Cursor
from products.models import MAX_HOLDERS, MAX_PROJECTS, MAX_TEAM, Membership, Product, Project
from products.tags import CANDIDATES as TAG_CANDIDATES
from tasks.models import Task, TaskComment
from tests.scale.community import settle
from tests.scale.crowd import disperse
from tests.scale.plans import Cost, explain

pytestmark = pytest.mark.django_db

LIMIT = 4
PAGES = (100, 2_000)
DEPTH_TOLERANCE = 1.2
EDGES = 2  # blocks: a page may begin in one block of the index and of the table, and end in the next
CHEAP = 60  # blocks

PROLIFIC, NEARLY_PUBLIC = 1, 102
NEWEST, LAST, FIRST = ("-created_at", "-id"), ("-id",), ("id",)
CHANGED, LAUNCHED, WORKED = ("updated_at", "id"), ("-launched_at", "-id"), ("-worked_at", "-id")
SCOPES = [f"{thing}:write" for thing in ("tasks", "products", "projects", "discussions", "user")]

products = Product.objects.filter(listed=True)
discussions = Discussion.objects.filter(listed=True)
tasks = Task.objects.filter(listed=True)

# What everybody is listed, and the key each list is ordered by.
PUBLIC: dict[str, tuple[QuerySet[Any], tuple[str, ...]]] = {
    "/users/maker1/recent_tasks/": (tasks.filter(author=PROLIFIC), NEWEST),
    "/users/maker1/tasks_for_day/?day=2026-01-01": (tasks.filter(author=PROLIFIC), WORKED),
    "/tasks/2/comments/": (TaskComment.objects.filter(task=2, hidden=False), FIRST),
    "/products/": (products, NEWEST),
    "/products/?ordering=created_at": (products, ("created_at", "id")),
    "/products/?user=maker1": (products.filter(author=PROLIFIC), NEWEST),
    "/products/?launched=true": (products.filter(launched=True), NEWEST),
    "/products/?updated_since=2025-12-31": (products, CHANGED),
    "/launches/": (products.filter(launched=True), LAUNCHED),
    "/products/recently_launched/": (products.filter(launched=True), LAUNCHED),
    "/users/maker1/products/": (Membership.objects.filter(maker=PROLIFIC, listed=True), LAST),
    "/users/maker101/products/": (Membership.objects.filter(maker=101, listed=True), LAST),
    "/discussions/": (discussions, NEWEST),
    "/discussions/?ordering=created_at": (discussions, ("created_at", "id")),
    "/discussions/?user=maker1": (discussions.filter(author=PROLIFIC), NEWEST),
    "/discussions/?owner=maker1": (discussions.filter(author=PROLIFIC), NEWEST),
    "/discussions/?type=TEXT": (discussions.filter(type="TEXT"), NEWEST),
    "/discussions/?updated_since=2025-12-31": (discussions, CHANGED),
    "/discussions/recent_discussions/": (discussions, NEWEST),
    "/discussions/d-2/replies/": (Reply.objects.filter(discussion=2, hidden=False), FIRST),
    "/discussions/d-2/replies/people/": (Participant.objects.filter(discussion=2, hidden=False), FIRST),
    "/users/": (Maker.objects.filter(is_active=True), LAST),
}
# What the prolific maker alone is listed.
OWN: dict[str, tuple[QuerySet[Any], tuple[str, ...]]] = {
    "/projects/": (Project.objects.filter(author=PROLIFIC), FIRST),
    "/me/following/": (Follow.objects.filter(follower=PROLIFIC), LAST),
    "/tasks/me/": (Task.objects.filter(author=PROLIFIC), NEWEST),
    "/products/me/": (Membership.objects.filter(maker=PROLIFIC), LAST),
}
# What is rare, or all old: nothing may be walked past to find it.
RARE = [
    "/users/maker11/recent_tasks/",
    "/products/?user=maker11",
    "/products/?launched=false",
    "/users/maker11/products/",
    "/discussions/?user=maker11",
    "/discussions/?type=QUESTION",
    "/discussions/recent_questions/",
    "/discussions/d-2/replies/people/?exclude_owner=true",
]
OWN_TOO = [
    *PUBLIC,
    *OWN,
    *RARE,
    "/tokens/",
    "/tasks/",
    "/tasks/?done=true",
    "/tasks/?user=102",
    "/tasks/?start_date=2025-12-31",
    "/tasks/?updated_since=2025-12-31",
    "/products/?user=102",
    "/discussions/?user=102",
    "/users/maker102/products/",
]
COMBINED = [
    "/products/?search=nowhere-to-be-found",
    "/products/?user=1&launched=false",
    "/products/?user=102&launched=true",
    "/products/?user=11&search=nothing&updated_since=2025-12-31",
    "/discussions/?search=nowhere-to-be-found",
    "/discussions/?user=1&type=QUESTION",
    "/discussions/?user=102&type=TEXT",
    "/discussions/?type=TEXT&search=nothing",
]
# All that is looked at, by the bound that the view states.
BOUNDED = {
    "/tasks/2/praise/": 100,
    "/tasks/4/praise/": 100,
    "/discussions/d-2/replies/2/praise/": 100,
    "/tasks/sync/?last_sync_date=2025-12-31": 101,
    "/products/p-2/people/": MAX_TEAM + 1,
    "/products/p-2/projects/": MAX_PROJECTS,
    "/projects/200/related/": MAX_HOLDERS,
    "/projects/19000/related/": MAX_HOLDERS,
    "/products/p-2/related_products/": TAG_CANDIDATES,
    "/products/suggest_tags/?q=h": TAG_CANDIDATES,
    "/discussions/trending/": TREND_CANDIDATES,
}


@pytest.fixture(scope="module", autouse=True)
def community(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Big tables for all the tests here, committed and taken away after them."""
    with django_db_blocker.unblock():
        settle()
    yield
    with django_db_blocker.unblock():
        disperse()


def asked(url: str, maker: int | None = None) -> list[str]:
    """The queries that a request sends."""
    client = APIClient()
    if maker:
        client.force_authenticate(Maker.objects.get(pk=maker), token=AccessToken(scopes=SCOPES))
    with CaptureQueriesContext(connection) as captured:
        response = client.get(url)
    assert response.status_code == 200, response.content
    return [each["sql"] for each in captured if each["sql"].startswith("SELECT")]


def costs(url: str, maker: int | None = None, cursor: str = "") -> list[Cost]:
    """What the page's own queries cost, one for each part of what the reader may see."""
    sent = asked(f"{url}{joint(url)}limit={LIMIT}" + (f"&cursor={cursor}" if cursor else ""), maker)
    return [explain(sql, tables=None) for sql in sent if sql.endswith(f"LIMIT {LIMIT + 1}")]


def joint(url: str) -> str:
    return "&" if "?" in url else "?"


def cursor_behind(url: str, rows: QuerySet[Any], key: tuple[str, ...], row: int) -> str:
    """The cursor that 'next' holds after ``row`` rows of the list."""
    position = rows.order_by(*key).values_list(*(name.lstrip("-") for name in key))[row - 1]
    return Cursor(Request(APIRequestFactory().get(url)), key).write(position, backwards=False)


def assert_flat(url: str, rows: QuerySet[Any], key: tuple[str, ...], maker: int | None = None) -> None:
    """That each part of page 1 and of deep pages looks at limit + 1 rows, and touches as many blocks."""
    first = costs(url, maker)
    assert first
    assert all(0 < cost.rows <= LIMIT + 1 for cost in first)
    most = sum(cost.buffers for cost in first)
    for page in PAGES:
        deep = costs(url, maker, cursor_behind(url, rows, key, (page - 1) * LIMIT))
        assert all(0 < cost.rows <= LIMIT + 1 for cost in deep)
        assert sum(cost.buffers for cost in deep) <= max(most * DEPTH_TOLERANCE, most + EDGES * len(deep))


@pytest.mark.parametrize("url", PUBLIC)
def test_a_page_looks_at_no_more_rows_than_it_shows_and_one(url: str) -> None:
    assert_flat(url, *PUBLIC[url])


@pytest.mark.parametrize("url", OWN)
def test_a_page_of_one_s_own_is_no_dearer(url: str) -> None:
    assert_flat(url, *OWN[url], maker=PROLIFIC)


@pytest.mark.parametrize("url", RARE)
def test_what_is_rare_is_found_without_walking_past_the_rest(url: str) -> None:
    [cost] = costs(url)
    assert 0 < cost.rows <= LIMIT + 1
    assert cost.buffers <= CHEAP


@pytest.mark.parametrize("maker", [PROLIFIC, NEARLY_PUBLIC])
@pytest.mark.parametrize("url", OWN_TOO)
def test_what_is_private_among_the_public_is_found_as_cheaply(url: str, maker: int) -> None:
    """Half of what the first maker has is private; of the 102nd's only the five oldest."""
    for cost in costs(url, maker):
        assert cost.rows <= LIMIT + 1
        assert cost.buffers <= CHEAP


@pytest.mark.parametrize("maker", [None, NEARLY_PUBLIC])
@pytest.mark.parametrize("url", COMBINED)
def test_combined_filters_and_search_look_at_no_more_than_a_window(url: str, maker: int | None) -> None:
    read = [explain(sql, tables=None) for sql in asked(f"{url}&limit={LIMIT}", maker)]
    assert WINDOW * 0.9 <= max(cost.rows for cost in read) <= WINDOW


@pytest.mark.parametrize("url", ["/discussions/?user=102&type=TEXT", "/products/?user=102&launched=true"])
def test_a_window_is_read_only_as_far_as_the_page_goes(url: str) -> None:
    [page] = costs(url)
    assert page.rows <= LIMIT + 1
    assert page.buffers <= CHEAP


@pytest.mark.parametrize("url", BOUNDED)
def test_what_is_bounded_looks_at_no_more_than_it_says(url: str) -> None:
    read = [explain(sql, tables=None) for sql in asked(url, PROLIFIC)]
    assert 0 < max(cost.rows for cost in read) <= BOUNDED[url]


def test_whom_one_follows_is_looked_for_in_a_window_where_all_have_closed_their_accounts() -> None:
    Maker.objects.filter(pk__gt=100).update(is_active=False)
    read = [explain(sql, tables=None) for sql in asked("/me/following/", PROLIFIC)]
    assert WINDOW * 0.9 <= max(cost.rows for cost in read) <= WINDOW
