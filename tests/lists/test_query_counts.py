"""A list's queries are as many at 1, 3 and 100 rows, for every list and whoever asks; and it keeps to its budget."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import resolve

from makerlog.accounts.models import Follow
from makerlog.api.budgets import budget_of, over
from tests.lists.catalogue import BOUNDED, LISTS, Listing
from tests.lists.reading import alice, at_most, readers_of, rows_of, spent
from tests.lists.rows import add_tasks
from tests.makers import caller

pytestmark = pytest.mark.django_db

MORE = (1, 2, 97)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize("listing", LISTS + BOUNDED, ids=str)
def test_queries_are_as_many_at_1_3_and_100_rows(listing: Listing) -> None:
    readers = readers_of(listing)
    for client in readers.values():
        client.get(listing.url)  # notes the use of the token
    counts: dict[str, list[int]] = {who: [] for who in readers}
    shown: dict[str, list[int]] = {who: [] for who in readers}
    budget = budget_of(resolve(urlsplit(listing.url).path).func, "GET")
    assert budget
    for more in MORE:
        listing.add(alice(), more, MINUTE)
        for who, client in readers.items():
            client.get(at_most(100, listing.url))  # makers never seen before take one query more, for all of them
            with CaptureQueriesContext(connection) as captured:
                response = client.get(at_most(100, listing.url))
            assert response.status_code == 200, response.content
            counts[who].append(len(captured))
            assert not over(spent(response), budget), (who, spent(response), budget)
            shown[who].append(len(rows_of(response)))
    assert all(len(set(each)) == 1 for each in counts.values()), counts
    assert all(each[0] <= allowed(listing, who) for who, each in counts.items()), counts
    assert all(1 <= first < last <= listing.most for first, _, last in shown.values()), shown


def allowed(listing: Listing, who: str) -> int:
    """One for the list and what hangs on its rows, and one each for: the token (remembered where a watcher runs, see
    tests/accounts/test_identity.py); what the path or a parameter names, or who may see all of it; the end of a window and a
    horizon, where the list has such. What is no list says in its view how many it takes."""
    if listing in BOUNDED:
        return 7
    up_to_horizon = "updated_since" in listing.url or listing.route.endswith("/deleted/")
    named = "users/<" in listing.route or "/<" in listing.route or "=alice" in listing.url or up_to_horizon
    filed = "project=" in listing.url or "product=" in listing.url
    window = "search=" in listing.url or listing.url.count("&") > 0 or listing.model is Follow
    return 1 + (who != "anonymous") + named + filed + window


def test_a_private_row_on_the_page_costs_its_owner_no_query_more() -> None:
    """Each part of what a reader may see is read by itself; what hangs on the rows is fetched once."""
    client = caller("alice")
    add_tasks(client.maker, 6, MINUTE)
    client.get("/tasks/")
    counts = []
    for listed in (True, False):
        client.maker.tasks.filter(pk__gt=client.maker.tasks.order_by("pk")[0].pk).update(listed=listed)
        with CaptureQueriesContext(connection) as captured:
            assert len(client.get("/tasks/").json()["results"]) == 6
        counts.append(len(captured))
    assert counts[0] == counts[1]
