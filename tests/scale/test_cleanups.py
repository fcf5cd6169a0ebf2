"""A clean-up costs what it hides, however big the table is: 100,000 tasks in ``make test``, a million in ``make scale``."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from makerlog.gate.bans import network_of
from moderation import actions, cleanups
from moderation.cleanups import Posts, hit, step
from tests.scale.crowd import disperse, gather
from tests.scale.plans import explain

pytestmark = pytest.mark.django_db

SPAM = 5_000
POSTED = """
    UPDATE tasks_task SET posted_with = id %% 50 + 1000,
        posted_from = ('93.184.' || id / 256 %% 256 || '.' || id %% 256)::inet;
    UPDATE tasks_task SET posted_with = 7, posted_from = '8.8.8.8' WHERE id > (SELECT max(id) - %s FROM tasks_task);
"""


@pytest.fixture(
    scope="module", params=[100_000, pytest.param(1_000_000, marks=pytest.mark.scale)], ids=lambda rows: f"{rows:,}"
)
def crowd(request: Any, django_db_setup: None, django_db_blocker: Any) -> Iterator[int]:
    with django_db_blocker.unblock():
        gather(request.param)
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            cursor.execute(POSTED, [SPAM])
            cursor.execute("VACUUM ANALYZE tasks_task")
            cursor.execute("RESET statement_timeout")
    yield request.param
    with django_db_blocker.unblock():
        disperse()


WAYS: dict[str, dict[str, Any]] = {
    "token": {"token": 7},
    "a token among many": {"token": 1003},
    "a maker": {"maker": 11},
    "the maker of nearly all": {"maker": 1},
    "an address": {"network": network_of("8.8.8.8")},
    "a range": {"network": network_of("93.184.7.0/24")},
    "a time": {"since": datetime(2026, 1, 1, 19, tzinfo=UTC)},
    "token, maker, range and time": {
        "token": 7,
        "maker": 1,
        "network": network_of("8.8.8.0/24"),
        "since": datetime(2026, 1, 1, tzinfo=UTC),
    },
    "nothing there": {"token": 999_999},
}


@pytest.mark.parametrize("way", WAYS)
def test_a_preview_looks_at_no_more_than_it_counts(crowd: int, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleanups, "COUNTED", 300)
    with CaptureQueriesContext(connection) as captured:
        found = hit(Posts(**WAYS[way], until=datetime(2026, 1, 2, tzinfo=UTC)))
    assert (found.count > 0) == (way != "nothing there")
    assert max(explain(each["sql"], {"tasks_task"}).rows for each in captured) <= 302


def test_a_batch_looks_at_no_more_than_it_hides_and_undo_at_no_more_than_it_shows(crowd: int) -> None:
    cleanup = actions.hide_posts(posts=Posts(token=7, until=timezone.now()))
    for _ in range(3):
        chooses = [
            each for each in captured(step, cleanup.pk) if f"LIMIT {cleanups.BATCH}" in each and '"tasks_task"' in each
        ]
        assert [explain(sql, {"tasks_task"}).rows <= cleanups.BATCH for sql in chooses] == [True]
    actions.unhide_posts(cleanup=cleanup.pk)
    chooses = [
        each for each in captured(step, cleanup.pk) if f"LIMIT {cleanups.BATCH}" in each and '"tasks_task"' in each
    ]
    assert [explain(sql, {"tasks_task"}).rows <= cleanups.BATCH for sql in chooses] == [True]


def captured(act: Any, *values: Any) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        act(*values)
    return [each["sql"] for each in queries]
