"""``/health/ready``: whether the parts behind the service answer. (``/health`` is answered by the front door itself.)"""

from collections.abc import Callable
from time import monotonic

import redis
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BooleanField, CharField, Serializer

from makerlog.api.budgets import ONE
from makerlog.api.exceptions import RETRY_AFTER_S
from makerlog.api.store import client
from makerlog.api.views import ApiView
from makerlog.gate import deadline

TIMEOUT_S = 1.0


# More patient than what answers requests: a Redis that is slow is there.
redis_client = client(settings.REDIS_URL, connect=TIMEOUT_S, answer=TIMEOUT_S)


class ReadySerializer(Serializer):
    ready = BooleanField()
    database = CharField()
    redis = CharField()


class Ready(ApiView):
    """200, or 503 naming the part that does not answer."""

    budgets = {"get": ONE}
    permission_classes = [AllowAny]
    authentication_classes = []
    serializer_class = ReadySerializer
    bounded_by = "two words"
    throttle_classes = []
    unlimited = "whoever watches over the service asks all the time, and must be answered while Redis is away"

    def get(self, request: Request) -> Response:
        parts = {"database": state(ask_database), "redis": state(ask_redis)}
        ready = set(parts.values()) == {"ok"}
        response = Response({"ready": ready, **parts}, status=200 if ready else 503)
        response["Cache-Control"] = "no-store"
        if not ready:
            response["Retry-After"] = str(RETRY_AFTER_S)
        return response


def state(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except (DatabaseError, InterfaceError, redis.RedisError):
        return "does not answer"


def ask_database() -> str:
    with deadline.until(monotonic() + TIMEOUT_S), connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        return "takes no writes" if cursor.fetchone()[0] == "on" else "ok"


def ask_redis() -> str:
    redis_client.ping()
    return "ok"
