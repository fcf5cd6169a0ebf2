"""Views that are unbounded on purpose, each in its own way: a crawler that does not catch them proves nothing.

The start-up checks would refuse them, so this URLconf is the tests' alone. What the renderer's ceiling would stop is
rendered by Django REST framework's own.
"""

import time
from typing import Any

from django.db import connection
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from makerlog.api.views import ApiView
from tasks.models import Task

PAGE = 20


class Control(ApiView):
    permission_classes = [AllowAny]
    renderer_classes = [JSONRenderer]


def about(table: str) -> int:
    """How many rows a table has, without reading one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE relname = %s", [table])
        return cursor.fetchone()[0]


@extend_schema(responses=OpenApiTypes.OBJECT)
class Everything(Control):
    """An unpaginated list, as in 2019."""

    def get(self, request: Request) -> Response:
        return Response(list(Task.objects.values("id", "content", "created_at")))


@extend_schema(responses=OpenApiTypes.OBJECT)
class QueryPerRow(Control):
    """A query for each of the rows, of which there are never many."""

    def get(self, request: Request) -> Response:
        return Response({"words": sum(len(task.author.username) for task in Task.objects.order_by("id")[:300])})


@extend_schema(responses=OpenApiTypes.OBJECT)
class Counted(Control):
    """One number."""

    def get(self, request: Request) -> Response:
        return Response({"count": Task.objects.count()})


@extend_schema(responses=OpenApiTypes.OBJECT)
class Paged(Control):
    """Pages by OFFSET: the first is cheap."""

    def get(self, request: Request) -> Response:
        page = request.query_params.get("page", "1")
        start = (int(page) - 1) * PAGE if page.isdigit() and 0 < int(page) < 10**6 else 0
        return Response({"results": list(Task.objects.order_by("id").values("id")[start : start + PAGE])})


@extend_schema(responses=OpenApiTypes.OBJECT, parameters=[OpenApiParameter("event", enum=["common", "nowhere"])])
class Filtered(Control):
    """A filter without an index: what is common is found at once, what is nowhere is looked for everywhere."""

    def get(self, request: Request) -> Response:
        found = Task.objects.order_by("-id")
        if event := request.query_params.get("event", "").replace("\x00", ""):
            found = found.filter(event=event)
        return Response({"results": list(found.values("id")[:PAGE])})


@extend_schema(responses=OpenApiTypes.OBJECT)
class Heavy(Control):
    """One object, and no row read: a text as long as the table."""

    def get(self, request: Request) -> Response:
        return Response({"names": "maker" * about("accounts_maker")})


@extend_schema(responses=OpenApiTypes.OBJECT)
class Slow(Control):
    """Cheap in everything but time."""

    def get(self, request: Request) -> Response:
        if request.query_params.get("page") == "2":
            time.sleep(2 if about("tasks_task") > 10_000 else 0)
        return Response({})


@extend_schema(responses=OpenApiTypes.OBJECT)
class Fragile(Control):
    """A number is taken for one."""

    def get(self, request: Request) -> Response:
        return Response({"limit": int(request.query_params.get("limit", "1"))})


@extend_schema(responses=OpenApiTypes.OBJECT, request=None)
class Sweeping(Control):
    """A write that touches all there is."""

    def post(self, request: Request) -> Response:
        return Response({"seen": Task.objects.filter(description="nothing").update(hidden=True)})


# Of what every route is sent in every run, enough to catch them.
SENT = {"", "page=2", "page=5000", "limit=abc", "event=common", "event=nowhere"}

# What catches each of them, and nothing else does.
CAUGHT_BY: dict[str, set[str]] = {
    "everything/": {"rows", "bytes"},
    "a-query-a-row/": {"queries"},
    "counted/": {"rows"},
    "paged/": {"rows"},
    "filtered/": {"rows"},
    "heavy/": {"bytes"},
    "slow/": {"ms"},
    "fragile/": {"5xx"},
    "sweeping/": {"rows"},
}
VIEWS: dict[str, Any] = {
    "everything/": Everything,
    "a-query-a-row/": QueryPerRow,
    "counted/": Counted,
    "paged/": Paged,
    "filtered/": Filtered,
    "heavy/": Heavy,
    "slow/": Slow,
    "fragile/": Fragile,
    "sweeping/": Sweeping,
}
urlpatterns = [path(route, view.as_view()) for route, view in VIEWS.items()]
handler500 = "makerlog.api.errors.server_error"
