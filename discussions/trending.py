"""What is talked about now: a score over the newest discussions, never over all."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from discussions.models import Discussion
from discussions.serializers import DiscussionSerializer
from makerlog.api.compiled import compiled
from makerlog.api.renderers import rows_within

CANDIDATES = 200
MAX_TRENDING = 20
HOUR = timedelta(hours=1)


def score(reply_count: int, created_at: datetime, now: datetime) -> float:
    """Replies fade with age: (replies + 1) / (hours + 2) ** 1.5."""
    hours = max((now - created_at) / HOUR, 0)
    return (reply_count + 1) / (hours + 2) ** 1.5


def trending(reader: Any) -> list[Any]:
    """In words: the best of the newest ``CANDIDATES`` that are listed; of equals, the newest first. Fewer where
    they are heavy."""
    now = timezone.now()
    listed = Discussion.objects.filter(listed=True)
    newest = listed.order_by("-created_at", "-id").values_list("id", "reply_count", "created_at")[:CANDIDATES]
    ranked = sorted(newest, key=lambda row: (score(row[1], row[2], now), row[0]), reverse=True)[:MAX_TRENDING]
    shown = compiled(DiscussionSerializer).of(listed.filter(pk__in=[row[0] for row in ranked]), reader)
    places = {row[0]: place for place, row in enumerate(ranked)}
    shown.sort(key=lambda each: places[each["id"]])
    return shown[: rows_within(shown)]
