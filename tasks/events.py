"""What is told of tasks, and to whom. Called within the transaction that writes, on the row as it is there: what is private
goes to its author and the teams it is filed under, in the form that each may read; what is hidden goes to nobody."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import F

from makerlog.api import statements
from makerlog.api.compiled import compiled
from makerlog.api.prepared import fetched
from makerlog.live.events import Event, publish
from tasks.models import Task, TaskProduct, TaskQuerySet
from tasks.serializers import TaskSerializer

EVERYBODY = "tasks"
ANYBODY = AnonymousUser()
MOST_LEAVING = 100  # told of when a whole log goes private: what a client may have on its screen


def of_maker(maker: int) -> str:
    return f"maker:{maker}"


def own(maker: int) -> str:
    return f"maker:{maker}:own"


def of_product(product: int) -> str:
    return f"product:{product}"


TEAM = ":team"


def of_team(product: int) -> str:
    return f"product:{product}{TEAM}"


def created(task: Task, *, filed: bool) -> None:
    """``filed``: whether it stands under any product."""
    publish(*written("task.created", task, filed=filed))


def changed(task: Task, *, before: set[str]) -> None:
    """``before``: the public streams that it stood in."""
    gone = before.difference(public(task))
    publish(Event("task.deleted", {"id": task.pk}, tuple(sorted(gone))), *written("task.updated", task))


def deleted(task: Task) -> None:
    """Called before it is gone."""
    streams = (*public(task), own(task.author_id), *map(of_team, products(task)))
    publish(Event("task.deleted", {"id": task.pk}, streams))


def leaving(tasks: TaskQuerySet) -> None:
    """These are about to leave the public lists; the newest are told of."""
    # Ordered by an expression, so that they are sorted: an index of this order would be walked past everybody else's.
    rows = dict(tasks.order_by((F("pk") + 0).desc()).values_list("pk", "author")[:MOST_LEAVING])
    streams = {pk: [EVERYBODY, of_maker(author)] for pk, author in rows.items()}
    for pk, product in TaskProduct.objects.filter(task__in=rows).values_list("task", "product"):
        streams[pk].append(of_product(product))
    publish(*(Event("task.deleted", {"id": pk}, tuple(names)) for pk, names in streams.items()))


def hiding(tasks: Iterable[Task], *, to_everybody: bool) -> None:
    """These are about to be hidden; whoever follows their maker or a product hears of each."""
    tasks = list(tasks)
    filed: dict[int, list[int]] = {task.pk: [] for task in tasks}
    for pk, product in TaskProduct.objects.filter(task__in=filed).values_list("task", "product"):
        filed[pk].append(product)
    for task in tasks:
        products = filed[task.pk]
        streams = [own(task.author_id), *map(of_team, products)]
        if task.listed:
            everybody = [EVERYBODY] if to_everybody else []
            streams += [*everybody, of_maker(task.author_id), *map(of_product, products)]
        publish(Event("task.deleted", {"id": task.pk}, tuple(streams)))


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
        return [Event(kind, payload(task, task.author), (own(task.author_id),)), Event(kind, form, tuple(teams))]
    shown = [of_product(product) for product, listed in filings if listed]
    streams = (EVERYBODY, of_maker(task.author_id), *shown, own(task.author_id), *teams)
    return [Event(kind, form, streams)]


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
