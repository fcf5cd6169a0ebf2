"""Tasks, their praise and comments."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from makerlog import content
from makerlog.accounts.lookups import active_id
from makerlog.accounts.permissions import HasOwnScope
from makerlog.accounts.praise import Praises
from makerlog.api.budgets import FULL_PAGE, ONE, PAGE, WRITE, WRITES
from makerlog.api.compiled import compiled
from makerlog.api.fields import UtcDateTimeField
from makerlog.api.filters import day_around, moment_named
from makerlog.api.keyset import Bounds, fixed
from makerlog.api.pagination import MAX_LIMIT, BareKeysetPagination
from makerlog.api.removals import Removals
from makerlog.api.views import ApiView, ViewSet
from tasks import actions, sync
from tasks.filters import TaskFilter
from tasks.models import Task, TaskComment, TaskRemoval
from tasks.serializers import (
    BatchAnswerSerializer,
    CommentSerializer,
    SyncSerializer,
    TaskRemovalSerializer,
    TaskSerializer,
)

MAX_BATCH = 50


class TaskViewSet(ViewSet):
    """The log itself. Everybody reads what is listed; only its author changes a task."""

    scope = "tasks"
    whole_writer = False  # actions lock the maker, and so read them anew
    budgets = {"list": FULL_PAGE, "retrieve": ONE, **WRITES}
    serializer_class = TaskSerializer
    filterset_class = TaskFilter

    rows = fixed(Task.objects.all())

    @classmethod
    def visible_to(cls, reader: Any) -> QuerySet[Task]:
        return Task.objects.visible_to(reader)

    def list(self, request: Request) -> Response:
        return self.listed(self.rows, content.branches(self.caller))

    @extend_schema(responses={201: TaskSerializer, 200: TaskSerializer})
    def create(self, request: Request) -> Response:
        task, new = actions.log_task(author=self.caller, **self.validated(), **self.posting)
        return self.shown(self.rows, pk=task.pk, status=201 if new else 200)

    def retrieve(self, request: Request, pk: int) -> Response:
        return self.shown(pk=pk)

    def update(self, request: Request, pk: int, partial: bool = False) -> Response:
        task = self.get_object()
        self.require_own(task)
        actions.change_task(task=task, **self.validated(instance=task, partial=partial))
        return self.shown(pk=pk)

    def partial_update(self, request: Request, pk: int) -> Response:
        return self.update(request, pk, partial=True)

    def destroy(self, request: Request, pk: int) -> Response:
        task = self.get_object()
        self.require_own(task)
        actions.delete_task(task=task)
        return Response(status=204)


class TaskBatch(ApiView):
    """Up to 50 tasks at once, each its own transaction: what is wrong with one does not touch the others."""

    scope = "tasks"
    budgets = {"post": WRITE.times(MAX_BATCH)}
    queryset = Task.objects.none()
    serializer_class = TaskSerializer
    bounded_by = f"as many answers as tasks sent, at most {MAX_BATCH}"
    charges_each = True

    @extend_schema(
        request={"application/json": TaskSerializer(many=True)}, responses={207: BatchAnswerSerializer(many=True)}
    )
    def post(self, request: Request) -> Response:
        if not isinstance(request.data, list) or not 0 < len(request.data) <= MAX_BATCH:
            raise serializers.ValidationError([f"Send a JSON array of 1 to {MAX_BATCH} tasks."])
        self.charge_writes(len(request.data))
        return Response([self.logged(data) for data in request.data], status=207)

    def logged(self, data: Any) -> dict[str, Any]:
        serializer = self.get_serializer(data=data)
        if not serializer.is_valid():
            return {"status": 400, "errors": serializer.errors}
        task, new = actions.log_task(author=self.caller, **serializer.validated_data, **self.posting)
        [shown] = compiled(TaskSerializer).of(Task.objects.filter(pk=task.pk), self.caller)
        return {"status": 201 if new else 200, "task": shown}


class MyTasks(ApiView):
    """One's own tasks, newest first, private ones included."""

    scope = "tasks"
    budgets = {"get": FULL_PAGE}
    permission_classes = [HasOwnScope]
    serializer_class = TaskSerializer
    pagination_class = BareKeysetPagination
    order = ("-created_at", "-id")
    within = ("author",)

    rows = fixed(Task.objects.all())

    def get(self, request: Request) -> Response:
        return self.listed(self.rows, content.branches(self.caller), author=self.caller.pk)


class TaskSync(ApiView):
    """What changed in one's own log since a moment, and what was deleted."""

    scope = "tasks"
    budgets = {"get": FULL_PAGE}
    permission_classes = [HasOwnScope]
    serializer_class = TaskSerializer
    params = ("last_sync_date", "cursor")
    bounded_by = f"at most {MAX_LIMIT} tasks and {MAX_LIMIT} deleted ones, with next when there is more"
    price = "page"

    @extend_schema(
        parameters=[
            OpenApiParameter("last_sync_date", datetime, description="`0` is the beginning. Default: a day ago."),
            OpenApiParameter("cursor", str),
        ],
        responses=SyncSerializer,
    )
    def get(self, request: Request) -> Response:
        since = sync.since_of(request) or timezone.now() - timedelta(days=1)
        log = sync.own_log(self.caller)
        walk = sync.walk_of(request, log, since)
        found, data = self.lightened(
            lambda most: sync.changes(log, walk, self.caller, most), rows_of=lambda changes: changes.tasks
        )
        return Response(
            {
                "sync_date": UtcDateTimeField().to_representation(found.sync_date),
                "data": data,
                "deleted": found.deleted,
                "next": sync.link_of(request, found.next),
            }
        )


class TaskPart(ViewSet):
    """What hangs on one task: found only where the caller may see the task."""

    scope = "tasks"
    queryset: QuerySet[Any] = Task.objects.none()

    @property
    def task(self) -> Task:
        visible = Task.objects.visible_to(self.caller)
        return get_object_or_404(visible, pk=self.kwargs["task"])


class TaskPraises(TaskPart, Praises):
    """POST toggles, as old apps call it; PUT and DELETE say what they mean and may be repeated."""

    def get_object(self) -> Task:
        return self.task

    def give(self, praised: Task) -> bool:
        return actions.praise(task=praised, maker=self.caller)

    def withdraw(self, praised: Task) -> bool:
        return actions.withdraw_praise(task=praised, maker=self.caller)


class TaskComments(TaskPart):
    """Oldest first, as apps show them."""

    budgets = {"list": PAGE, "retrieve": ONE, **WRITES}
    queryset = TaskComment.objects.none()
    serializer_class = CommentSerializer
    pagination_class = BareKeysetPagination
    order = ("id",)
    within = ("task",)

    comments = fixed(TaskComment.objects.filter(hidden=False))

    def get_queryset(self) -> QuerySet[TaskComment]:
        return self.comments.filter(task=self.task).select_related("author")

    def list(self, request: Request, task: int) -> Response:
        (found,) = self.values_of(Task.objects.visible_to, "pk", pk=task)
        return self.listed(self.comments, task=found)

    def create(self, request: Request, task: int) -> Response:
        made = actions.comment(task=self.task, author=self.caller, **self.validated(), **self.posting)
        return self.answer(made, status=201)

    def retrieve(self, request: Request, task: int, pk: int) -> Response:
        (found,) = self.values_of(Task.objects.visible_to, "pk", pk=task)
        return self.shown(self.comments, pk=pk, task=found)

    def partial_update(self, request: Request, task: int, pk: int) -> Response:
        comment = self.get_object()
        self.require_own(comment)
        return self.answer(actions.change_comment(comment=comment, **self.validated()))

    def destroy(self, request: Request, task: int, pk: int) -> Response:
        comment = self.get_object()
        self.require_own(comment)
        actions.delete_comment(comment=comment)
        return Response(status=204)


class MakerTasks(ApiView):
    """The newest tasks of one maker."""

    scope = "tasks"
    budgets = {"get": FULL_PAGE}
    queryset = Task.objects.none()
    serializer_class = TaskSerializer
    pagination_class = BareKeysetPagination
    order = ("-created_at", "-id")
    within = ("author",)

    rows = fixed(Task.objects.all())

    def get(self, request: Request, maker: str) -> Response:
        return self.tasks_of(maker)

    def tasks_of(self, name: str, bounds: Bounds | None = None) -> Response:
        return self.listed(self.rows, content.branches(self.caller), bounds=bounds, author=active_id(name))


class MakerDay(MakerTasks):
    """A maker's tasks of one day: ``?day=YYYY-MM-DD``, today where none is named, in the request's time zone."""

    params = ("day",)
    order = ("-worked_at", "-id")

    @extend_schema(parameters=[OpenApiParameter("day", str)])
    def get(self, request: Request, maker: str) -> Response:
        return self.tasks_of(maker, Bounds(*day_around(moment_named(request, "day") or timezone.now())))


class TaskRemovals(Removals):
    """Ids of tasks that left the public within 30 days: deleted, hidden, or made private; the oldest first. Beside
    `updated_since`, for apps that mirror the list: ask again, at least every 30 days, with the last `deleted_at` as `since`.
    What is public again is not here any more."""

    scope = "tasks"
    serializer_class = TaskRemovalSerializer

    rows = fixed(TaskRemoval.objects.all())
