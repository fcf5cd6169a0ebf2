"""Keeps ``listed`` true to privacy, on tasks and on their filings. Set by set, never row by row."""

from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from makerlog.accounts.models import Maker
from products.models import Product
from tasks import events
from tasks.models import Task, TaskProduct, TaskProject, TaskQuerySet

FILE_UNDER_PRODUCTS = """
    INSERT INTO tasks_taskproduct (task_id, product_id, created_at, listed)
    SELECT DISTINCT filing.task_id, held.product_id, filing.created_at, filing.listed
    FROM tasks_taskproject filing JOIN products_product_projects held USING (project_id)
    WHERE filing.project_id = ANY(%s)
    ON CONFLICT (task_id, product_id) DO NOTHING
"""


def relist(makers: list[int], projects: list[int]) -> None:
    """Brings up to date the tasks of these makers, and those filed under these projects."""
    refile(projects)
    tasks = Task.objects.filter(Q(author__in=makers) | Q(pk__in=filed_under(projects)))
    events.leaving(tasks.filter(~listable(), listed=True))
    tasks.filter(listable(), listed=False).change(listed=True)
    tasks.filter(~listable(), listed=True).change(listed=False)
    keep_filings(tasks)


def keep_filings(tasks: TaskQuerySet) -> None:
    """Each place in a list is listed as its task is."""
    listed = Subquery(Task.objects.filter(pk=OuterRef("task")).values("listed"))
    for filing in (TaskProject, TaskProduct):
        filing.objects.filter(task__in=tasks.values("pk")).exclude(listed=listed).update(listed=listed)


def filed_under(projects: list[int]) -> QuerySet[TaskProject, Any]:
    return TaskProject.objects.filter(project__in=projects).values("task")


def listable() -> Q:
    """Whether a task may be in a public list: not hidden, and nothing it belongs to is private."""
    return Q(hidden=False) & public()


def public() -> Q:
    """Whether nothing that a task belongs to is private."""
    private_project = TaskProject.objects.filter(task=OuterRef("pk"), project__private=True)
    private_product = TaskProduct.objects.filter(task=OuterRef("pk"), product__private=True)
    private_author = Maker.objects.filter(pk=OuterRef("author"), private=True)
    return Q(~Exists(private_project), ~Exists(private_product), ~Exists(private_author))


def refile(projects: list[int]) -> None:
    """The tasks of these projects stand under exactly the products that hold the projects now."""
    holders = Product.objects.filter(pk=OuterRef("product"), projects__filings__task=OuterRef("task"))
    TaskProduct.objects.filter(~Exists(holders), task__in=filed_under(projects)).delete()
    with connection.cursor() as cursor:
        cursor.execute(FILE_UNDER_PRODUCTS, [projects])
