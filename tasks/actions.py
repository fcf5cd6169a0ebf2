"""What may happen to tasks. Keyword-only; each is one transaction, counters included.

Whoever writes a task first locks its author, then the task: always in that order, so that no two wait for each other.
Whoever makes a maker, a project or a product private holds the same author, so no task is listed by what was true a
moment ago. ``no_key``: others' praise and comments, whose foreign keys share these rows, do not wait.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import F, QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from makerlog.accounts import media
from makerlog.accounts.actions import locked_maker
from makerlog.accounts.models import Maker
from makerlog.api.written import fetched
from products.actions import get_or_create_projects
from products.models import Product
from tasks import days, events
from tasks.hashtags import project_names
from tasks.models import DeletedTask, Task, TaskComment, TaskPraise, TaskProduct, TaskProject

ATTACHMENT = Task._meta.get_field("attachment")


@media.atomic()
def log_task(*, author: Maker, external_id: str | None = None, **values: Any) -> tuple[Task, bool]:
    """A new task and True; or, where ``external_id`` is known, the task it names and False."""
    author = locked_maker(author, no_key=True)
    if external_id and (known := author.tasks.filter(external_id=external_id).first()):
        return known, False
    values = media.with_file(settled(values), ATTACHMENT, maker=author)
    done_on = days.day_of(author, values.get("done_at"))
    filed = named_in(values["content"], author)
    listed = not (author.private or filed.private)
    task = author.tasks.create(external_id=external_id or None, done_on=done_on, listed=listed, **values)
    file_under(task, filed)
    days.move(maker=author, left=None, reached=days.counted_on(task, author))
    events.created(task, filed=bool(filed.products))
    return task, True


@media.atomic()
def change_task(*, task: Task, **values: Any) -> Task:
    """Changes a task of one's own; its projects and its author's day counts follow."""
    author = locked_maker(task.author, no_key=True)
    task = locked(task)
    task.author = author
    before, shown = days.counted_on(task, author), set(events.public(task))
    if external_id := values.get("external_id"):
        require_free(external_id, task)
    values = media.with_file(settled(values, task), ATTACHMENT, maker=author, old=task.attachment.name or "")
    if values.get("done_at", task.done_at) != task.done_at:
        values["done_on"] = days.day_of(author, values["done_at"])
    for name, value in values.items():
        setattr(task, name, value)
    task.save(update_fields=[*values])
    Task.objects.filter(pk=task.pk).change()
    if "content" in values:
        file_anew(task)
    if not task.hidden:
        days.move(maker=author, left=before, reached=days.counted_on(task, author))
    events.changed(task, before=shown)
    return task


@transaction.atomic
def delete_task(*, task: Task) -> None:
    """Deletes a task for good; a tombstone tells clients that sync."""
    author = locked_maker(task.author, no_key=True)
    task = locked(task)
    DeletedTask.objects.create(task_id=task.pk, author=author)
    if not task.hidden:
        days.move(maker=author, left=days.counted_on(task, author), reached=None)
        events.deleted(task)
    media.forget([task.attachment.name or ""])
    task.delete()


def locked(task: Task) -> Task:
    """The task as it is now, kept so until the transaction ends; a 404 where it is gone."""
    return get_object_or_404(Task.objects.select_for_update(no_key=True), pk=task.pk)


def require_free(external_id: str, task: Task) -> None:
    if Task.objects.filter(author=task.author, external_id=external_id).exclude(pk=task.pk).exists():
        raise ValidationError({"external_id": ["Another task of yours has this external_id."]})


def settled(values: dict[str, Any], task: Task | None = None) -> dict[str, Any]:
    """``values`` with ``done``, ``done_at`` and ``in_progress`` agreeing: done_at follows done, and what is done is no
    longer in progress. A done_at alone says that the task is done."""
    known = {"done": task.done, "done_at": task.done_at} if task else {"done": False, "done_at": None}
    if not {"done", "done_at", "in_progress"} & set(values):
        return values
    done = values.get("done", known["done"] or bool(values.get("done_at")))
    if not done:
        return {**values, "done": False, "done_at": None}
    done_at = values.get("done_at") or known["done_at"] or timezone.now()
    return {**values, "done": True, "done_at": done_at, "in_progress": False}


class Filed(NamedTuple):
    """What a task is filed under, by id, and whether any of it is private."""

    projects: list[int]
    products: list[int]
    private: bool


def named_in(content: str, author: Maker) -> Filed:
    """The projects that ``content`` names, which are made where the author has none so called; and their products."""
    names = project_names(content)
    projects = get_or_create_projects(author=author, names=names) if names else []
    pks = [project.pk for project in projects]
    products = dict(fetched("products holding", pks, holding)) if pks else {}
    private = any(project.private for project in projects) or any(products.values())
    return Filed(pks, list(products), private)


def holding(projects: Sequence[int]) -> QuerySet[Product, Any]:
    """The products that hold these projects, by id, and whether they are private."""
    return Product.objects.filter(projects__in=projects).distinct().values_list("pk", "private")


def file_anew(task: Task) -> None:
    """As a task's changed content says; lists it if nothing is private."""
    filed = named_in(task.content, task.author)
    task.listed = not (task.author.private or filed.private or task.hidden)
    Task.objects.filter(pk=task.pk).update(listed=task.listed)
    task.project_filings.all().delete()
    task.product_filings.all().delete()
    file_under(task, filed)


def file_under(task: Task, filed: Filed) -> None:
    """Files a task that is filed under nothing yet."""
    kept = {"created_at": task.created_at, "listed": task.listed}
    TaskProject.objects.bulk_create(TaskProject(task=task, project_id=pk, **kept) for pk in filed.projects)
    TaskProduct.objects.bulk_create(TaskProduct(task=task, product_id=pk, **kept) for pk in filed.products)


@transaction.atomic
def praise(*, task: Task, maker: Maker) -> bool:
    """Whether the maker praises the task now: True."""
    locked(task)
    _, new = TaskPraise.objects.get_or_create(task=task, maker=maker)
    if new:
        Task.objects.filter(pk=task.pk).change(praise=F("praise") + 1)
    return True


@transaction.atomic
def withdraw_praise(*, task: Task, maker: Maker) -> bool:
    """Whether the maker praises the task now: False."""
    locked(task)
    gone, _ = TaskPraise.objects.filter(task=task, maker=maker).delete()
    if gone:
        Task.objects.filter(pk=task.pk).change(praise=F("praise") - 1)
    return False


@transaction.atomic
def comment(*, task: Task, author: Maker, content: str, **values: Any) -> TaskComment:
    locked(task)
    made = TaskComment.objects.create(task=task, author=author, content=content, **values)
    Task.objects.filter(pk=task.pk).change(comment_count=F("comment_count") + 1)
    return made


@transaction.atomic
def change_comment(*, comment: TaskComment, content: str) -> TaskComment:
    comment.content, comment.updated_at = content, timezone.now()
    comment.save(update_fields=["content", "updated_at"])
    return comment


@transaction.atomic
def delete_comment(*, comment: TaskComment) -> None:
    locked(comment.task)
    found = TaskComment.objects.filter(pk=comment.pk)
    hidden = found.values_list("hidden", flat=True).first()
    gone, _ = found.delete()
    if gone and not hidden:
        Task.objects.filter(pk=comment.task_id).change(comment_count=F("comment_count") - 1)
