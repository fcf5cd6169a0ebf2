"""What is told of tasks, and to whom. Called within the transaction that writes, on the row as it is there: what is private
goes to its author and the teams it is filed under, in the form that each may read; what is hidden goes to nobody."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import F

from makerlog.api import statements
from makerlog.api.compiled import compiled
from makerlog.api.prepared import fetched
from makerlog.live.events import Event, publish, resync
from products.events import of_product, of_team
from tasks.models import Task, TaskProduct, TaskQuerySet
from tasks.serializers import TaskSerializer

EVERYBODY = "tasks"
ANYBODY = AnonymousUser()
MOST_LEAVING = 100  # told one by one when many go: what a client may have on its screen; then it is told to read again


def of_maker(maker: int) -> str:
    return f"maker:{maker}"


def own(maker: int) -> str:
    return f"maker:{maker}:own"


def created(task: Task, *, filed: bool) -> None:
    """``filed``: whether it stands under any product."""
    publish(*written("task.created", task, filed=filed))


def changed(task: Task, *, before: set[str]) -> None:
    """``before``: the public streams that it stood in."""
    gone = before.difference(public(task))
    deletion = Event("task.deleted", {"id": task.pk}, tuple(sorted(gone)), task.author_id)
    publish(deletion, *written("task.updated", task))


def deleted(task: Task) -> None:
    """Called before it is gone."""
    streams = (*public(task), own(task.author_id), *map(of_team, products(task)))
    publish(Event("task.deleted", {"id": task.pk}, streams, task.author_id))


def leaving(tasks: TaskQuerySet) -> None:
    """These are about to leave the public lists; the newest are told of, and where there are more, that there are."""
    # Ordered by an expression, so that they are sorted: an index of this order would be walked past everybody else's.
    rows = dict(tasks.order_by((F("pk") + 0).desc()).values_list("pk", "author")[: MOST_LEAVING + 1])
    if len(rows) > MOST_LEAVING:
        resync_many(tasks)
        rows.popitem()
    streams = {pk: [EVERYBODY, of_maker(author)] for pk, author in rows.items()}
    for pk, product in TaskProduct.objects.filter(task__in=rows).values_list("task", "product"):
        streams[pk].append(of_product(product))
    publish(*(Event("task.deleted", {"id": pk}, tuple(names), rows[pk]) for pk, names in streams.items()))


def resync_many(tasks: TaskQuerySet, *, everywhere: bool = False) -> None:
    """Whoever follows a public stream of these reads it again; ``everywhere``: their authors and teams do, too."""
    public = standing_in(tasks.filter(listed=True), of_maker, of_product)
    own_too = standing_in(tasks, own, of_team) if everywhere else []
    resync([*([EVERYBODY] if public else []), *public, *own_too])


def standing_in(tasks: TaskQuerySet, of_author: Callable[[int], str], of_holder: Callable[[int], str]) -> list[str]:
    """The streams of those who wrote these, and of the products that they stand under."""
    tasks = tasks.order_by()
    filings = TaskProduct.objects.filter(task__in=tasks.values("pk"))
    authors, holders = (
        sorted(rows.values_list(column, flat=True).distinct())
        for rows, column in ((tasks, "author"), (filings, "product"))
    )
    return [*map(of_author, authors), *map(of_holder, holders)]


def hiding(tasks: Iterable[Task], *, to_everybody: bool) -> None:
    """These are about to be hidden; whoever follows their maker or a product hears of each."""
    tasks = list(tasks)
    filed: dict[int, list[int]] = {task.pk: [] for task in tasks}
    for pk, product in TaskProduct.objects.filter(task__in=filed).values_list("task", "product"):
        filed[pk].append(product)
    events = []
    for task in tasks:
        products = filed[task.pk]
        streams = [own(task.author_id), *map(of_team, products)]
        if task.listed:
            everybody = [EVERYBODY] if to_everybody else []
            streams += [*everybody, of_maker(task.author_id), *map(of_product, products)]
        events.append(Event("task.deleted", {"id": task.pk}, tuple(streams), task.author_id))
    publish(*events)
    if tasks and not to_everybody:
        resync([EVERYBODY])


def public(task: Task) -> list[str]:
    """The public streams that ``task`` stands in."""
    return [EVERYBODY, of_maker(task.author_id), *map(of_product, products(task))] if task.listed else []


def products(task: Task) -> Iterable[int]:
    return TaskProduct.objects.filter(task=task).values_list("product", flat=True)


def written(kind: str, task: Task, *, filed: bool = True) -> list[Event]:
    """One event for all where everybody may read the same."""
    if task.hidden:
        return []
    filings = list(shown_products(task)) if filed else []
    teams = [of_team(product) for product, _ in filings]
    form = payload(task, ANYBODY)
    if not task.listed:
        to_author = Event(kind, payload(task, task.author), (own(task.author_id),), task.author_id)
        return [to_author, Event(kind, form, tuple(teams), task.author_id)]
    shown = [of_product(product) for product, listed in filings if listed]
    streams = (EVERYBODY, of_maker(task.author_id), *shown, own(task.author_id), *teams)
    return [Event(kind, form, streams, task.author_id)]


def shown_products(task: Task) -> Iterable[tuple[int, bool]]:
    """Under which products it stands, and whether each is listed."""
    return TaskProduct.objects.filter(task=task, product__hidden=False).values_list("product", "product__listed")


def payload(task: Task, reader: Any) -> dict[str, Any]:
    """The task as the API shows it to ``reader``."""
    form = compiled(TaskSerializer)
    asked = form.asked(reader)

    def write(values: Sequence[Any]) -> statements.Written:
        return statements.written(Task.objects.filter(pk=values[0]).values_list(*asked.to(values[1])))

    values = [task.pk, asked.pk]
    rows = fetched(statements.statements.template(("an event of a task", asked.key), values, write), values)
    [shown] = form.shown(rows)
    return shown
