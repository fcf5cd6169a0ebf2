"""What a clean-up of moderation hides, and shows again: many at once, each call one transaction, counters included.

``cleanup``: None where a moderator hides or shows one by itself.

Locked as by whoever writes them: authors first, in the order of their ids, then tasks. Nothing of what was true before is
written down: the mark says what to show again (see content.Posted).
"""

from collections import Counter
from collections.abc import Collection

from django.db import connection, transaction

from products.actions import lock_makers
from tasks import days, events
from tasks.models import Task, TaskComment, TaskProduct, TaskProject, TaskQuerySet
from tasks.visibility import keep_filings, public

COUNT_COMMENTS = """
    UPDATE tasks_task SET comment_count = greatest(comment_count + changed.by, 0), updated_at = statement_timestamp()
    FROM unnest(%s::bigint[], %s::int[]) AS changed (task, by) WHERE tasks_task.id = changed.task
"""


@transaction.atomic
def hide_tasks(*, ids: Collection[int], cleanup: int | None, to_everybody: bool) -> int:
    """How many of these were not hidden before. ``to_everybody``: whether the stream of all tasks is told of each, too;
    those of their makers and products are."""
    tasks = held(Task.objects.filter(pk__in=ids, hidden=False))
    events.hiding(tasks, to_everybody=to_everybody)
    days.keep([task for task in tasks if task.done_at and not task.done_on])
    days.move_many(days.counts_of((task.author_id, task.done_on, task.listed) for task in tasks), back=False)
    hidden = Task.objects.filter(pk__in=[task.pk for task in tasks])
    hidden.change(hidden=True, listed=False, cleanup=cleanup)
    for filing in (TaskProject, TaskProduct):
        filing.objects.filter(task__in=tasks, listed=True).update(listed=False)
    return len(tasks)


@transaction.atomic
def show_tasks(*, ids: Collection[int], cleanup: int | None) -> int:
    """How many of these the clean-up still held hidden. Each is as public as what it belongs to is now."""
    tasks = held(Task.objects.filter(pk__in=ids, cleanup=cleanup, hidden=True))
    shown = Task.objects.filter(pk__in=[task.pk for task in tasks])
    shown.filter(public()).change(hidden=False, cleanup=None, listed=True)
    shown.filter(cleanup=cleanup, hidden=True).change(hidden=False, cleanup=None)
    keep_filings(shown)
    events.resync_many(shown, everywhere=True)
    days.move_many(days.counts_of(shown.values_list("author", "done_on", "listed")), back=True)
    return len(tasks)


def held(tasks: TaskQuerySet) -> list[Task]:
    """These, locked, with what is asked of them here."""
    lock_makers(tasks.values_list("author", flat=True))
    rows = tasks.select_for_update(of=("self",), no_key=True).select_related("author").order_by("pk")
    return list(rows.only("author__timezone", "done_at", "done_on", "listed"))


@transaction.atomic
def hide_comments(*, ids: Collection[int], cleanup: int | None) -> int:
    """How many of these were not hidden before."""
    tasks = lock_tasks_of(ids)
    shown = TaskComment.objects.filter(pk__in=ids, task__in=tasks, hidden=False)
    counts = Counter(shown.values_list("task", flat=True))
    hidden = shown.update(hidden=True, cleanup=cleanup)
    count_comments({task: -by for task, by in counts.items()})
    return hidden


@transaction.atomic
def show_comments(*, ids: Collection[int], cleanup: int | None) -> int:
    """How many of these the clean-up still held hidden."""
    tasks = lock_tasks_of(ids)
    hidden = TaskComment.objects.filter(pk__in=ids, task__in=tasks, cleanup=cleanup, hidden=True)
    counts = Counter(hidden.values_list("task", flat=True))
    shown = hidden.update(hidden=False, cleanup=None)
    count_comments(counts)
    return shown


def lock_tasks_of(comments: Collection[int]) -> list[int]:
    """The tasks that these comments are on; whoever comments, or deletes a comment, waits."""
    found = TaskComment.objects.filter(pk__in=comments)
    lock_makers(found.values_list("author", flat=True))
    tasks = Task.objects.filter(pk__in=found.values("task")).select_for_update(no_key=True).order_by("pk")
    return list(tasks.values_list("pk", flat=True))


def count_comments(changes: dict[int, int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(COUNT_COMMENTS, [[*changes], [*changes.values()]])
