"""Tasks by the million: sent by COPY, with what is kept of them worked out before, so that no row is written twice."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg, BoolOr
from django.db import transaction
from django.db.models import Q

from makerlog.accounts.models import Maker
from makerlog.accounts.rhythm import local_day
from makerlog.demo import words
from makerlog.demo.bulk import batches, copy_in, moment, moments, reserve_ids
from makerlog.demo.people import People
from makerlog.demo.sentences import Dice, deed, filled
from products.actions import lock_makers
from products.models import Project
from tasks.days import counts_of, move_many
from tasks.hashtags import project_names
from tasks.models import Task, TaskComment, TaskPraise, TaskProduct, TaskProject

BATCH = 10_000
EVENTS = ("github", "gitlab", "trello", "slack", "webhook")

TASK = (
    "id", "author_id", "content", "description", "done", "in_progress", "due_at", "done_at", "done_on", "created_at",
    "event", "praise", "comment_count", "listed",
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A project, with the products above it."""

    pk: int
    name: str
    private: bool
    products: list[int]


@dataclass
class Home:
    """What decides where a maker's tasks stand, as it is while the maker is locked."""

    zone: str
    private: bool
    places: list[Place]


@dataclass
class Draft:
    author: int
    created_at: datetime
    fans: list[int]
    talkers: list[int]
    pk: int = 0
    places: list[Place] | None = None
    listed: bool = True
    done_on: date | None = None


def add_tasks(people: People, count: int, now: datetime, dice: Dice) -> Iterator[int]:
    births = moments(moment(people.joined[0]), now, count, dice)
    for size in batches(count, BATCH):
        with transaction.atomic():
            add_batch([draft(people, birth, dice) for birth in islice(births, size)], now, dice)
        yield size


def draft(people: People, birth: datetime, dice: Dice) -> Draft:
    when = birth.timestamp()
    author = people.ids[people.busy(when, dice)]
    chance = dice.random()
    fans = people.others(min(1 + int(dice.expovariate(0.6)), 30), when, author, dice) if chance < 0.3 else []
    talkers = people.others(dice.randint(1, 3), when, author, dice) if chance < 0.04 else []
    return Draft(author, birth, fans, talkers)


def add_batch(drafts: list[Draft], now: datetime, dice: Dice) -> None:
    homes = hold(drafts)
    for task, pk in zip(drafts, reserve_ids(Task, len(drafts)), strict=True):
        task.pk = pk
    copy_in(Task, TASK, [row(task, homes[task.author], now, dice) for task in drafts])
    file(drafts)
    respond(drafts, now, dice)
    count_days(drafts)


def hold(drafts: list[Draft]) -> dict[int, Home]:
    """Locks all whom the batch touches, always in one order, then reads where the authors' tasks stand."""
    authors = {task.author for task in drafts}
    lock_makers(authors.union(*(task.fans for task in drafts), *(task.talkers for task in drafts)))
    makers = Maker.objects.filter(pk__in=authors).values_list("pk", "timezone", "private")
    homes = {pk: Home(zone, private, []) for pk, zone, private in makers}
    products = ArrayAgg("products", filter=~Q(products=None), default=[])
    projects = Project.objects.filter(author__in=authors).order_by("author", "id")
    rows = projects.annotate(above=products, secret=BoolOr("products__private"))
    for pk, author, name, private, above, secret in rows.values_list(
        "pk", "author", "name", "private", "above", "secret"
    ):
        if project_names(f"#{name}") == [name]:  # made by hand, it may have a name that no hashtag says
            homes[author].places.append(Place(pk, name, private or bool(secret), above))
    return homes


def row(task: Draft, home: Home, now: datetime, dice: Dice) -> tuple[Any, ...]:
    """A task's columns, in the order of ``TASK``; what is decided on the way is noted on ``task``."""
    task.places = choose_places(home.places, dice)
    task.listed = not (home.private or any(place.private for place in task.places))
    if not task.listed:
        task.fans, task.talkers = [], []
    content = " ".join([deed(dice), *(f"#{place.name}" for place in task.places)])
    description = filled(dice.choice(words.NOTES), dice) if dice.random() < 0.08 else None
    event = dice.choice(EVENTS) if dice.random() < 0.05 else None
    done, in_progress, due_at, done_at = progress(task.created_at, now, dice)
    task.done_on = local_day(done_at, home.zone) if done_at else None
    return (
        task.pk, task.author, content, description, done, in_progress, due_at, done_at, task.done_on, task.created_at,
        event, len(task.fans), len(task.talkers), task.listed,
    )  # fmt: skip


def choose_places(places: list[Place], dice: Dice) -> list[Place]:
    """Mostly one project, mostly the maker's first."""
    chance = dice.random()
    if not places or chance < 0.15:
        return []
    if chance < 0.18:
        return dice.sample(places, min(2, len(places)))
    return [places[int(len(places) * dice.random() ** 2)]]


def progress(created_at: datetime, now: datetime, dice: Dice) -> tuple[bool, bool, datetime | None, datetime | None]:
    """done, in_progress, due_at, done_at. Most is logged once it is done."""
    chance = dice.random()
    if chance < 0.7:
        return True, False, None, created_at
    if chance < 0.92:
        return True, False, None, min(created_at + timedelta(hours=dice.expovariate(1 / 8)), now)
    due_at = created_at + timedelta(days=dice.randint(1, 30)) if dice.random() < 0.3 else None
    return False, dice.random() < 0.25, due_at, None


def file(drafts: list[Draft]) -> None:
    """Under the projects named, and under the products above them, each once."""
    projects, products = [], []
    for task in drafts:
        kept = (task.created_at, task.listed)
        projects += [(task.pk, place.pk, *kept) for place in task.places or ()]
        above = dict.fromkeys(product for place in task.places or () for product in place.products)
        products += [(task.pk, product, *kept) for product in above]
    copy_in(TaskProject, ("task_id", "project_id", "created_at", "listed"), projects)
    copy_in(TaskProduct, ("task_id", "product_id", "created_at", "listed"), products)


def respond(drafts: list[Draft], now: datetime, dice: Dice) -> None:
    """Praise and comments, soon after the task."""
    praises, comments = [], []
    for task in drafts:
        for fan, when in zip(task.fans, afterwards(task.created_at, now, len(task.fans), dice), strict=True):
            praises.append((task.pk, fan, when))
        for talker, when in zip(task.talkers, afterwards(task.created_at, now, len(task.talkers), dice), strict=True):
            comments.append((task.pk, talker, filled(dice.choice(words.COMMENTS), dice), when, when))
    copy_in(TaskPraise, ("task_id", "maker_id", "created_at"), praises)
    copy_in(TaskComment, ("task_id", "author_id", "content", "created_at", "updated_at"), comments)


def afterwards(start: datetime, now: datetime, count: int, dice: Dice) -> list[datetime]:
    """``count`` moments in order, within a day or two of ``start`` and not later than ``now``."""
    return sorted(min(start + timedelta(hours=dice.expovariate(1 / 12)), now) for _ in range(count))


def count_days(drafts: list[Draft]) -> None:
    move_many(counts_of((task.author, task.done_on, task.listed) for task in drafts), back=True)
