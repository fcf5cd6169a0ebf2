"""What comes again on a connection is planned once there (makerlog.api.prepared), and says the same."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Any

import pytest
from django.db import NotSupportedError, connection, transaction
from django.test.utils import CaptureQueriesContext

from makerlog.api import prepared, statements
from makerlog.api.prepared import WORTH, Plans
from makerlog.api.statements import Template
from tests.lists.catalogue import LISTS
from tests.lists.reading import alice, at_most, pages, readers_of
from tests.makers import Caller, make_maker, refill

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE = timedelta(minutes=1)
THINGS = Template("SELECT %s, name FROM things WHERE id > %s AND id = ANY(%s)", ((None, "it's"), (0, 0), (1, [0])))


@pytest.fixture(autouse=True)
def _prepares(settings: Any) -> None:
    settings.PREPARED_STATEMENTS = True


def run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.fixture
def things() -> Iterator[None]:
    run("CREATE TABLE things AS SELECT n AS id, 'a' || n AS name FROM generate_series(1, 9) n")
    yield
    run("DROP TABLE things")


def known() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_prepared_statements")
        return [name for (name,) in cursor.fetchall()]


def two_pages(client: Caller, url: str) -> list[Any]:
    return [page.json() for page in islice(pages(client, url, "next"), 2)]


def test_every_list_says_the_same_when_it_is_prepared(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """By plans that are made for no values in particular, as PostgreSQL does in the long run."""
    monkeypatch.setattr(prepared, "WORTH", 1)
    monkeypatch.setattr(statements, "USUAL", {3})
    make_maker("alice")
    prepared_lists = set()
    for listing in LISTS:
        listing.add(alice(), 5, MINUTE)
        for who, client in readers_of(listing).items():
            url = at_most(2, listing.url)
            run("SET plan_cache_mode = force_generic_plan")
            settings.PREPARED_STATEMENTS = False
            plain = two_pages(client, url)
            settings.PREPARED_STATEMENTS = True
            refill()
            with CaptureQueriesContext(connection) as captured:
                found = two_pages(client, url)
            assert found == plain, (str(listing), who)
            if any(each["sql"].startswith("EXECUTE") for each in captured):
                prepared_lists.add(listing.route)
    assert prepared_lists >= {
        "tasks/",
        "products/",
        "discussions/",
        "launches/",
        "users/",
        "products/recently_launched/",
    }


def test_what_comes_again_is_prepared_once(things: None) -> None:
    plans = Plans()
    for number in range(WORTH + 2):
        with CaptureQueriesContext(connection) as captured:
            assert plans.fetched(THINGS, [number, [1, 4, 9]]) == [("it's", f"a{n}") for n in (1, 4, 9) if n > number]
        sent = [each["sql"].split()[0] for each in captured]
        assert sent == (["SELECT"] if number < WORTH - 1 else ["PREPARE"] * (number == WORTH - 1) + ["EXECUTE"])
    assert plans.fetched(THINGS, [0, []]) == []
    assert len(known()) == 1


def test_a_new_connection_begins_anew(things: None) -> None:
    plans = Plans()
    for _ in range(WORTH):
        plans.fetched(THINGS, [0, [1]])
    connection.close()
    assert plans.fetched(THINGS, [0, [1]]) == [("it's", "a1")]
    assert known() == []


def test_a_table_that_has_changed_costs_the_plan_alone(things: None) -> None:
    plans = Plans()
    for _ in range(WORTH):
        plans.fetched(THINGS, [0, [1]])
    run("ALTER TABLE things ALTER name TYPE varchar(20)")
    for _ in range(2):
        assert plans.fetched(THINGS, [0, [1]]) == [("it's", "a1")]


def test_a_name_that_is_known_no_more_costs_the_plan_alone(things: None) -> None:
    plans = Plans()
    for _ in range(WORTH):
        plans.fetched(THINGS, [0, [1]])
    run("DEALLOCATE ALL")
    for _ in range(2):
        assert plans.fetched(THINGS, [0, [1]]) == [("it's", "a1")]


def test_within_a_transaction_that_ends_it_once(things: None) -> None:
    plans = Plans()
    for _ in range(WORTH):
        plans.fetched(THINGS, [0, [1]])
    run("ALTER TABLE things ALTER name TYPE varchar(20)")
    with pytest.raises(NotSupportedError), transaction.atomic():
        plans.fetched(THINGS, [0, [1]])
    with transaction.atomic():
        assert plans.fetched(THINGS, [0, [1]]) == [("it's", "a1")]


def test_what_cannot_be_prepared_is_read_as_it_is(things: None) -> None:
    plans, untyped = Plans(), Template("SELECT name || %s || %s FROM things WHERE id = 1", ((0, 0), (0, 0)))
    wrong = Template("SELECT name FROM things WHERE id = %s OR name = %s", ((0, 0), (0, 0)))
    for _ in range(WORTH + 1):
        assert plans.fetched(untyped, ["x"]) == [("a1xx",)]
        assert plans.fetched(Template(wrong.sql, wrong.places), ["1"]) == [("a1",)]


def test_a_connection_keeps_prepared_what_it_used_last(things: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "MOST", 2)
    plans = Plans()
    often, seldom, new = (Template(f"SELECT id + {n} FROM things WHERE id = %s", ((0, 0),)) for n in range(3))
    for template in (often, seldom, often, new):
        for _ in range(WORTH + 1):
            assert len(plans.fetched(template, [1])) == 1
    assert list(plans.names) == [often, new]
    assert sorted(known()) == sorted(plans.names.values())


def test_nothing_is_prepared_where_the_settings_say_so(things: None, settings: Any) -> None:
    settings.PREPARED_STATEMENTS = False
    plans = Plans()
    for _ in range(WORTH + 1):
        plans.fetched(THINGS, [0, [1]])
    assert known() == []
