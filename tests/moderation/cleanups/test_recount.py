"""`manage.py recount` finds whatever is kept wrong, and mends it."""

import io
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F
from django.utils import timezone

from discussions import actions as discussions
from discussions.models import Discussion, Participant, Reply
from makerlog.accounts.actions import follow
from makerlog.accounts.models import Maker
from makerlog.demo.community import Wanted, add
from moderation.management.commands.recount import COMPARISONS
from products.actions import create_product, get_or_create_project
from products.models import Membership, Product
from tasks import actions as tasks
from tasks.models import DayCount, Task, TaskComment, TaskProduct, TaskProject
from tests.discussions.talks import make_discussion, make_reply
from tests.makers import make_maker
from tests.tasks.logs import log

pytestmark = pytest.mark.django_db


@pytest.fixture
def community() -> None:
    alice, bob = make_maker("alice"), make_maker("bob")
    follow(follower=bob, followed=alice)
    project = get_or_create_project(author=alice, name="honey")
    create_product(author=alice, name="Honey", projects=[project.pk])
    task = log(alice, "Jar #honey", done_at=timezone.now())
    log(alice, done_at=timezone.now() - timedelta(days=1))
    tasks.praise(task=task, maker=bob)
    tasks.comment(task=task, author=bob, content="Nice")
    reply = make_reply(make_discussion(alice), bob)
    discussions.praise(reply=reply, maker=alice)


def recount(*arguments: str) -> str:
    out = io.StringIO()
    try:
        call_command("recount", *arguments, stdout=out)
    except CommandError as error:
        out.write(str(error))
    return out.getvalue()


WRONG: list[tuple[Any, dict[str, Any], str]] = [
    (Maker, {"follower_count": 7}, "followers of maker {pk}: kept 7, in fact 1"),
    (Product, {"listed": False}, "being listed of product {pk}: kept false, in fact true"),
    (Membership, {"listed": False}, "being listed of place {pk}: kept false, in fact true"),
    (Task, {"praise": 5}, "praise of task {pk}: kept 5, in fact 1"),
    (Task, {"comment_count": F("comment_count") + 1}, "comments of task {pk}: kept 2, in fact 1"),
    (Task, {"listed": False}, "being listed of task {pk}: kept false, in fact true"),
    (Task, {"done_on": None}, "day of task {pk}: kept None, in fact"),
    (TaskProject, {"listed": False}, "place in the list of a project of task filing {pk}: kept (f,"),
    (TaskProduct, {"created_at": "2020-01-01T00:00Z"}, "place in the list of a product of task filing {pk}: kept (t,"),
    (DayCount, {"done": 9}, "tasks done of maker"),
    (DayCount, {"listed": 0}, "public tasks done of maker"),
    (Maker, {"public_run_length": 9}, "rhythm of maker {pk}: kept"),
    (Maker, {"run_length": 9}, "rhythm of maker {pk}: kept"),
    (Maker, {"last_day": date(2020, 1, 1)}, "rhythm of maker {pk}: kept"),
    (Maker, {"week_counts": [1] * 7}, "rhythm of maker {pk}: kept"),
    (Discussion, {"reply_count": 3}, "replies of discussion {pk}: kept 3, in fact 1"),
    (Discussion, {"listed": False}, "being listed of discussion {pk}: kept false, in fact true"),
    (Participant, {"hidden": True}, "people of discussion"),
    (Reply, {"praise": 0}, "praise of reply {pk}: kept 0, in fact 1"),
]


@pytest.mark.parametrize(("model", "values", "said"), WRONG, ids=lambda value: getattr(value, "__name__", None))
def test_what_is_kept_wrong_is_found_and_mended(model: Any, values: Any, said: str, community: None) -> None:
    assert recount() == "0 differences.\n"
    row = model.objects.order_by("pk").first()
    model.objects.filter(pk=row.pk).update(**values)
    told = recount()
    assert said.format(pk=row.pk) in told
    assert told.endswith("recount --mend sets it right.")
    assert recount("--mend").endswith(", all mended.\n")
    assert recount() == "0 differences.\n"


@pytest.mark.parametrize("model", [TaskProduct, Participant, DayCount])
def test_rows_that_are_missing_come_back(model: Any, community: None) -> None:
    before = list(model.objects.order_by("pk").values(*{f.attname for f in model._meta.concrete_fields} - {"id"}))
    model.objects.all().delete()
    assert "all mended" in recount("--mend")
    after = model.objects.values(*before[0])
    assert sorted(after, key=str) == sorted(before, key=str)


def test_rows_that_are_too_many_go(community: None) -> None:
    charlie, discussion = make_maker("charlie"), Discussion.objects.get()
    Participant.objects.create(discussion=discussion, maker=charlie)
    DayCount.objects.create(author=charlie, day=date(2026, 5, 1), done=2)
    assert "all mended" in recount("--mend")
    assert not Participant.objects.filter(maker=charlie).exists()
    assert not DayCount.objects.filter(author=charlie, done__gt=0).exists()


def test_many_differences_are_mended_batch_by_batch_and_a_hundred_said(monkeypatch: pytest.MonkeyPatch) -> None:
    alice = make_maker()
    Task.objects.bulk_create(Task(author=alice, content=str(number), praise=1) for number in range(150))
    TaskComment.objects.bulk_create(TaskComment(task=task, author=alice, content="Nice") for task in Task.objects.all())
    for comparison in COMPARISONS:
        if comparison.name in ("praise of task", "comments of task"):
            monkeypatch.setitem(comparison.__dict__, "batch", 40)
    told = recount()
    assert told.count("praise of task ") == 100
    assert "... and 50 more: praise of task." in told
    assert recount("--mend").endswith("300 differences, all mended.\n")


def test_a_made_up_community_holds_no_difference() -> None:
    list(add(Wanted(makers=30, tasks=300, products=10, discussions=20), seed=1, now=timezone.now()))
    assert recount() == "0 differences.\n"
