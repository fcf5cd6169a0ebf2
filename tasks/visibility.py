"""Keeps ``listed`` true to privacy, on tasks and on their filings. Set by set, never row by row."""

from django.db import connection
from django.db.models import Exists, OuterRef, Q, Subquery

from makerlog.accounts.models import Maker
from makerlog.api.columns import AnyOf
from products.events import announce_refiling
from products.models import Product
from tasks import days, events
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
    filed = filed_under(projects)
    before = holders_of(filed)
    refile(projects, filed)
    tasks = Task.objects.filter(Q(author__in=makers) | Q(AnyOf("pk", filed)))
    arriving, leaving = tasks.filter(listable(), listed=False), tasks.filter(~listable(), listed=True)
    events.leaving(leaving)
    days.move_many(days.listed_counts(arriving), back=True)
    days.move_many(days.listed_counts(leaving), back=False)
    if arriving.change(listed=True):
        events.resync_many(tasks)
    announce_refiling(before ^ holders_of(filed))
    leaving.change(listed=False)
    keep_filings(tasks)


def announce_rename(projects: list[int]) -> None:
    """Every task of these shows their name."""
    events.resync_many(Task.objects.filter(AnyOf("pk", filed_under(projects))), everywhere=True)


def holders_of(tasks: list[int]) -> set[int]:
    """Under which products these stand."""
    filings = TaskProduct.objects.filter(AnyOf("task", tasks))
    return set(filings.values_list("product", flat=True).distinct()) if tasks else set()


def keep_filings(tasks: TaskQuerySet) -> None:
    """Each place in a list is listed as its task is."""
    listed = Subquery(Task.objects.filter(pk=OuterRef("task")).values("listed"))
    for filing in (TaskProject, TaskProduct):
        filing.objects.filter(task__in=tasks.values("pk")).exclude(listed=listed).update(listed=listed)


def filed_under(projects: list[int]) -> list[int]:
    """The ids of their tasks: read first, and given to each statement as one list. Joined to tasks instead, they would be
    read anew for each task where PostgreSQL's statistics do not know yet how many they are."""
    filings = TaskProject.objects.filter(project__in=projects)
    return list(filings.values_list("task", flat=True).distinct()) if projects else []


def listable() -> Q:
    """Whether a task may be in a public list: not hidden, and nothing it belongs to is private."""
    return Q(hidden=False) & public()


def public() -> Q:
    """Whether nothing that a task belongs to is private."""
    private_project = TaskProject.objects.filter(task=OuterRef("pk"), project__private=True)
    private_product = TaskProduct.objects.filter(task=OuterRef("pk"), product__private=True)
    private_author = Maker.objects.filter(pk=OuterRef("author"), private=True)
    return Q(~Exists(private_project), ~Exists(private_product), ~Exists(private_author))


def refile(projects: list[int], filed: list[int]) -> None:
    """The tasks of these projects, ``filed``, stand under exactly the products that hold the projects now."""
    holders = Product.objects.filter(pk=OuterRef("product"), projects__filings__task=OuterRef("task"))
    TaskProduct.objects.filter(~Exists(holders), AnyOf("task", filed)).delete()
    with connection.cursor() as cursor:
        cursor.execute(FILE_UNDER_PRODUCTS, [projects])
