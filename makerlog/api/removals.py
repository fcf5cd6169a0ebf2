"""What left the public: ids that apps which mirror a list can drop, as ``updated_since`` gives them what to keep.

A row of content has at most one removal, of when it was public last. Triggers of the database write it whenever ``listed``
becomes false or a listed row is deleted, by whatever statement, and take it back when the row is listed again. So what was
never public has none, and what came back has none any more.
"""

from datetime import timedelta
from typing import Any

from django.db import models
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from makerlog.api.budgets import PAGE
from makerlog.api.fields import UtcDateTimeField
from makerlog.api.filters import FlexibleDateTimeField, commit_horizon, moment_named
from makerlog.api.keyset import Bounds
from makerlog.api.purging import purge
from makerlog.api.views import ApiView

KEPT = timedelta(days=30)
ORDER = ("deleted_at", "id")


class Removal(models.Model):
    """``id``: of the row that was public until ``deleted_at``, by the database's clock."""

    id = models.BigIntegerField(primary_key=True)
    deleted_at = models.DateTimeField()

    class Meta:
        abstract = True


class RemovalSerializer(serializers.ModelSerializer):
    """Of each kind by a subclass, which names the model."""

    id = serializers.IntegerField(read_only=True)
    deleted_at = UtcDateTimeField(read_only=True)

    class Meta:
        fields = ["id", "deleted_at"]


class Removals(ApiView):
    """A list of removals, up to the moment that everything before it is committed. ``rows``: those of one kind of content."""

    budgets = {"get": PAGE}
    order = ORDER
    params = ("since",)
    rows: Any

    @extend_schema(parameters=[OpenApiParameter("since", str, description="ISO 8601, or a day. Default: 30 days ago.")])
    def get(self, request: Request) -> Response:
        oldest = timezone.now() - KEPT
        since = max(moment_named(request, "since") or FlexibleDateTimeField.FIRST, oldest)
        # As with updated_since: what a transaction that still writes may yet commit is not passed by.
        return self.listed(self.rows, bounds=Bounds(since, commit_horizon()))


def purge_removals(model: Any) -> int:
    old = model.objects.filter(deleted_at__lt=timezone.now() - KEPT)
    return purge(old.order_by("deleted_at"))
