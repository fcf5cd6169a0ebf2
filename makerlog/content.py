"""What all content shares: when it came and changed, who may see it, and how that is kept.

``listed`` is kept rather than derived: every public list has a partial index on it, so content that is private costs the
reader of a list nothing. It is false where the content is hidden, or its author, project or product is private.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from makerlog.api.audience import moderates
from makerlog.api.keyset import Branch

T = TypeVar("T", bound=models.Model)
PUBLIC = (Branch(Q(listed=True)),)
OWN = Q(listed=False, hidden=False)  # of one author


class Content(models.Model):
    """``updated_at`` is the database's clock: lists that tail go by it (see api.filters.UpdatedSinceFilter)."""

    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)
    hidden = models.BooleanField(default=False)
    listed = models.BooleanField(default=True, editable=False)

    class Meta:
        abstract = True


class ContentQuerySet(models.QuerySet[T]):
    def visible_to(self, maker: Any) -> "ContentQuerySet[T]":
        """What ``maker`` may know of, one by one. Lists take ``branches`` instead, each of which has its index."""
        return self.filter(may_see(maker))

    def change(self, **values: Any) -> int:
        """``update`` that is seen by lists that tail."""
        return self.update(**values, updated_at=Now())


def may_see(maker: Any) -> Q:
    """The condition of ``visible_to``: what the lists hold, and to a moderator what was hidden."""
    condition = Q(hidden=True) if moderates(maker) else Q()
    for branch in branches(maker):
        condition |= branch.where
    return condition


def branches(maker: Any) -> tuple[Branch, ...]:
    """What ``maker`` is listed: the public, and their own private."""
    if not maker.is_authenticated:
        return PUBLIC
    return (*PUBLIC, Branch(OWN, narrow=True, author=maker.pk))


Relister = Callable[[list[int], list[int]], None]
relisters: list[Relister] = []


def on_relist(relister: Relister) -> None:
    """Registers an app's way to bring ``listed`` up to date; called with ids of makers and of projects."""
    relisters.append(relister)


def relist(*, makers: Iterable[int] = (), projects: Iterable[int] = ()) -> None:
    """These makers or projects became private or public, or the projects changed product. Within the transaction that
    changed them, so that no list ever shows what has just become private."""
    for relister in relisters:
        relister(list(makers), list(projects))


Eraser = Callable[[int], None]
erasers: list[Eraser] = []


def on_erase(eraser: Eraser) -> None:
    """Registers an app's part in erasing a maker; called with the maker's id.

    What the maker posted goes by cascade afterwards. An eraser does what a cascade cannot: it takes back what the maker
    counted for on content of others (praise, comments, replies), and forgets files. Count what you delete (``DELETE ...
    RETURNING``) rather than what you read before: the maker's other apps may be withdrawing at the same moment.
    """
    erasers.append(eraser)


def erase(*, maker: int) -> None:
    """Within the transaction that deletes the maker, whose row is locked, and before it does. The apps that stand on
    others come first."""
    for eraser in reversed(erasers):
        eraser(maker)
