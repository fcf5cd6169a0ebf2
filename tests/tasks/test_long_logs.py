"""What one act on a long log reads grows with the log, and not with its square; also where PostgreSQL knows of short ones
only, and so would rather read everything again for each row."""

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

import pytest
from django.db import connection

from makerlog.accounts.actions import delete_account, update_profile
from makerlog.accounts.models import Maker
from makerlog.api.recounting import compare
from products.actions import change_product, change_project, delete_product, delete_project
from products.models import Membership, Product, Project
from tasks.actions import change_task, delete_task
from tasks.facts import KEPT
from tasks.hiding import hide_tasks, show_tasks
from tasks.models import DayCount, Task, TaskComment, TaskPraise, TaskProduct, TaskProject
from tests.makers import make_maker
from tests.tasks.logs import NOON

pytestmark = pytest.mark.django_db

SHORT, LONG = 200, 2_000


class Log(NamedTuple):
    maker: Maker
    project: Project
    product: Product
    tasks: list[int]


def write_log(username: str, count: int) -> Log:
    """A task a day, each under one project and one product, with a comment and praise."""
    maker = make_maker(username)
    moments = [NOON - timedelta(days=number) for number in range(count)]
    tasks = Task.objects.bulk_create(
        Task(author=maker, content="x #log", done=True, done_at=at, done_on=at.date(), created_at=at,
             praise=1, comment_count=1)
        for at in moments
    )  # fmt: skip
    DayCount.objects.bulk_create(DayCount(author=maker, day=at.date(), done=1, listed=1) for at in moments)
    project = Project.objects.create(author=maker, name="log")
    product = Product.objects.create(author=maker, name="Log", slug=username)
    Membership.objects.create(product=product, maker=maker, owner=True)
    product.projects.add(project)
    for filing, holder in ((TaskProject, {"project": project}), (TaskProduct, {"product": product})):
        filing.objects.bulk_create(
            filing(task=task, created_at=task.created_at, listed=True, **holder) for task in tasks
        )
    TaskComment.objects.bulk_create(TaskComment(task=task, author=maker, content="x") for task in tasks)
    TaskPraise.objects.bulk_create(TaskPraise(task=task, maker=maker) for task in tasks)
    return Log(maker, project, product, [task.pk for task in tasks])


def undo_project(log: Log) -> None:
    change_project(project=log.project, private=True)
    change_project(project=log.project, private=False)


def undo_privacy(log: Log) -> None:
    update_profile(maker=log.maker, private=True)
    update_profile(maker=log.maker, private=False)


def undo_product(log: Log) -> None:
    change_product(product=log.product, maker=log.maker, projects=[])
    change_product(product=log.product, maker=log.maker, projects=[log.project.pk])


def undo_hiding(log: Log) -> None:
    hide_tasks(ids=log.tasks, cleanup=1, to_everybody=False)
    show_tasks(ids=log.tasks, cleanup=1)


def mend(log: Log) -> None:
    """As recount does: of those of this log, the filings are all wrong."""
    TaskProduct.objects.filter(task__in=log.tasks).update(product=write_log("other", 1).product)
    for comparison in KEPT:
        list(compare(comparison, mend=True))


def edit(log: Log) -> None:
    change_task(task=Task.objects.get(pk=log.tasks[0]), content="y #log #other")
    delete_task(task=Task.objects.get(pk=log.tasks[-1]))


ACTS: list[Callable[[Log], None]] = [
    undo_project,
    undo_privacy,
    undo_product,
    undo_hiding,
    mend,
    edit,
    lambda log: delete_project(project=log.project),
    lambda log: delete_product(product=log.product, maker=log.maker),
    lambda log: delete_account(maker=log.maker),
]
NAMES = [*(act.__name__ for act in ACTS[:6]), "delete_project", "delete_product", "delete_account"]


def rows_read() -> int:
    """In this transaction so far, by index or not."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables")
        return int(cursor.fetchone()[0])


def rows_read_by(act: Callable[[Log], None], log: Log) -> int:
    before = rows_read()
    act(log)
    return rows_read() - before


@pytest.mark.parametrize("act", ACTS, ids=NAMES)
def test_an_act_on_a_long_log_reads_in_proportion_to_it(act: Callable[[Log], None]) -> None:
    for number in range(200):
        write_log(f"maker{number}", 1)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute("SET LOCAL statement_timeout = 0")
    short, long = write_log("short", SHORT), write_log("long", LONG)
    few = rows_read_by(act, short)
    Maker.objects.filter(username="other").delete()
    assert rows_read_by(act, long) <= 2 * LONG / SHORT * few
