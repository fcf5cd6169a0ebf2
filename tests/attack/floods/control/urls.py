"""The list that took the service down, a list as DRF would page it, a task, and a health check."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest, JsonResponse
from django.urls import path
from rest_framework import generics, pagination, serializers

from tests.attack.floods.control.models import Task


class MakerSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ["id", "username", "first_name", "last_name", "is_staff", "date_joined"]


class TaskSerializer(serializers.ModelSerializer[Task]):
    author = MakerSerializer(read_only=True)

    class Meta:
        model = Task
        fields = ["id", "author", "content", "done", "created"]


class Tasks(generics.ListCreateAPIView[Task]):
    queryset = Task.objects.select_related("author")
    serializer_class = TaskSerializer

    def perform_create(self, serializer: Any) -> None:
        serializer.save(author=self.request.user)


class Page(pagination.CursorPagination):
    page_size = 20
    ordering = "-created"


class PagedTasks(Tasks):
    pagination_class = Page


class OneTask(generics.RetrieveAPIView[Task]):
    queryset = Task.objects.select_related("author")
    serializer_class = TaskSerializer


def health(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"healthy": True})


urlpatterns = [
    path("health", health),
    path("tasks/", Tasks.as_view()),
    path("paged/", PagedTasks.as_view()),
    path("tasks/<int:pk>/", OneTask.as_view()),
    path("admin/", admin.site.urls),
]
