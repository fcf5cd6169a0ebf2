"""Walking any list to its end, and back, gives every row exactly once, in the declared order."""

from datetime import timedelta
from typing import Any

import pytest

from tests.lists.catalogue import LISTS, Listing
from tests.lists.reading import alice, at_most, expected, linked, owner_of, pages, readers_of, rows_of
from tests.lists.rows import hide
from tests.makers import caller

pytestmark = pytest.mark.django_db

MINUTE, NOTHING = timedelta(minutes=1), timedelta(0)
ROWS, OF_BOB, LIMIT = 23, 5, 4


def has(model: Any, field: str) -> bool:
    return field in {each.name for each in model._meta.get_fields()}


def fill(listing: Listing, apart: timedelta) -> None:
    """Rows of alice and, where makers have lists of their own, of bob; every sixth hidden by a moderator."""
    listing.add(alice(), ROWS, apart)
    listing.add(caller("bob").maker, OF_BOB, apart)
    rows: list[Any] = list(listing.model.objects.order_by("pk"))  # type: ignore[union-attr]
    if any(hasattr(getattr(row, "product", row), "hidden") for row in rows):
        hide(rows[5::6])


def ids(response: Any) -> list[int]:
    return [row["id"] for row in rows_of(response)]


@pytest.mark.parametrize("listing", LISTS, ids=str)
def test_a_walk_gives_every_row_once_there_and_back(listing: Listing) -> None:
    readers = readers_of(listing)
    fill(listing, MINUTE)
    for who in readers.keys() - {"anonymous"}:  # who reads what bob does, without what is bob's own
        assert_walked(readers[who], listing)


@pytest.mark.parametrize("listing", [each for each in LISTS if each.key[0].endswith("_at")], ids=str)
def test_rows_of_one_moment_are_walked_once_there_and_back(listing: Listing) -> None:
    readers = readers_of(listing)
    fill(listing, NOTHING)
    assert_walked(readers["alice"], listing)


def assert_walked(client: Any, listing: Listing) -> None:
    wanted = expected(listing, getattr(client, "maker", None))
    there = list(pages(client, at_most(LIMIT, listing.url), "next"))
    assert [pk for response in there for pk in ids(response)] == wanted
    assert len(wanted) >= LIMIT
    assert linked(there[0], "previous") is None
    back = list(pages(client, linked(there[-1], "previous"), "previous"))
    assert [pk for response in [*back[::-1], there[-1]] for pk in ids(response)] == wanted


@pytest.mark.parametrize("listing", [each for each in LISTS if has(each.model, "listed")], ids=str)
def test_what_is_private_is_walked_by_its_owner_alone(listing: Listing) -> None:
    readers = readers_of(listing)
    fill(listing, MINUTE)
    hers = [row for row in listing.model.objects.filter(listed=False) if owner_of(row) == alice().pk]  # type: ignore[union-attr]
    private = {listing.wire(row) for row in hers}
    assert private
    for who, client in readers.items():
        found = set(ids(client.get(at_most(100, listing.url))))
        assert found
        assert bool(found & private) == (who == "alice" and not listing.public)
