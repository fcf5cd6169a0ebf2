"""Jobs in the admin: the newest first, those given up by the filter; and the way to run them again."""

from typing import ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django_tasks.base import TaskResultStatus as Status
from django_tasks_db.models import DBTaskResult

from makerlog.jobs.models import Job
from moderation.looked_at import LookedAt
from moderation.roles import may

admin.site.unregister(DBTaskResult)  # the library's own: it counts the whole table


@admin.register(Job)
class JobAdmin(LookedAt):
    list_display = (
        "task_path",
        "status",
        "attempts",
        "enqueued_at",
        "run_after",
        "finished_at",
        "exception_class_path",
    )
    list_filter = ("status",)
    ordering: ClassVar = ("-enqueued_at",)
    actions = ("run_again",)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may(request.user, "jobs")

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return may(request.user, "jobs")

    @admin.action(description="Run again those that were given up")
    def run_again(self, request: HttpRequest, chosen: QuerySet[Job]) -> None:
        again = chosen.filter(status=Status.FAILED).order_by()
        rows = again.update(status=Status.READY, run_after=timezone.now(), worker_ids=[], finished_at=None)
        self.message_user(request, f"{rows} jobs will run again.")
