"""`manage.py demo` adds what it is asked for, and keeps everything true."""

from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone

from discussions.models import Discussion, Reply, ReplyPraise
from makerlog.accounts.models import Follow, Maker
from makerlog.accounts.names import validate_username
from makerlog.demo import log
from makerlog.demo.bulk import free_names
from products.models import Membership, Product
from tasks.models import Task, TaskComment, TaskPraise, TaskProduct
from tests.demo.facts import assert_all_kept_values_are_facts

pytestmark = pytest.mark.django_db

SMALL = {"makers": 30, "tasks": 600, "products": 25, "discussions": 20}
TABLES = {"makers": Maker, "tasks": Task, "products": Product, "discussions": Discussion}


@pytest.fixture(autouse=True)
def _several_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("makerlog.demo.people.BATCH", 12)
    monkeypatch.setattr("makerlog.demo.shelf.BATCH", 10)
    monkeypatch.setattr("makerlog.demo.log.BATCH", 250)
    monkeypatch.setattr("makerlog.demo.talk.BATCH", 8)


def demo(**numbers: Any) -> str:
    out = StringIO()
    call_command("demo", **numbers, stdout=out)
    return out.getvalue()


def counts() -> dict[str, int]:
    return {name: model._default_manager.count() for name, model in TABLES.items()}


def test_it_adds_as_many_as_it_is_asked_for() -> None:
    said = demo(**SMALL)
    assert counts() == SMALL
    assert said.startswith("Added 30 makers, 600 tasks, 25 products, 20 discussions in ")


def test_all_that_is_kept_is_true() -> None:
    demo(**SMALL)
    assert_all_kept_values_are_facts()


def test_it_is_a_community_with_a_bit_of_everything() -> None:
    demo(**SMALL)
    for model in (Follow, TaskPraise, TaskComment, TaskProduct, Reply, ReplyPraise):
        assert model._default_manager.exists(), model
    assert Maker.objects.filter(private=True).exists()
    assert Task.objects.filter(listed=False).exists()
    assert Membership.objects.filter(owner=False).exists()
    assert Maker.objects.values("timezone").distinct().count() > 5
    assert 0.8 < Task.objects.filter(done=True).count() / 600 < 1


def test_nobody_can_log_in_and_nobody_gets_mail() -> None:
    demo(makers=3)
    for maker in Maker.objects.all():
        assert not maker.has_usable_password()
        assert maker.email == f"{maker.username}@demo.invalid"


def test_the_first_maker_is_called_demo_and_there_is_one() -> None:
    demo(makers=2)
    demo(makers=2)
    assert Maker.objects.filter(username="demo", private=False).count() == 1


def test_names_pass_the_rules_that_makers_names_must_pass() -> None:
    demo(makers=60, products=30)
    for maker in Maker.objects.all():
        validate_username(maker.username)


def test_tasks_are_in_the_order_of_their_dates_and_none_is_from_the_future() -> None:
    demo(makers=10, tasks=300)
    tasks = list(Task.objects.select_related("author").order_by("id"))
    moments = [task.created_at for task in tasks]
    assert moments == sorted(moments)
    assert moments[-1] <= timezone.now()
    assert all(task.author.date_joined <= task.created_at for task in tasks)
    assert all(task.created_at <= task.done_at <= timezone.now() for task in tasks if task.done_at)


# --- The seed ---


def rolled_back(work: Callable[[], Any]) -> Any:
    with transaction.atomic():
        result = work()
        transaction.set_rollback(True)
    return result


def content(seed: int) -> list[Any]:
    """What the community says, without the ids: sequences go on after a rollback."""
    demo(**SMALL, seed=seed)
    return [
        list(
            Maker.objects.order_by("id").values_list("username", "timezone", "date_joined", "private", "follower_count")
        ),
        list(Task.objects.order_by("id").values_list("author__username", "content", "created_at", "done_at", "praise")),
        list(Product.objects.order_by("id").values_list("slug", "author__username", "launched_at", "tags")),
        list(Discussion.objects.order_by("id").values_list("slug", "author__username", "body", "reply_count")),
        list(Reply.objects.order_by("id").values_list("author__username", "body", "created_at", "praise")),
    ]


@pytest.fixture
def _frozen() -> Iterator[None]:
    with time_machine.travel("2025-06-01T12:00:00+00:00", tick=False):
        yield


@pytest.mark.usefixtures("_frozen")
def test_the_same_seed_gives_the_same_community() -> None:
    assert rolled_back(lambda: content(7)) == rolled_back(lambda: content(7))


@pytest.mark.usefixtures("_frozen")
def test_another_seed_gives_another_community() -> None:
    one, other = rolled_back(lambda: content(7)), rolled_back(lambda: content(8))
    assert all(mine != theirs for mine, theirs in zip(one, other, strict=True))


# --- More of it ---


def test_a_second_run_adds_and_collides_with_nothing() -> None:
    demo(**SMALL)
    demo(**SMALL)
    assert counts() == {name: 2 * count for name, count in SMALL.items()}
    assert_all_kept_values_are_facts()


def test_without_new_makers_those_of_earlier_runs_do_more() -> None:
    demo(makers=12, tasks=200)
    somebody = Maker.objects.create(username="somebody", email="somebody@example.com")
    demo(tasks=200)
    demo(products=20)
    demo(discussions=10)
    assert counts() == {"makers": 13, "tasks": 400, "products": 20, "discussions": 10}
    assert TaskProduct.objects.exists()
    assert not somebody.tasks.exists()
    assert_all_kept_values_are_facts()


def test_taken_names_get_a_number() -> None:
    taken = {"ada", "ada2", "eve"}
    assert free_names(["ada", "ada", "bob", "eve"], taken.intersection) == ["ada3", "ada4", "bob", "eve2"]
    assert free_names(["eve"], taken.intersection, "-") == ["eve-2"]


def test_stopped_half_way_what_is_there_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, calls = log.count_days, []

    def stopped(*args: Any) -> None:
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        whole(*args)

    monkeypatch.setattr(log, "count_days", stopped)
    with pytest.raises(CommandError, match="Stopped; what was added is whole") as stop:
        demo(**SMALL)
    assert stop.value.returncode == 130
    assert counts() == {**SMALL, "tasks": 250, "discussions": 0}
    assert_all_kept_values_are_facts()


# --- Numbers that make no sense ---


@pytest.mark.parametrize("number", [-1, "many", "1.5", 10**12, ""])
def test_absurd_numbers_are_one_sentence(number: Any) -> None:
    with pytest.raises(CommandError, match=r"--tasks is .*, and must be a whole number from 0 to 20,000,000\.$"):
        demo(makers=1, tasks=number)
    assert not Maker.objects.exists()


def test_nothing_to_add_is_one_sentence() -> None:
    with pytest.raises(CommandError, match="Nothing to add"):
        demo()


def test_nobody_there_to_write_is_one_sentence() -> None:
    with pytest.raises(CommandError, match="There are no demo makers"):
        demo(tasks=10)
