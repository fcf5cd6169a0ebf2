"""The catalogue of lists is whole: whoever adds a list to the URLconf is told to add it there."""

import pytest

from makerlog.api.checks import Route, routes
from tests.lists.catalogue import BOUNDED, LISTS, SINGLE

READ = {route.path: route for route in routes() if route.ours and route.reader}


def answers_many(route: Route) -> bool:
    return route.lists or (bool(route.view.bounded_by) and route.path not in SINGLE)


def test_every_list_of_the_api_is_in_the_catalogue() -> None:
    missing = {path for path, route in READ.items() if answers_many(route)} - {each.route for each in LISTS + BOUNDED}
    assert not missing, (
        f"{sorted(missing)} may answer many rows: add each to LISTS or BOUNDED in tests/lists/catalogue.py, with a"
        " function in rows.py that fills it; or, if its answer is one thing, to SINGLE."
    )


def test_the_catalogue_names_no_route_that_is_gone() -> None:
    assert {each.route for each in LISTS + BOUNDED} | SINGLE <= set(READ)


@pytest.mark.parametrize("listing", LISTS, ids=str)
def test_what_is_called_a_list_is_one_in_the_order_it_declares(listing: object) -> None:
    route = READ[listing.route]  # type: ignore[attr-defined]
    assert route.lists
    assert route.view.order in ((), listing.key)  # type: ignore[attr-defined]


@pytest.mark.parametrize("listing", BOUNDED, ids=str)
def test_what_is_called_bounded_says_by_what(listing: object) -> None:
    assert READ[listing.route].view.bounded_by  # type: ignore[attr-defined]
