"""A clean-up costs what it hides, however big the table is: 100,000 tasks in ``make test``, a million in ``make scale``; and
fifty thousand come back as if they had never been hidden."""

import io
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from makerlog.gate.bans import network_of
from moderation import actions, cleanups
from moderation.cleanups import Posts, hit, step, work
from moderation.models import Cleanup
from tasks.models import Task
from tests.moderation.cleanups.twins import Community, picture, write
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


@pytest.mark.scale
def test_fifty_thousand_come_back_as_their_twin_that_was_never_hidden(say: Any) -> None:
    left, right = Community("left"), Community("right")
    for community in (left, right):
        spam(community, 50_000)
    call_command("recount", "--mend", stdout=io.StringIO())
    dice = random.Random(1)
    write([left, right], 200, dice, between=lambda: None)
    cleanup = actions.hide_posts(posts=Posts(token=1, until=timezone.now()))
    began = timezone.now()
    write([left, right], 60, dice, between=lambda: step(cleanup.pk) and None)
    list(work(cleanup.pk))
    hidden = timezone.now()
    write([left, right], 200, dice, between=lambda: None)
    actions.unhide_posts(cleanup=cleanup.pk)
    write([left, right], 60, dice, between=lambda: step(cleanup.pk) and None)
    list(work(cleanup.pk))
    say(f"50,000 tasks: hidden in {hidden - began}, shown in {timezone.now() - hidden}, with writes between")
    assert Cleanup.objects.get().hidden["tasks"] >= 49_000
    assert picture(left) == picture(right)
    out = io.StringIO()
    call_command("recount", stdout=out)
    assert out.getvalue() == "0 differences.\n"
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")  # the keys of all that are checked at the transaction's end


def spam(community: Community, count: int) -> None:
    """On fifty days; what is kept of it is for recount to set right. Some at a time: a transaction that is silent for long
    is ended."""
    for start in range(0, count, 5_000):
        made = Task.objects.bulk_create(spam_task(community, number) for number in range(start, start + 5_000))
        community.rows["task"].extend(made)


def spam_task(community: Community, number: int) -> Task:
    done_at = datetime(2026, 5, 20, 12, tzinfo=UTC) - timedelta(days=number % 50)
    return Task(
        author=community.makers["spammer"],
        content=f"Buy {number}",
        done=True,
        done_at=done_at,
        done_on=done_at.date(),
        **community.posted,
    )
