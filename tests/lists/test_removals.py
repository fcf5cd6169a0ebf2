"""GET /tasks/deleted/, /products/deleted/, /discussions/deleted/: what an app that mirrors a list can drop."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection, connections, transaction
from django.db.models import F
from django.utils import timezone

from discussions.actions import open_discussion
from discussions.hiding import hide_discussions, show_discussions
from discussions.models import Discussion, DiscussionRemoval
from makerlog.accounts.actions import delete_account, update_profile
from makerlog.accounts.models import Maker
from makerlog.api.filters import COMMIT_HORIZON
from makerlog.api.removals import KEPT
from makerlog.jobs.schedule import purge_all_removals
from products.actions import change_product, change_project, create_product, create_project, delete_product
from products.hiding import hide_products, show_products
from products.models import Product, ProductRemoval, Project
from tasks.actions import change_task, delete_task
from tasks.hiding import hide_tasks, show_tasks
from tasks.models import Task, TaskRemoval
from tests.errors import assert_error
from tests.makers import anonymous, make_maker
from tests.tasks.logs import log

KINDS = ("tasks", "products", "discussions")
REMOVALS = {"tasks": TaskRemoval, "products": ProductRemoval, "discussions": DiscussionRemoval}


class Shop:
    """A maker with one of each kind, the task filed under the product's project."""

    def __init__(self, **values: Any) -> None:
        self.maker = make_maker("alice", **values)
        self.project: Project = create_project(author=self.maker, name="shop")[0]
        self.product: Product = create_product(author=self.maker, name="Shop", projects=[self.project.pk])
        self.task: Task = log(self.maker, "Opened #shop")
        self.discussion: Discussion = open_discussion(author=self.maker, title="Shops")

    def ids(self, kinds: Any) -> dict[str, list[int]]:
        rows = {"tasks": self.task_id, "products": self.product_id, "discussions": self.discussion_id}
        return {kind: [rows[kind]] if kind in kinds else [] for kind in KINDS}

    def remember(self) -> "Shop":
        self.task_id, self.product_id, self.discussion_id = self.task.pk, self.product.pk, self.discussion.pk
        return self

    def make(self, **private: bool) -> None:
        [(what, is_private)] = private.items()
        if what == "maker":
            update_profile(maker=self.maker, private=is_private)
        elif what == "project":
            change_project(project=self.project, private=is_private)
        else:
            product = Product.objects.get(pk=self.product.pk)
            change_product(product=product, maker=self.maker, private=is_private)


def gone(query: str = "") -> dict[str, list[int]]:
    """What is told to everybody; as if what was written just now were seconds old, as the commit horizon asks."""
    answers = {}
    for kind, model in REMOVALS.items():
        model.objects.update(deleted_at=F("deleted_at") - timedelta(seconds=5))
        response = anonymous().get(f"/{kind}/deleted/{query}")
        assert response.status_code == 200, response.content
        answers[kind] = [row["id"] for row in response.json()["results"]]
    return answers


Act = Callable[[Shop], Any]
ACTS: dict[str, tuple[Act, set[str]]] = {
    "its author deletes a task": (lambda shop: delete_task(task=shop.task), {"tasks"}),
    "its owner deletes a product": (lambda shop: delete_product(product=shop.product, maker=shop.maker), {"products"}),
    "a discussion is deleted": (lambda shop: shop.discussion.delete(), {"discussions"}),
    "the maker goes private": (lambda shop: shop.make(maker=True), {*KINDS}),
    "the project goes private": (lambda shop: shop.make(project=True), {"tasks"}),
    "the product goes private": (lambda shop: shop.make(product=True), {"tasks", "products"}),
    "a task moves into a private project": (
        lambda shop: [
            create_project(author=shop.maker, name="secret", private=True),
            change_task(task=shop.task, content="x #secret"),
        ],
        {"tasks"},
    ),
    "moderation hides a task": (
        lambda shop: hide_tasks(ids=[shop.task.pk], cleanup=1, to_everybody=False),
        {"tasks"},
    ),
    "moderation hides a product": (lambda shop: hide_products(ids=[shop.product.pk], cleanup=1), {"products"}),
    "moderation hides a discussion": (
        lambda shop: hide_discussions(ids=[shop.discussion.pk], cleanup=1),
        {"discussions"},
    ),
    "the account is deleted": (lambda shop: delete_account(maker=shop.maker), {*KINDS}),
}


@pytest.mark.django_db
@pytest.mark.parametrize("act", ACTS)
def test_a_mirror_is_told_what_left_the_public_when(act: str) -> None:
    shop = Shop().remember()
    do, kinds = ACTS[act]
    assert gone() == shop.ids(())
    do(shop)
    assert gone() == shop.ids(kinds)


@pytest.mark.django_db
@pytest.mark.parametrize("act", ACTS)
def test_what_was_never_public_is_never_told(act: str) -> None:
    shop = Shop(private=True).remember()
    ACTS[act][0](shop)
    update_profile(maker=shop.maker, private=True) if Maker.objects.filter(username="alice").exists() else None
    assert gone() == shop.ids(())


BACK: dict[str, tuple[Act, Act]] = {
    "maker": (lambda shop: shop.make(maker=True), lambda shop: shop.make(maker=False)),
    "project": (lambda shop: shop.make(project=True), lambda shop: shop.make(project=False)),
    "product": (lambda shop: shop.make(product=True), lambda shop: shop.make(product=False)),
    "hidden task": (ACTS["moderation hides a task"][0], lambda shop: show_tasks(ids=[shop.task.pk], cleanup=1)),
    "hidden product": (
        ACTS["moderation hides a product"][0],
        lambda shop: show_products(ids=[shop.product.pk], cleanup=1),
    ),
    "hidden discussion": (
        ACTS["moderation hides a discussion"][0],
        lambda shop: show_discussions(ids=[shop.discussion.pk], cleanup=1),
    ),
}


@pytest.mark.django_db
@pytest.mark.parametrize("what", BACK)
def test_what_is_public_again_is_told_by_updated_since_and_as_gone_no_more(what: str) -> None:
    shop = Shop().remember()
    leave, come_back = BACK[what]
    before = timezone.now().isoformat()
    leave(shop)
    told = gone()
    assert any(told.values())
    Task.objects.update(updated_at="2020-01-01T00:00Z")
    come_back(shop)
    assert gone() == shop.ids(())
    for kind, model in (("tasks", Task), ("products", Product), ("discussions", Discussion)):
        if told[kind]:
            assert model._base_manager.filter(pk__in=told[kind], updated_at__gte=before, listed=True).exists()


@pytest.mark.django_db
def test_what_left_twice_is_told_once_as_of_the_last_time() -> None:
    shop = Shop().remember()
    shop.make(maker=True)
    first = TaskRemoval.objects.get().deleted_at
    shop.make(maker=False)
    shop.make(maker=True)
    delete_account(maker=shop.maker)
    assert TaskRemoval.objects.get().deleted_at > first


@pytest.mark.django_db
def test_a_mirror_goes_on_from_the_last_it_was_told() -> None:
    now = timezone.now()
    TaskRemoval.objects.bulk_create(
        TaskRemoval(id=number, deleted_at=now - timedelta(minutes=100 - number)) for number in range(50)
    )
    page = anonymous().get("/tasks/deleted/?limit=20").json()
    found = page["results"]
    while page["next"]:
        page = anonymous().get(page["next"]).json()
        found += page["results"]
    assert [row["id"] for row in found] == [*range(50)]
    assert set(found[0]) == {"id", "deleted_at"}
    since = quote(found[40]["deleted_at"])
    assert [row["id"] for row in anonymous().get(f"/tasks/deleted/?since={since}").json()["results"]] == [
        *range(40, 50)
    ]
    assert_error(anonymous().get("/tasks/deleted/?since=soon"), 400, "bad_parameter")


@pytest.mark.django_db
def test_removals_are_told_and_kept_for_thirty_days() -> None:
    now = timezone.now()
    for model in REMOVALS.values():
        model.objects.create(id=1, deleted_at=now - KEPT - timedelta(hours=1))
        model.objects.create(id=2, deleted_at=now - KEPT + timedelta(hours=1))
    assert gone("?since=2020-01-01") == {kind: [2] for kind in KINDS}
    assert purge_all_removals() == 3
    assert gone() == {kind: [2] for kind in KINDS}


def wait_past_the_horizon() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [COMMIT_HORIZON.total_seconds() + 0.1])


@pytest.mark.django_db(transaction=True)
def test_a_removal_that_is_committed_late_is_not_passed_by() -> None:
    """While one who began first still writes, nothing from after that is told: a mirror would go on from there."""
    shop = Shop().remember()
    other = log(shop.maker, "other")
    slow = connections.create_connection("default")
    try:
        with slow.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("DELETE FROM tasks_taskproject WHERE task_id = %s", [shop.task_id])
            cursor.execute("DELETE FROM tasks_taskproduct WHERE task_id = %s", [shop.task_id])
            cursor.execute("DELETE FROM tasks_task WHERE id = %s", [shop.task_id])
            with transaction.atomic():
                delete_task(task=other)
            wait_past_the_horizon()
            assert anonymous().get("/tasks/deleted/").json()["results"] == []
            cursor.execute("COMMIT")
    finally:
        slow.close()
    wait_past_the_horizon()
    told = [row["id"] for row in anonymous().get("/tasks/deleted/").json()["results"]]
    assert told == [shop.task_id, other.pk]
