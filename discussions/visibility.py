"""Keeps ``listed`` true to privacy. Set by set, never row by row."""

from django.db.models import Exists, OuterRef, Q

from discussions import events
from discussions.models import Discussion, DiscussionQuerySet
from makerlog.accounts.models import Maker


def relist(makers: list[int], projects: list[int]) -> None:
    """Brings up to date the discussions of these makers. Projects hold none."""
    keep_listed(Discussion.objects.filter(author__in=makers))


def keep_listed(discussions: DiscussionQuerySet) -> None:
    listable = Q(~Exists(Maker.objects.filter(pk=OuterRef("author"), private=True)), hidden=False)
    events.leaving(discussions.filter(~listable, listed=True), to_author=False)
    if discussions.filter(listable, listed=False).change(listed=True):
        events.resync_many(discussions)
    discussions.filter(~listable, listed=True).change(listed=False)
