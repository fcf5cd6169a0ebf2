"""GET /limits/"""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import CharField, DictField, IntegerField, ListSerializer, Serializer

from makerlog.api import throttling
from makerlog.api.buckets import Standing
from makerlog.api.budgets import ONE
from makerlog.api.limits import COSTS, FALLBACK, LIMITS, Limit, limit_called
from makerlog.api.views import ApiView


class LimitSerializer(Serializer):
    name = CharField()
    per = CharField(help_text="Whose units these are: token, maker, app, address (IPv6: its /64) or subject.")
    quota = IntegerField(help_text="The most units in any window.")
    window = IntegerField(help_text="Seconds.")
    burst = IntegerField(help_text="The most units at once; what is used comes back by quota - burst a window.")
    about = CharField()
    remaining = IntegerField(allow_null=True, help_text="Units you have left; null where it is not yours to use.")
    reset = IntegerField(allow_null=True, help_text="Seconds until all of `burst` is back.")


class AllowanceSerializer(Serializer):
    limits: Any = ListSerializer(child=LimitSerializer(), max_length=len(LIMITS))
    costs = DictField(child=CharField(), help_text="What costs what.")
    fallback = CharField(help_text="What holds while the shared counter is away.")


class Allowance(ApiView):
    """Every limit, what costs what, and what you have left. Costs none of it."""

    budgets = {"get": ONE}
    permission_classes = [AllowAny]
    serializer_class = AllowanceSerializer
    bounded_by = "the table of limits"
    price = "free"
    limits = ("limits",)

    @extend_schema(responses=AllowanceSerializer)
    def get(self, request: Request) -> Response:
        self.charge_limits()
        standings = {standing.limit.name: standing for standing in own_standings(request)}
        limits = [described(name, standings.get(name)) for name in LIMITS]
        response = Response({"limits": limits, "costs": COSTS, "fallback": FALLBACK})
        response["Cache-Control"] = "no-store"
        return response


def own_standings(request: Request) -> list[Standing]:
    """How the caller's buckets stand; the address's own is not charged where a token is sent."""
    owners = throttling.owners_of(request)
    own = throttling.own_limits(owners)
    beside = [limit_called(name) for name, limit in LIMITS.items() if is_beside(limit, owners)]
    looks = [throttling.charge(limit, owners, 0) for limit in [*own, *beside]]
    return throttling.limiter.decide(looks).standings


def is_beside(limit: Limit, owners: dict[str, str]) -> bool:
    return limit.per in owners and limit.name not in owners and not limit.at_door


def described(name: str, standing: Standing | None) -> dict[str, Any]:
    limit = limit_called(name)
    facts = {field: getattr(limit, field) for field in ("name", "per", "quota", "window", "burst", "about")}
    mine = (
        {"remaining": standing.remaining, "reset": standing.reset} if standing else {"remaining": None, "reset": None}
    )
    return {**facts, **mine}
