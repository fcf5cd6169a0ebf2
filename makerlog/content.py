"""What all content shares: when it came and changed, who may see it, and how that is kept.

``listed`` is kept rather than derived: every public list has a partial index on it, so content that is private costs the
reader of a list nothing. It is false where the content is hidden, or its author, project or product is private.
"""

from collections.abc import Callable, Iterable
from datetime import timedelta
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
ADDRESSES_KEPT = timedelta(days=30)


class Posted(models.Model):
    """All that makers post. ``hidden`` is what counts for every reader; ``cleanup`` names the clean-up of moderation that hid
    it, if one did: what it hid is known by that mark alone, so undoing it asks nobody what was true before. Who hides or
    shows a row by itself takes the mark away.

    ``posted_with`` (a token's id) and ``posted_from`` are what clean-ups choose by; addresses are forgotten after
    ``ADDRESSES_KEPT``.
    """

    hidden = models.BooleanField(default=False)
    cleanup = models.BigIntegerField(null=True, blank=True, editable=False)
    posted_with = models.BigIntegerField(null=True, blank=True, editable=False)
    posted_from = models.GenericIPAddressField(null=True, blank=True, editable=False)

    class Meta:
        abstract = True


def posted_indexes(kind: str) -> list[models.Index]:
    """What clean-ups choose and undo by. What is hidden already is not walked past, or stands apart."""
    with_token = Q(hidden=False, posted_with__isnull=False)
    from_address = Q(posted_from__isnull=False)
    return [
        models.Index(fields=["posted_with", "created_at", "id"], name=f"{kind}_posted_with", condition=with_token),
        models.Index(
            fields=["hidden", "posted_from", "created_at", "id"], name=f"{kind}_posted_from", condition=from_address
        ),
        models.Index(fields=["cleanup", "id"], name=f"{kind}_cleanup", condition=Q(cleanup__isnull=False)),
    ]


def cleaned_up_is_hidden(kind: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=Q(cleanup=None) | Q(hidden=True), name=f"{kind}_cleaned_up_is_hidden")


class Content(Posted):
    """``updated_at`` is the database's clock: lists that tail go by it (see api.filters.UpdatedSinceFilter)."""

    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)
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


Renamer = Callable[[list[int]], None]
renamers: list[Renamer] = []


def on_rename(renamer: Renamer) -> None:
    """Registers what an app does when projects have another name; called with their ids."""
    renamers.append(renamer)


def announce_rename(*, projects: Iterable[int]) -> None:
    """Within the transaction that renamed them."""
    for renamer in renamers:
        renamer(list(projects))


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
