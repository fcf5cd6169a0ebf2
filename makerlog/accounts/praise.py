"""Praise, wherever it is given: the same handlers over whatever an app lets makers praise."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from makerlog.accounts.serializers import MakerSerializer
from makerlog.api.budgets import PAGE, WRITE
from makerlog.api.views import ViewSet

MAX_PRAISED_BY = 100


class PraiseSerializer(serializers.Serializer):
    """What POST answers: whether the caller praises it now, and how many do."""

    praised = serializers.BooleanField()
    total = serializers.IntegerField()
    user = MakerSerializer()


class PraisedBySerializer(serializers.Serializer):
    """What GET answers."""

    total = serializers.IntegerField()
    praised = serializers.BooleanField(help_text="Whether the caller is one of them.")
    praised_by: Any = serializers.ListSerializer(child=MakerSerializer(), max_length=MAX_PRAISED_BY)


acts = extend_schema(request=None, responses={200: PraiseSerializer})


class Praises(ViewSet):
    """POST toggles, as old apps call it; PUT and DELETE say what they mean and may be repeated."""

    budgets = {"retrieve": PAGE, **dict.fromkeys(("toggle", "put", "delete"), WRITE)}
    serializer_class = PraiseSerializer
    bounded_by = f"the newest {MAX_PRAISED_BY} of those who praised"

    def get_object(self) -> Any:
        """What is praised, with its ``praises`` and their count in ``praise``; a 404 where the caller may not see it."""
        raise NotImplementedError

    def give(self, praised: Any) -> bool:
        raise NotImplementedError

    def withdraw(self, praised: Any) -> bool:
        raise NotImplementedError

    @extend_schema(responses=PraisedBySerializer)
    def retrieve(self, request: Request, **kwargs: Any) -> Response:
        praised = self.get_object()
        newest = praised.praises.select_related("maker").order_by("-id")[:MAX_PRAISED_BY]
        mine = self.caller.is_authenticated and self.mine(praised).exists()
        facts = {"total": praised.praise, "praised": mine, "praised_by": [praise.maker for praise in newest]}
        return Response(PraisedBySerializer(facts).data)

    @acts
    def toggle(self, request: Request, **kwargs: Any) -> Response:
        praised = self.get_object()
        return self.set(praised, not self.mine(praised).exists())

    @acts
    def put(self, request: Request, **kwargs: Any) -> Response:
        return self.set(self.get_object(), True)

    @acts
    def delete(self, request: Request, **kwargs: Any) -> Response:
        return self.set(self.get_object(), False)

    def mine(self, praised: Any) -> QuerySet[Any]:
        return praised.praises.filter(maker=self.caller)

    def set(self, praised: Any, wanted: bool) -> Response:
        now = self.give(praised) if wanted else self.withdraw(praised)
        praised.refresh_from_db(fields=["praise"])
        return self.answer({"praised": now, "total": praised.praise, "user": self.caller})
