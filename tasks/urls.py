from django.urls import path

from tasks import views

urlpatterns = [
    path("tasks/", views.TaskViewSet.as_view({"get": "list", "post": "create"})),
    path("tasks/deleted/", views.TaskRemovals.as_view()),
    path("tasks/batch/", views.TaskBatch.as_view()),
    path("tasks/me/", views.MyTasks.as_view()),
    path("tasks/sync/", views.TaskSync.as_view()),
    path(
        "tasks/<int:pk>/",
        views.TaskViewSet.as_view({"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}),
    ),
    path(
        "tasks/<int:task>/praise/",
        views.TaskPraises.as_view({"get": "retrieve", "post": "toggle", "put": "put", "delete": "delete"}),
    ),
    path("tasks/<int:task>/comments/", views.TaskComments.as_view({"get": "list", "post": "create"})),
    path(
        "tasks/<int:task>/comments/<int:pk>/",
        views.TaskComments.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
    ),
    path("users/<str:maker>/recent_tasks/", views.MakerTasks.as_view()),
    path("users/<str:maker>/tasks_for_day/", views.MakerDay.as_view()),
]
