"""Fifty thousand hidden posts come back as if they had never been hidden. In tables without a crowd: all is recounted."""

import io
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from moderation import actions
from moderation.cleanups import Posts, step, work
from moderation.models import Cleanup
from tasks.models import Task
from tests.moderation.cleanups.twins import Community, picture, write

pytestmark = [pytest.mark.django_db, pytest.mark.scale]


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
