"""``/metrics``: what the front door measured, in Prometheus' text format, for whoever is near or knows the secret."""

import os
from hmac import compare_digest

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Gauge, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request

from makerlog.api.budgets import DOCUMENT
from makerlog.api.views import ApiView

DATABASE_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"


class IsProbe(BasePermission):
    """This machine's own network (the front door lets nobody else into the ops lane here), or METRICS_TOKEN."""

    def has_permission(self, request: Request, view: object) -> bool:
        sent = request.META.get("HTTP_AUTHORIZATION", "").encode("latin-1", "replace")
        secret = f"Bearer {settings.METRICS_TOKEN}".encode()
        known = bool(settings.METRICS_TOKEN) and compare_digest(sent, secret)
        return known or request.META.get("makerlog.lane") == "ops"


@extend_schema(exclude=True)
class Metrics(ApiView):
    budgets = {"get": DOCUMENT}
    authentication_classes = []
    permission_classes = [AllowAny, IsProbe]
    throttle_classes = []
    unlimited = "monitoring must be able to look when everything else is refused"
    bounded_by = "the metrics there are"

    def get(self, request: Request) -> HttpResponse:
        registry = everything()
        connections = Gauge("makerlog_database_connections", "To our database, by anybody.", registry=registry)
        connections.set(database_connections())
        response = HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
        response["Cache-Control"] = "no-store"
        return response


def everything() -> CollectorRegistry:
    """Of all processes of this machine, or of this one where they were not told to share."""
    registry = CollectorRegistry()
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(registry)
    else:
        registry.register(REGISTRY)
    return registry


def database_connections() -> float:
    """NaN where the database does not say."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(DATABASE_CONNECTIONS)
            return float(cursor.fetchone()[0])
    except (DatabaseError, InterfaceError):
        return float("nan")
