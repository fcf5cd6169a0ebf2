"""What the public form of a maker counts: what everybody can see, and nothing that would tell of what is private."""

from collections import Counter
from datetime import date, datetime, timedelta
from importlib import import_module
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from makerlog.accounts.actions import update_profile
from makerlog.accounts.models import Maker
from makerlog.accounts.rhythm import WEEK
from products.actions import change_product, change_project, create_product, create_project
from products.models import Product, Project
from tasks.actions import change_task, delete_task
from tasks.hiding import hide_tasks, show_tasks
from tasks.models import DayCount, Task
from tests.makers import anonymous, caller, make_maker
from tests.tasks.logs import NOON, log

pytestmark = pytest.mark.django_db

NUMBERS = ("streak", "week_tda", "maker_score", "streak_end_date")


@pytest.fixture(autouse=True)
def at_noon() -> Any:
    with time_machine.travel(NOON, tick=False):
        yield


def numbers(body: dict[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in NUMBERS}


def told_to_everybody(username: str = "alice") -> dict[str, Any]:
    return numbers(anonymous().get(f"/users/{username}/").json())


def log_days(maker: Maker, content: str, *days_ago: int) -> list[Task]:
    return [log(maker, content, done_at=NOON - timedelta(days=each)) for each in days_ago]


def test_a_private_makers_streak_and_score_do_not_move_for_others_and_are_true_on_me() -> None:
    alice = caller("alice", private=True)
    before = anonymous().get("/users/alice/")
    log_days(alice.maker, "secret", 0, 1, 2)
    after = anonymous().get("/users/alice/")
    assert (after.content, after["ETag"]) == (before.content, before["ETag"])
    assert numbers(after.json()) == {"streak": 0, "week_tda": 0, "maker_score": 0, "streak_end_date": None}
    for path in ("/me/", "/me/privileged/"):
        assert numbers(alice.get(path).json()) | {"streak_end_date": None} == {
            "streak": 3, "week_tda": 0, "maker_score": 6, "streak_end_date": None,
        }  # fmt: skip
    assert alice.get("/me/").json()["streak_end_date"] == "2026-05-22T00:00:00.000000Z"


@pytest.mark.parametrize(
    "path",
    ["/users/alice/", "/users/", "/tasks/", "/users/alice/recent_tasks/", "/products/shop/people/", "/me/following/"],
)
def test_tasks_of_a_private_project_count_nowhere_in_public(path: str) -> None:
    alice, bob = caller("alice"), caller("bob")
    create_project(author=alice.maker, name="secret", private=True)
    create_product(author=alice.maker, name="shop")
    bob.post("/users/alice/follow/")
    log_days(alice.maker, "shown", 0, 1)
    known = makers_in(bob.get(path).json())
    log_days(alice.maker, "#secret", 0, 2, 3, 4)
    assert makers_in(bob.get(path).json()) == known
    assert known["alice"]["streak"] == 2
    assert alice.get("/me/").json()["streak"] == 5


def makers_in(body: Any) -> dict[str, dict[str, Any]]:
    """The numbers of all makers somewhere in ``body``, by username."""
    if isinstance(body, list):
        return {name: each for item in body for name, each in makers_in(item).items()}
    if not isinstance(body, dict):
        return {}
    own = {body["username"]: numbers(body)} if "username" in body else {}
    return own | makers_in([*body.values()])


def test_who_goes_private_takes_the_numbers_along_and_brings_them_back() -> None:
    alice = caller("alice")
    log_days(alice.maker, "x", 0, 1, 2)
    shown = told_to_everybody()
    assert shown["streak"] == 3
    alice.patch("/me/", {"private": True})
    assert told_to_everybody()["streak"] == 0
    assert alice.get("/me/").json()["streak"] == 3
    alice.patch("/me/", {"private": False})
    assert told_to_everybody() == shown


def test_a_product_that_goes_private_takes_its_tasks_out_of_the_numbers() -> None:
    alice = caller("alice")
    project, _ = create_project(author=alice.maker, name="shop")
    create_product(author=alice.maker, name="shop", projects=[project.pk])
    log_days(alice.maker, "x", 0)
    log_days(alice.maker, "#shop", 1, 2)
    assert told_to_everybody()["streak"] == 3
    alice.patch("/products/shop/", {"private": True})
    assert told_to_everybody()["streak"] == 1
    alice.delete("/products/shop/")
    assert told_to_everybody()["streak"] == 3


def test_text_that_moves_a_task_into_a_private_project_moves_the_numbers_with_it() -> None:
    alice = caller("alice")
    create_project(author=alice.maker, name="secret", private=True)
    [task] = log_days(alice.maker, "x", 0)
    for content, streak in (("x #secret", 0), ("x", 1), ("y #secret", 0)):
        alice.patch(f"/tasks/{task.pk}/", {"content": content})
        assert told_to_everybody()["streak"] == streak
        assert alice.get("/me/").json()["streak"] == 1
    alice.delete(f"/tasks/{task.pk}/")
    assert (told_to_everybody()["streak"], alice.get("/me/").json()["streak"]) == (0, 0)


def test_what_was_written_before_is_counted_by_the_migration() -> None:
    alice, bob = make_maker("alice"), make_maker("bob", private=True)
    create_project(author=alice, name="secret", private=True)
    for maker in (alice, bob):
        log_days(maker, "x", 0, 1, 2, 4)
        log_days(maker, "#secret", 0, 3)
    kept = list(Maker.objects.order_by("pk").values("public_run_length", "public_last_day", "public_week_counts"))
    DayCount.objects.update(listed=0)
    Maker.objects.update(public_run_length=0, public_last_day=None, public_week_counts=[0] * WEEK)
    migration = import_module("tasks.migrations.0007_count_public_tasks")
    migration.count_public_tasks(None, SimpleNamespace(connection=connection))
    assert list(Maker.objects.order_by("pk").values(*kept[0])) == kept
    call_command("recount")


# --- Any history ---


def rhythm_of(days: Counter[date]) -> tuple[int, date | None, list[int]]:
    """In plain Python: days in a row up to the last, that one, and the counts of the week that ends with it."""
    worked = {day for day, count in days.items() if count}
    if not worked:
        return 0, None, [0] * WEEK
    last = max(worked)
    run = 0
    while last - timedelta(days=run) in worked:
        run += 1
    return run, last, [days[last - timedelta(days=back)] for back in reversed(range(WEEK))]


class Diary:
    """What a maker did and who may see it, kept without the service. ``tasks``: their day by id."""

    def __init__(self) -> None:
        Maker.objects.filter(username="diarist").delete()
        self.maker = make_maker("diarist")
        self.project, _ = create_project(author=self.maker, name="p")
        self.product = create_product(author=self.maker, name="product", projects=[self.project.pk])
        self.tasks: dict[int, tuple[date | None, bool, bool]] = {}  # day, filed, hidden
        self.private: dict[str, bool] = {"maker": False, "project": False, "product": False}

    def days(self, *, public: bool) -> Counter[date]:
        closed = self.private["project"] or self.private["product"]
        days: Counter[date] = Counter()
        for day, filed, hidden in self.tasks.values():
            if day and not hidden and not (public and (self.private["maker"] or (filed and closed))):
                days[day] += 1
        return days

    def act(self, act: str, which: int, days_ago: int, flag: bool) -> None:
        self.maker.refresh_from_db()
        moment = NOON - timedelta(days=days_ago)
        content = "x #p" if flag else "x"
        if act == "log" or (act in ("edit", "move", "undo", "delete", "hide", "show") and not self.tasks):
            task = log(self.maker, content, done_at=moment)
            self.tasks[task.pk] = (self.day_of(moment), flag, False)
        elif act == "zone":
            update_profile(maker=self.maker, timezone=["UTC", "Asia/Tokyo", "America/Los_Angeles"][which % 3])
        elif act in self.private:
            self.private[act] = flag
            self.set_private(act, flag)
        else:
            pk = list(self.tasks)[which % len(self.tasks)]
            self.change(act, pk, content, moment, flag)

    def set_private(self, what: str, private: bool) -> None:
        if what == "maker":
            update_profile(maker=self.maker, private=private)
        elif what == "project":
            change_project(project=Project.objects.get(pk=self.project.pk), private=private)
        else:
            product = Product.objects.get(pk=self.product.pk)
            change_product(product=product, maker=self.maker, private=private)

    def change(self, act: str, pk: int, content: str, moment: datetime, flag: bool) -> None:
        day, filed, hidden = self.tasks[pk]
        task = Task.objects.select_related("author").get(pk=pk)
        if act == "delete":
            delete_task(task=task)
            del self.tasks[pk]
        elif act == "hide":
            hide_tasks(ids=[pk], cleanup=1, to_everybody=False)
            self.tasks[pk] = (day, filed, True)
        elif act == "show":
            show_tasks(ids=[pk], cleanup=1)
            self.tasks[pk] = (day, filed, False)
        elif act == "edit":
            change_task(task=task, content=content)
            self.tasks[pk] = (day, flag, hidden)
        elif act == "undo":
            change_task(task=task, done=False)
            self.tasks[pk] = (None, filed, hidden)
        else:
            change_task(task=task, done_at=moment)
            # A moment that stays as it was keeps its day, whatever the time zone has become since.
            self.tasks[pk] = (day if task.done_at == moment else self.day_of(moment), filed, hidden)

    def day_of(self, moment: datetime) -> date:
        return moment.astimezone(ZoneInfo(self.maker.timezone)).date()


ACTS = ["log", "log", "log", "edit", "move", "undo", "delete", "hide", "show", "zone", "maker", "project", "product"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    acts=st.lists(
        st.tuples(st.sampled_from(ACTS), st.integers(0, 9), st.integers(0, 12), st.booleans()), min_size=1, max_size=16
    )
)
def test_both_rhythms_are_what_plain_python_finds(acts: list[tuple[str, int, int, bool]]) -> None:
    diary = Diary()
    for act in acts:
        diary.act(*act)
    maker = diary.maker
    maker.refresh_from_db()
    own = (maker.run_length, maker.last_day, maker.week_counts)
    public = (maker.public_run_length, maker.public_last_day, maker.public_week_counts)
    assert own == rhythm_of(diary.days(public=False))
    assert public == rhythm_of(diary.days(public=True))
    counts = DayCount.objects.filter(author=maker, done__gt=0).values_list("day", "done", "listed")
    shown = diary.days(public=True)
    assert {day: (done, listed) for day, done, listed in counts} == {
        day: (done, shown[day]) for day, done in diary.days(public=False).items()
    }
