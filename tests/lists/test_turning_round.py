"""A reader who walks to and fro, while rows come and go, is shown every row that stays: none is skipped, none comes twice."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from discussions.models import Discussion, Reply
from makerlog.accounts.models import Maker
from makerlog.api import keyset, views
from products.models import Product
from tasks.models import Task, TaskComment, TaskProduct
from tests.lists.reading import linked, rows_of
from tests.makers import anonymous, caller
from tests.tasks.logs import NOON, bulk

pytestmark = pytest.mark.django_db


def ids(response: Any) -> list[int]:
    return [row["id"] for row in rows_of(response)]


# --- As it was reported ---


def test_next_of_a_page_that_was_emptied_skips_nothing() -> None:
    client = caller("alice")
    bulk(client.maker, 9)
    newest = list(Task.objects.order_by("-created_at").values_list("pk", flat=True))
    second = anonymous().get(anonymous().get("/tasks/?limit=3").json()["next"]).json()
    Task.objects.filter(pk__in=newest[:3]).delete()
    emptied = anonymous().get(second["previous"]).json()
    assert (emptied["results"], emptied["previous"]) == ([], None)
    assert ids(anonymous().get(emptied["next"])) == newest[3:6]


def test_previous_of_a_last_page_that_was_emptied_skips_nothing_in_a_bare_list_too() -> None:
    client = caller("alice")
    bulk(client.maker, 6)
    newest = list(Task.objects.order_by("-created_at").values_list("pk", flat=True))
    onward = linked(client.get("/tasks/me/?limit=3"), "next")
    Task.objects.filter(pk__in=newest[3:]).delete()
    emptied = client.get(onward)
    assert (ids(emptied), linked(emptied, "next")) == ([], None)
    assert ids(client.get(linked(emptied, "previous"))) == newest[:3]


@pytest.mark.parametrize("window", [2, 3, 50])
def test_a_search_that_finds_nothing_in_a_window_turns_round_without_a_gap(
    window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyset, "WINDOW", window)
    client = caller("alice")
    bulk(client.maker, 9)
    newest = list(Task.objects.order_by("-created_at").values_list("pk", flat=True))
    Task.objects.filter(pk__in=newest[:3]).update(content="found")
    page = anonymous().get("/tasks/?search=found&limit=3")
    shown = ids(page)
    while url := linked(page, "next"):
        page = anonymous().get(url)
        shown += ids(page)
        if not ids(page):
            break
    back = anonymous().get(linked(page, "previous")) if linked(page, "previous") else page
    assert shown == newest[:3]
    assert newest[2] in ids(back)


# --- Any walk ---


def add_task(maker: Maker, minutes: int) -> int:
    moment = NOON - timedelta(minutes=minutes)
    task = Task.objects.create(author=maker, content="walked", created_at=moment, updated_at=moment)
    product = maker.products.get()
    TaskProduct.objects.create(task=task, product=product, created_at=moment, listed=True)
    return task.pk


def add_noise(maker: Maker, minutes: int) -> int:
    """What a search looks at and does not find."""
    moment = NOON - timedelta(minutes=minutes)
    return Task.objects.create(author=maker, content="other", created_at=moment, updated_at=moment).pk


def add_comment(maker: Maker, minutes: int) -> int:
    return TaskComment.objects.create(task_id=maker.tasks.get(content="host").pk, author=maker, content="x").pk


def add_reply(maker: Maker, minutes: int) -> int:
    return Reply.objects.create(discussion=maker.discussions.get(), author=maker, body="x").pk


@dataclass(frozen=True)
class Walked:
    """A list, and how a row of it is made, so many minutes before noon. ``order``: of its rows, as they are shown.
    ``noisy``: whether it shows what a search would not find."""

    url: str
    add: Any
    model: Any
    order: tuple[str, ...]
    noisy: bool = False


NEWEST = ("-created_at", "-id")
LISTS = [
    Walked("/tasks/?user=walker", add_task, Task, NEWEST, noisy=True),
    Walked("/tasks/?ordering=created_at", add_task, Task, ("created_at", "id"), noisy=True),
    Walked("/tasks/?updated_since=2026-01-01", add_task, Task, ("updated_at", "id"), noisy=True),
    Walked("/tasks/?search=walked", add_task, Task, NEWEST),
    Walked("/tasks/?product=walked&search=walked", add_task, Task, NEWEST),
    Walked("/tasks/?product=walked", add_task, Task, NEWEST),
    Walked("/tasks/me/?", add_task, Task, NEWEST, noisy=True),
    Walked("/tasks/sync/?last_sync_date=2026-01-01", add_task, Task, ("updated_at", "id"), noisy=True),
    Walked("/tasks/{task}/comments/?", add_comment, TaskComment, ("id",)),
    Walked("/discussions/walked/replies/?", add_reply, Reply, ("id",)),
]


@dataclass
class Walk:
    """``fated``: rows that may go; the others stay. ``before``, ``behind``: how many of those that stay lie before the page
    and up to its end, in the list's order."""

    stays: list[int]
    fated: list[int] = field(default_factory=list)
    before: int = 0
    behind: int = 0

    def show(self, response: Any, rel: str) -> None:
        """Raises AssertionError where a row that stays is missing, or is shown in the wrong place."""
        assert response.status_code == 200, response.content
        shown = [pk for pk in ids(response) if pk in self.stays]
        if rel == "next":
            self.before, self.behind = self.behind, self.behind + len(shown)
        else:
            self.before, self.behind = self.before - len(shown), self.before
        assert shown == self.stays[max(self.before, 0) : self.behind]
        assert linked(response, "next") or self.behind == len(self.stays)
        if "previous" in response.json() or isinstance(response.json(), list):
            assert linked(response, "previous") or self.before == 0


Step = tuple[str, str, int]


@pytest.mark.parametrize("listed", LISTS, ids=lambda listed: listed.url)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fates=st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=14),
    limit=st.integers(1, 4),
    window=st.integers(1, 8),
    steps=st.lists(
        st.tuples(
            st.sampled_from(["next", "previous"]), st.sampled_from(["add", "end", "end page", "-"]), st.integers(0, 20)
        ),
        max_size=14,
    ),
)
@example(
    fates=[(minutes, minutes < 3) for minutes in range(9)],
    limit=3,
    window=8,
    steps=[("next", "end page", 0), ("previous", "-", 0), ("next", "-", 0)],
)
@example(
    fates=[(minutes, minutes > 2) for minutes in range(6)],
    limit=3,
    window=8,
    steps=[("next", "end", number) for number in range(3)] + [("previous", "-", 0)],
)
def test_no_row_that_stays_is_skipped_or_shown_twice_in_one_direction(
    listed: Walked, fates: list[tuple[int, bool]], limit: int, window: int, steps: list[Step]
) -> None:
    Maker.objects.filter(username="walker").delete()
    client = caller("walker")
    maker = client.maker
    Product.objects.create(author=maker, name="Walked", slug="walked")
    Discussion.objects.create(author=maker, title="Walked", slug="walked")
    host = Task.objects.create(author=maker, content="host", created_at=NOON, hidden=listed.model is Task, listed=False)
    made = {listed.add(maker, minutes): fated for minutes, fated in fates}
    made |= {add_noise(maker, minutes): not listed.noisy for minutes in range(0, 6, 2)} if listed.model is Task else {}
    rows = listed.model.objects
    stays = [pk for pk in rows.order_by(*listed.order).values_list("pk", flat=True) if made.get(pk) is False]
    walk = Walk(stays, [pk for pk, fated in made.items() if fated])
    url: str | None = f"{listed.url.format(task=host.pk)}&limit={limit}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keyset, "WINDOW", window)
        patch.setattr(views, "MAX_ROWS", limit)  # sync takes no limit
        response = client.get(url)
        walk.show(response, "next")
        for rel, act, number in steps:
            if act == "add":
                walk.fated.append(listed.add(maker, number % 6))
            elif act != "-" and walk.fated:
                page = {*ids(response)} & {*walk.fated}
                rows.filter(pk__in=page if act == "end page" else [walk.fated[number % len(walk.fated)]]).delete()
            if url := linked(response, rel):
                response = client.get(url)
                walk.show(response, rel)
