"""The whole community, part by part. Every batch is a transaction that leaves all that is kept true: whoever stops half
way has fewer of everything, and nothing that is wrong.

The same seed gives the same community in an empty database, its dates counted back from ``now``. In one that is not
empty it gives other people, who do other things.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Max, Model

from discussions.models import Discussion, Participant, Reply, ReplyPraise
from makerlog.accounts.models import Follow, Maker
from makerlog.demo.log import add_tasks
from makerlog.demo.people import People, add_follows, add_makers
from makerlog.demo.sentences import dice
from makerlog.demo.shelf import add_products
from makerlog.demo.talk import add_discussions
from products.models import Membership, Product, Project
from tasks.models import DayCount, Task, TaskComment, TaskPraise, TaskProduct, TaskProject

MOST = {"makers": 200_000, "tasks": 20_000_000, "products": 200_000, "discussions": 200_000}

TABLES: tuple[type[Model], ...] = (
    Maker, Follow, Project, Product, Membership, Product.projects.through, Task, TaskProject, TaskProduct, TaskPraise,
    TaskComment, DayCount, Discussion, Reply, ReplyPraise, Participant,
)  # fmt: skip


class NobodyThere(Exception):
    """There are no made-up makers to write anything."""


@dataclass(frozen=True)
class Wanted:
    makers: int
    tasks: int
    products: int
    discussions: int


def add(wanted: Wanted, *, seed: int, now: datetime) -> Iterator[tuple[str, int]]:
    """Adds what is ``wanted``; yields what each batch was and how many it held. Raises NobodyThere.

    What is written comes from the makers just added or, where none were asked for, from those of earlier runs.
    """
    root = f"{seed}:{history()}"
    people = yield from add_people(wanted.makers, root, now)
    parts = (
        ("products", wanted.products, add_products),
        ("tasks", wanted.tasks, add_tasks),
        ("discussions", wanted.discussions, add_discussions),
    )
    for name, count, part in parts:
        for size in part(people, count, now, dice(f"{root}:{name}")) if count else ():
            yield name, size
    refresh_statistics()


def history() -> str:
    """Tells this run from those before it; nothing where the tables are empty, whatever their sequences say."""
    newest = [model._default_manager.aggregate(last=Max("pk"))["last"] for model in (Maker, Product, Task, Discussion)]
    return ",".join(str(pk) for pk in newest if pk)


def add_people(count: int, root: str, now: datetime) -> Generator[tuple[str, int], None, People]:
    ids: list[int] = []
    for size in add_makers(count, now, dice(f"{root}:makers"), ids):
        yield "makers", size
    people = People(ids or None, dice(f"{root}:people"))
    if not len(people):
        raise NobodyThere
    if ids:
        add_follows(people, now, dice(f"{root}:follows"))
    return people


def refresh_statistics() -> None:
    """So that the next query is planned for what is there now."""
    tables = ", ".join(model._meta.db_table for model in TABLES)
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {tables}" if connection.in_atomic_block else f"VACUUM (ANALYZE) {tables}")
