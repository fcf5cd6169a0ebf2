"""A URLconf with the mistakes that the matrix is there to catch."""

from typing import Any

from django.urls import include, path
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from makerlog.accounts.models import Maker
from makerlog.accounts.serializers import MeSerializer
from makerlog.accounts.views import Me
from makerlog.api.views import ApiView
from tasks.models import Task
from tasks.views import TaskViewSet


class ByAnybody(TaskViewSet):
    """Has forgotten to ask whose the task is."""

    def require_own(self, content: Any) -> None:
        return None


class TooLate(TaskViewSet):
    """Refuses what it has done already."""

    def update(self, request: Request, pk: int, partial: bool = False) -> Response:
        Task.objects.filter(pk=pk).update(content="Changed")
        raise PermissionDenied("Only its author may do this.", "not_yours")


class Gossip(TaskViewSet):
    """Says why a task is not there."""

    def get_object(self) -> Task:
        if Task.objects.filter(pk=self.kwargs["pk"]).exists():
            raise NotFound("This task is private.")
        raise NotFound


class Generous(Me):
    """Lets makers make themselves moderators."""

    class serializer_class(MeSerializer):
        class Meta(MeSerializer.Meta):
            read_only_fields = [name for name in MeSerializer.Meta.read_only_fields if name != "is_moderator"]


class AimedElsewhere(Me):
    """Changes whomever the body names."""

    def partial_update(self, request: Request) -> Response:
        Maker.objects.filter(username="bob").update(status="Changed")
        return Response({})


class Forgotten(ApiView):
    """A new write that nobody has put into the table."""

    permission_classes = [AllowAny]

    def delete(self, request: Request) -> Response:
        return Response(status=204)


change: Any = {"put": "update", "patch": "partial_update", "delete": "destroy"}
one: Any = {"patch": "partial_update"}

urlpatterns = [
    path("anybody/<int:pk>/", ByAnybody.as_view(change)),
    path("late/<int:pk>/", TooLate.as_view(change)),
    path("gossip/<int:pk>/", Gossip.as_view(change)),
    path("generous/", Generous.as_view(one)),
    path("elsewhere/", AimedElsewhere.as_view(one)),
    path("forgotten/", Forgotten.as_view()),
    path("", include("makerlog.urls")),
]
