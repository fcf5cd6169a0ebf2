"""Spam clean-up: which posts an act is about, what it would hit, and the work itself. The act is moderation.actions'."""

import ipaddress
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import BigIntegerField, F, Func, GenericIPAddressField, QuerySet
from django.utils import timezone
from django_tasks import task

from discussions import hiding as discussions
from discussions.models import Discussion, Reply
from makerlog.accounts.models import AccessToken, Maker
from makerlog.content import ADDRESSES_KEPT, Content
from makerlog.env import Network
from moderation.models import Cleanup
from moderation.revocation import NothingChosen, public_id_of
from products import hiding as products
from products.models import Product
from tasks import hiding as tasks
from tasks.models import Task, TaskComment

BATCH = 500  # rows in one transaction
ROUND_S = 5.0  # in one job; what is left goes on in another
COUNTED = 10_000  # of each kind; beyond that a count is "at least"
SAMPLE = 5


class Kind(NamedTuple):
    """What makers post. ``hide`` and ``show`` take ids and the clean-up, and tell how many they found."""

    name: str
    model: Any
    hide: Callable[..., int]
    show: Callable[..., int]


TOLD = "tasks"  # the first of them to go are told to the stream of everybody
KINDS = (
    Kind(TOLD, Task, tasks.hide_tasks, tasks.show_tasks),
    Kind("comments", TaskComment, tasks.hide_comments, tasks.show_comments),
    Kind("discussions", Discussion, discussions.hide_discussions, discussions.show_discussions),
    Kind("replies", Reply, discussions.hide_replies, discussions.show_replies),
    Kind("products", Product, products.hide_products, products.show_products),
)


class NoIndex(Func):
    """A column that is looked at in the rows found, and never makes the planner find them by another index and sort them."""

    template = "(%(expressions)s + 0)"


@dataclass(frozen=True, kw_only=True)
class Posts:
    """What is shown by now of what was posted with a token (its id), by a maker (theirs), from a network, or since a moment:
    whatever is given, all of it together; never what comes after ``until``.

    From where something was posted is known for ``ADDRESSES_KEPT``. By time alone, only what is public is chosen.
    """

    token: int | None = None
    maker: int | None = None
    network: Network | None = None
    since: datetime | None = None
    until: datetime

    def of(self, kind: Kind) -> list[QuerySet[Any]]:
        """The rows of a kind, newest first, in as many parts as take an index each: the one that leads has its own."""
        rows = kind.model._base_manager.filter(hidden=False, created_at__lte=self.until)
        if self.begin:
            rows = rows.filter(created_at__gte=self.begin)
        if not self.whose:
            return [public_and_own(rows)[0].order_by("-created_at", "-id")]
        (lead, within), *beside = self.whose.items()
        rows = rows.filter(**{f"{lead}__{how}": value for how, value in within.items()})
        for name, bounds in beside:
            field = GenericIPAddressField() if name == "posted_from" else BigIntegerField()
            rows = rows.alias(beside=NoIndex(F(name), output_field=field))
            rows = rows.filter(**{f"beside__{how}": value for how, value in bounds.items()})
        parts = public_and_own(rows) if lead == "author_id" else [rows]
        return [part.order_by(f"-{lead}", "-created_at", "-id") for part in parts]

    @cached_property
    def whose(self) -> dict[str, dict[str, Any]]:
        """What is asked of the columns that say whose a row is, the narrowest first. Raises NothingChosen."""
        asked: dict[str, dict[str, Any]] = {}
        if self.token is not None:
            asked["posted_with"] = {"exact": self.token}
        if self.maker is not None:
            asked["author_id"] = {"exact": self.maker}
        if self.network is not None:
            low, high = self.network.network_address, self.network.broadcast_address
            asked["posted_from"] = {"gte": str(low), "lte": str(high)}
        if not asked and self.since is None:
            raise NothingChosen("Say which posts: by token, maker, address or time.")
        return asked

    @property
    def begin(self) -> datetime | None:
        """What has no address any more is not walked past."""
        known = self.until - ADDRESSES_KEPT if self.network is not None else None
        return max(filter(None, (self.since, known)), default=None)


def public_and_own(rows: QuerySet[Any]) -> list[QuerySet[Any]]:
    """Content has an index of each; what hangs on it has one of all."""
    if not issubclass(rows.model, Content):
        return [rows]
    return [rows.filter(listed=True), rows.filter(listed=False)]


def token_named(text: str) -> int:
    """The id of a token: by its whole text, or by its prefix. Raises NothingChosen."""
    found = AccessToken.objects.filter(public_id=public_id_of(text)).values_list("pk", flat=True).first()
    if found is None:
        raise NothingChosen("There is no such token: it may have been purged; choose by its maker.")
    return found


# --- What it would hit ---


@dataclass(frozen=True)
class Found:
    """Of one kind: how many, at least so many where ``more``; and the newest of them."""

    kind: str
    count: int
    more: bool
    sample: list[Any]


@dataclass(frozen=True)
class Hit:
    """``makers``: whose they are, with how many of those counted."""

    found: list[Found]
    makers: Counter[int]

    @property
    def count(self) -> int:
        return sum(each.count for each in self.found)

    @property
    def more(self) -> bool:
        return any(each.more for each in self.found)

    @property
    def most(self) -> list[tuple[Maker, int]]:
        """Those with most of it."""
        first = dict(self.makers.most_common(SAMPLE))
        return sorted(((each, first[each.pk]) for each in Maker.objects.filter(pk__in=first)), key=lambda row: -row[1])


def hit(posts: Posts) -> Hit:
    """What hiding ``posts`` would hit; looks at ``COUNTED`` rows of each kind at most. Raises NothingChosen."""
    found, makers = [], Counter[int]()
    for kind in KINDS:
        rows: list[tuple[int, int]] = []
        for part in posts.of(kind):
            rows += part.values_list("pk", "author")[: COUNTED + 1 - len(rows)]
        more, rows = len(rows) > COUNTED, rows[:COUNTED]
        makers.update(author for _, author in rows)
        sample = kind.model._base_manager.filter(pk__in=[pk for pk, _ in rows[:SAMPLE]]).order_by("-pk")
        found.append(Found(kind.name, len(rows), more, list(sample.select_related("author"))))
    return Hit([each for each in found if each.count], makers)


# --- The work ---


@task()
def clean_up(pk: int) -> None:
    """A round of hiding or showing. It may run twice, and beside a command that does the same: each batch is done once."""
    for _ in work(pk, seconds=ROUND_S):
        pass
    if Cleanup.objects.get(pk=pk).runs:
        clean_up.enqueue(pk)


def work(pk: int, *, seconds: float = float("inf")) -> Iterator[int]:
    """Batch by batch until nothing is left or the time is over: how many rows each changed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        changed = step(pk)
        if changed is None:
            return
        yield changed


@transaction.atomic
def step(pk: int) -> int | None:
    """One batch: how many rows it changed; None where the clean-up is through. Whoever undoes it waits for the batch, and
    two who work at it take turns."""
    cleanup = Cleanup.objects.select_for_update(no_key=True).get(pk=pk)
    if not cleanup.runs:
        return None
    hiding = cleanup.state == Cleanup.State.HIDING
    counts = cleanup.hidden if hiding else cleanup.shown
    changed = None
    if batch := next(hidden_next(cleanup) if hiding else shown_next(cleanup), None):
        kind, act = batch
        changed = act()
        counts[kind.name] = counts.get(kind.name, 0) + changed
    else:
        cleanup.state = Cleanup.State.HIDDEN if hiding else Cleanup.State.SHOWN
        cleanup.finished_at = timezone.now()
    cleanup.save(update_fields=["hidden", "shown", "state", "finished_at"])
    return changed


Batch = tuple[Kind, Callable[[], int]]


def hidden_next(cleanup: Cleanup) -> Iterator[Batch]:
    posts = posts_of(cleanup)
    for kind in KINDS:
        for rows in posts.of(kind):
            if ids := list(rows.values_list("pk", flat=True)[:BATCH]):
                more = {"to_everybody": not cleanup.hidden} if kind.name == TOLD else {}
                yield kind, partial(kind.hide, ids=ids, cleanup=cleanup.pk, **more)


def shown_next(cleanup: Cleanup) -> Iterator[Batch]:
    for kind in KINDS:
        rows = kind.model._base_manager.filter(cleanup=cleanup.pk).order_by("cleanup", "id")
        if ids := list(rows.values_list("pk", flat=True)[:BATCH]):
            yield kind, partial(kind.show, ids=ids, cleanup=cleanup.pk)


def posts_of(cleanup: Cleanup) -> Posts:
    return Posts(
        token=cleanup.token,
        maker=cleanup.maker,
        network=ipaddress.ip_network(cleanup.network) if cleanup.network else None,
        since=cleanup.since,
        until=cleanup.until,
    )
