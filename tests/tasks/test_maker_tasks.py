"""GET /users/{username or id}/recent_tasks/ and .../tasks_for_day/"""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from makerlog.accounts.models import Maker
from tests.errors import assert_error
from tests.makers import anonymous, caller, make_maker
from tests.tasks.logs import NOON, bulk, contents, log

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Maker:
    return make_maker("alice")


def recent(maker: Any = "alice", client: Any = None) -> list[str]:
    return contents((client or anonymous()).get(f"/users/{maker}/recent_tasks/"))


def day(query: str = "", **headers: Any) -> list[str]:
    return contents(anonymous().get(f"/users/alice/tasks_for_day/{query}", **headers))


def test_a_makers_tasks_are_found_by_id_and_by_username_in_any_case(alice: Maker) -> None:
    log(alice, "first")
    log(make_maker("bob"), "his")
    log(alice, "second")
    assert recent() == recent("ALICE") == recent(alice.pk) == ["second", "first"]


@pytest.mark.parametrize("path", ["recent_tasks", "tasks_for_day"])
@pytest.mark.parametrize("name", ["nobody", "0", "9" * 30, "%00", "a%2Fb", "%F0%9F%8C%8D"])
def test_nobody_has_no_tasks(name: str, path: str) -> None:
    assert_error(anonymous().get(f"/users/{name}/{path}/"), 404, "not_found")


def test_what_is_private_is_for_its_author(alice: Maker) -> None:
    alice.projects.create(name="secret", private=True)
    log(alice, "open")
    log(alice, "x #secret")
    assert recent() == ["open"]
    assert recent(client=caller("bob")) == ["open"]
    assert recent(client=caller("alice")) == ["x #secret", "open"]


def test_a_page_has_a_hundred_rows(alice: Maker) -> None:
    bulk(alice, 130)
    assert len(recent()) == 100


def test_a_day_goes_by_done_at_and_by_created_at_where_not_done(alice: Maker) -> None:
    log(alice, "open", created_at=NOON)
    log(alice, "done then", done_at=NOON - timedelta(hours=1))
    log(alice, "done before", done_at=NOON - timedelta(days=1), created_at=NOON)
    assert day("?day=2026-05-20") == ["open", "done then"]
    assert day("?day=2026-05-19") == ["done before"]


def test_a_day_is_today_where_none_is_named(alice: Maker) -> None:
    log(alice, "today", created_at=NOON)
    log(alice, "yesterday", created_at=NOON - timedelta(days=1))
    with time_machine.travel(NOON, tick=False):
        assert day() == day("?day=") == ["today"]


def test_a_day_is_that_of_the_zone_of_the_request(alice: Maker) -> None:
    log(alice, "late", created_at=NOON.replace(hour=23))
    assert day("?day=2026-05-20") == ["late"]
    assert day("?day=2026-05-21", HTTP_X_APP_TIMEZONE="Asia/Tokyo") == ["late"]
    assert day("?day=2026-05-20", HTTP_X_APP_TIMEZONE="Asia/Tokyo") == []


def test_a_day_without_a_midnight_has_its_tasks(alice: Maker) -> None:
    log(alice, "that day", created_at=NOON.replace(month=4, day=24))
    assert day("?day=2026-04-24", HTTP_X_APP_TIMEZONE="Africa/Cairo") == ["that day"]


@pytest.mark.parametrize("named", ["x", "%00", "2026-02-30", "[]"])
def test_a_day_that_is_none_is_a_400(named: str, alice: Maker) -> None:
    assert_error(anonymous().get(f"/users/alice/tasks_for_day/?day={named}"), 400, "bad_parameter")


@pytest.mark.parametrize("named", ["0001-01-01", "9999-12-31", "0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59-14:00"])
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Midway"])
def test_a_day_at_the_end_of_time_is_empty(named: str, zone: str, alice: Maker) -> None:
    assert day(f"?day={named}", HTTP_X_APP_TIMEZONE=zone) == []


def test_a_day_is_walked_to_its_end(alice: Maker) -> None:
    for number in range(5):
        log(alice, str(number), done_at=NOON)
    first = anonymous().get("/users/alice/tasks_for_day/?day=2026-05-20&limit=3")
    second = anonymous().get(first["Link"].split(">")[0][1:])
    assert contents(first) + contents(second) == ["4", "3", "2", "1", "0"]


@pytest.mark.parametrize("path", ["recent_tasks/", "tasks_for_day/?day=2026-05-20"])
@pytest.mark.parametrize("rows", [1, 3])
def test_a_list_is_two_queries_however_many_rows(
    rows: int, path: str, alice: Maker, django_assert_num_queries: Any
) -> None:
    for number in range(rows):
        log(alice, f"{number} #site", created_at=NOON)
    with django_assert_num_queries(2):
        assert len(contents(anonymous().get(f"/users/alice/{path}"))) == rows
