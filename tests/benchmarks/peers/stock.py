"""Stock DRF: ModelSerializer, CursorPagination, TokenAuthentication, its two throttles, relations prefetched."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Prefetch
from django.urls import include, path
from django.utils import timezone
from rest_framework import mixins, serializers
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.viewsets import GenericViewSet

from makerlog.accounts.models import Maker
from makerlog.accounts.rhythm import WEEK, local_day
from makerlog.api.text import fold
from products.models import Product, Project
from tasks.hashtags import project_names
from tasks.models import DayCount, Task, TaskProduct, TaskProject

PUBLIC = {
    "digest": True,
    "dark_mode": False,
    "weekends_off": False,
    "hardcore_mode": False,
    "email_notifications": True,
    "ads_enabled": True,
    "og_image": None,
}  # what its owner alone reads otherwise


class UserSerializer(serializers.ModelSerializer):
    avatar = serializers.ReadOnlyField(source="avatar_url")
    header = serializers.ReadOnlyField(source="header_url")
    streak_end_date = serializers.DateTimeField(read_only=True)

    class Meta:
        model = Maker
        fields = [
            "id", "username", "first_name", "last_name", "status", "description", "verified", "private", "avatar",
            "streak", "timezone", "week_tda", "twitter_handle", "instagram_handle", "product_hunt_handle",
            "github_handle", "telegram_handle", "nomadlist_handle", "bmc_handle", "shipstreams_handle", "header",
            "is_staff", "is_moderator", "donor", "website", "tester", "is_live", "gold", "patron", "accent",
            "maker_score", "date_joined", "follower_count", "streak_end_date",
        ]  # fmt: skip

    def to_representation(self, maker: Maker) -> dict[str, Any]:
        return {**super().to_representation(maker), **PUBLIC}


class ProjectSerializer(serializers.ModelSerializer):
    user = serializers.ReadOnlyField(source="author_id")

    class Meta:
        model = Project
        fields = ["id", "name", "private", "user"]


class ProductSerializer(serializers.ModelSerializer):
    user = serializers.ReadOnlyField(source="author_id")
    icon = serializers.ReadOnlyField(source="icon_url")

    class Meta:
        model = Product
        fields = [
            "id", "name", "slug", "user", "icon", "description", "accent", "website", "twitter", "product_hunt",
            "launched", "launched_at", "created_at",
        ]  # fmt: skip


class TaskSerializer(serializers.ModelSerializer):
    user = UserSerializer(source="author", read_only=True)
    project_set = ProjectSerializer(source="projects", many=True, read_only=True)
    product_set = ProductSerializer(source="products", many=True, read_only=True)
    attachment = serializers.ReadOnlyField(source="attachment_url")
    og_image = serializers.ReadOnlyField(default=None)
    video = serializers.ReadOnlyField(default=None)

    class Meta:
        model = Task
        fields = [
            "id", "event", "done", "in_progress", "content", "created_at", "updated_at", "due_at", "done_at", "user",
            "description", "project_set", "product_set", "praise", "attachment", "comment_count", "og_image", "video",
            "external_id",
        ]  # fmt: skip
        read_only_fields = ["event", "updated_at", "praise", "comment_count"]
        validators: list[Any] = []


class NewestFirst(CursorPagination):
    page_size = 20
    ordering = "-created_at"


class TaskViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, GenericViewSet):
    serializer_class = TaskSerializer
    pagination_class = NewestFirst
    queryset = (
        Task.objects.filter(listed=True)
        .select_related("author")
        .prefetch_related(
            Prefetch("projects", Project.objects.filter(private=False, author__private=False)),
            Prefetch("products", Product.objects.filter(listed=True)),
        )
    )

    def create(self, request: Request) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        task = log_task(request.user, **serializer.validated_data)
        return Response(self.get_serializer(self.get_queryset().get(pk=task.pk)).data, status=201)


@transaction.atomic
def log_task(author: Maker, **values: Any) -> Task:
    """The same rows as ours: the task, its filings, the day's count and the author's rhythm."""
    author = Maker.objects.select_for_update(no_key=True).get(pk=author.pk)
    if values.get("done"):
        values.setdefault("done_at", timezone.now())
    task = Task.objects.create(author=author, **values)
    file_task(task)
    if task.done_at:
        count_day(author, task)
    return task


def file_task(task: Task) -> None:
    projects = [project_named(task.author, name) for name in project_names(task.content)]
    products = list(Product.objects.filter(projects__in=projects).distinct()) if projects else []
    private = task.author.private or any(each.private for each in (*projects, *products))
    if private:
        task.listed = False
        task.save(update_fields=["listed"])
    kept: dict[str, Any] = {"created_at": task.created_at, "listed": task.listed}
    for project in projects:
        TaskProject.objects.create(task=task, project=project, **kept)
    for product in products:
        TaskProduct.objects.create(task=task, product=product, **kept)


def project_named(author: Maker, name: str) -> Project:
    known = Project.objects.filter(author=author, folded=fold(name)).first()
    return known or Project.objects.create(author=author, name=name)


def count_day(author: Maker, task: Task) -> None:
    day = local_day(task.done_at, author.timezone)
    DayCount.objects.update_or_create(
        author=author,
        day=day,
        defaults={"done": F("done") + 1, "listed": F("listed") + 1},
        create_defaults={"done": 1, "listed": 1},
    )
    worked = DayCount.objects.filter(author=author, done__gt=0).order_by("-day")
    counts = dict(worked.filter(day__gt=day - timedelta(days=WEEK)).values_list("day", "done"))
    author.last_day = max(counts)
    author.week_counts = [counts.get(author.last_day - timedelta(days=back), 0) for back in range(WEEK)][::-1]
    author.run_length = run_length(worked.values_list("day", flat=True).iterator(), author.last_day)
    author.public_last_day, author.public_run_length = author.last_day, author.run_length
    author.public_week_counts = author.week_counts
    names = ["last_day", "run_length", "week_counts"]
    author.save(update_fields=[*names, *(f"public_{name}" for name in names)])


router = SimpleRouter()
router.register("tasks", TaskViewSet)
urlpatterns = [path("", include(router.urls))]


def run_length(days: Iterable[date], last_day: date) -> int:
    """How many of ``days``, newest first, follow each other without a gap, ending with ``last_day``."""
    length = 0
    for day in days:
        if day != last_day - timedelta(days=length):
            break
        length += 1
    return length
