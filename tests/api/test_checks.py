"""What does not start. Each start-up check is tripped by a view, or an admin, that has just its one fault."""

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.contrib import admin
from django.core.management.base import SystemCheckError
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import clear_url_caches, path
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.permissions import AllowAny

from makerlog.api import checks
from makerlog.api.bounded_admin import BoundedAdmin
from makerlog.api.budgets import ONE, PAGE
from makerlog.api.pagination import KeysetPagination
from makerlog.api.views import ApiView
from products.models import Product
from products.serializers import ProjectSerializer
from tasks.models import Task, TaskComment
from tasks.serializers import CommentSerializer

HOW_TO = Path(__file__).parents[2] / "deploy" / "decisions" / "how-to-add-an-endpoint.md"


class Comments(ApiView):
    """A list without a fault."""

    scope = "tasks"
    queryset = TaskComment.objects.none()
    serializer_class = CommentSerializer
    order = ("id",)
    within = ("task",)
    budgets = {"get": PAGE}

    def get(self, request: Any) -> Any:
        return self.listed(TaskComment.objects.filter(task=1))


class Foreign(ListAPIView):
    queryset = Task.objects.all()
    pagination_class = None


class Unpaginated(Comments):
    pagination_class = None


class Orderless(Comments):
    order = ()


class EndlessPages(KeysetPagination):
    max_limit = 100_000


class WithoutCeiling(Comments):
    pagination_class = EndlessPages


class Tied(Comments):
    queryset = Task.objects.none()
    order = ("created_at",)
    within = ("author",)


class EndsWithText(Comments):
    queryset = Product.objects.none()
    order = ("slug",)
    within = ()


class WithoutIndex(Comments):
    order = ("content", "id")


class Nesting(serializers.Serializer):
    projects = ProjectSerializer(many=True)


class Nested(Comments):
    serializer_class = Nesting


class Counted(serializers.ModelSerializer):
    letters = serializers.SerializerMethodField()

    class Meta:
        model = TaskComment
        fields = ["id", "letters"]


class Uncompiled(Comments):
    serializer_class = Counted


class Unthrottled(Comments):
    throttle_classes = []


class OfNoLimit(Comments):
    limits = ("logn",)


class OfNoPrice(Comments):
    price = "cheap"


class ForNobody(Comments):
    scope = ""


class Unbudgeted(Comments):
    budgets = {}


def function(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


@pytest.fixture
def errors(settings: Any) -> Any:
    """Calls with a view: the ids of the errors that a URLconf of it alone gives."""

    def check(view: Any) -> list[str]:
        urlconf = ModuleType("urlconf")
        callback = view.as_view() if isinstance(view, type) else view
        urlconf.urlpatterns = [path("things/", callback)]  # type: ignore[attr-defined]
        settings.ROOT_URLCONF = urlconf
        clear_url_caches()
        return [str(error.id) for error in checks.check_routes()]

    yield check
    clear_url_caches()


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (Comments, []),
        (Foreign, ["makerlog.E001"]),
        (function, ["makerlog.E001"]),
        (Unpaginated, ["makerlog.E002"]),
        (Orderless, ["makerlog.E002"]),
        (WithoutCeiling, ["makerlog.E003"]),
        (Tied, ["makerlog.E004"]),
        (EndsWithText, ["makerlog.E004", "makerlog.E005"]),
        (WithoutIndex, ["makerlog.E005"]),
        (Nested, ["makerlog.E006"]),
        (Unthrottled, ["makerlog.E007"]),
        (OfNoLimit, ["makerlog.E007"]),
        (OfNoPrice, ["makerlog.E007"]),
        (ForNobody, ["makerlog.E008"]),
        (Uncompiled, ["makerlog.E010"]),
        (Unbudgeted, ["makerlog.E011"]),
    ],
)
def test_each_fault_is_found_and_no_other(errors: Callable[[Any], list[str]], view: Any, expected: list[str]) -> None:
    assert errors(view) == expected


def test_what_cannot_be_compiled_is_named_with_its_field(errors: Callable[[Any], list[str]]) -> None:
    errors(Uncompiled)
    [error] = checks.check_routes()
    assert "Counted.letters cannot be compiled" in error.msg


def test_what_is_no_list_says_what_bounds_it(errors: Callable[[Any], list[str]]) -> None:
    class Bounded(Unpaginated):
        bounded_by = "one number"

    assert errors(Bounded) == []


def test_a_view_open_to_all_says_so_in_its_permissions(errors: Callable[[Any], list[str]]) -> None:
    class Open(ForNobody):
        permission_classes = [AllowAny]

    assert errors(Open) == []


def test_a_library_view_passes_once_it_is_bounded(errors: Callable[[Any], list[str]]) -> None:
    class Subclassed(Foreign):
        bounded_by = "one page of a library's"
        budgets = {"get": PAGE}

    assert errors(Subclassed) == []


def test_a_view_that_charges_nobody_says_why(errors: Callable[[Any], list[str]]) -> None:
    class Free(Unthrottled):
        unlimited = "it is asked once a year"

    assert errors(Free) == []
    assert errors(Comments.as_view(throttle_classes=[])) == ["makerlog.E007"]


def test_a_bounded_function_of_a_library_s_is_charged_to_nobody(errors: Callable[[Any], list[str]]) -> None:
    def bounded(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    bounded.bounded_by = "nothing"  # type: ignore[attr-defined]
    bounded.budgets = {"get": ONE}  # type: ignore[attr-defined]
    assert errors(bounded) == ["makerlog.E007"]


def test_each_handler_of_a_view_has_a_budget(errors: Callable[[Any], list[str]]) -> None:
    class Writing(Comments):
        def post(self, request: Any) -> Any: ...

    assert errors(Writing) == ["makerlog.E011"]
    [error] = checks.check_routes()
    assert "says nowhere what post may cost" in error.msg


@pytest.mark.parametrize("view", [Foreign, Unpaginated, Tied, Nested, Unthrottled, Unbudgeted])
def test_a_process_with_a_fault_refuses_to_start(errors: Callable[[Any], list[str]], view: Any) -> None:
    errors(view)
    with pytest.raises(SystemCheckError, match=r"makerlog\.E0"):
        checks.refuse_to_start_on_errors()


def test_every_route_of_the_service_passes() -> None:
    assert checks.check_routes() == []
    assert checks.check_admin() == []
    assert len(checks.routes()) > 20


class Counting(BoundedAdmin):
    paginator = Paginator


class Searching(BoundedAdmin):
    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        return queryset.filter(content__icontains=search_term), False


class Aggregating(BoundedAdmin):
    date_hierarchy = "created_at"


class Choosing(BoundedAdmin):
    raw_id_fields = ("task",)


class Good(BoundedAdmin):
    raw_id_fields = ("task", "author")


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (admin.ModelAdmin, "is not a BoundedAdmin: its list counts the whole table"),
        (Counting, "counts the whole table"),
        (Searching, "searches in a way of its own"),
        (Aggregating, "has a date_hierarchy, which aggregates the whole table"),
        (Choosing, "offers every row to choose author from; put it in raw_id_fields"),
    ],
)
def test_an_unbounded_admin_is_found(kind: Any, fault: str) -> None:
    site = admin.AdminSite()
    kind = type(kind.__name__, (kind,), {"raw_id_fields": kind.raw_id_fields or ("task", "author")})
    assert list(checks.admin_faults(kind(TaskComment, site))) == [fault]


def test_a_bounded_admin_passes() -> None:
    assert list(checks.admin_faults(Good(TaskComment, admin.AdminSite()))) == []


SKIPPED = [Foreign, ForNobody, Unpaginated, Tied, WithoutIndex, Nested, Unthrottled, Unbudgeted]


@pytest.mark.parametrize(("step", "view"), list(enumerate(SKIPPED, 1)))
def test_skipping_a_step_of_how_to_add_an_endpoint_meets_the_message_it_quotes(
    errors: Callable[[Any], list[str]], step: int, view: Any
) -> None:
    errors(view)
    [error] = checks.check_routes()
    assert quoted(step) == f"({error.id}) {error.msg.split('(/things/) ')[1]} {error.hint}"


def quoted(step: int) -> str:
    """What the page says one meets on skipping a step: the block quote under its heading."""
    section = re.split(r"^## \d\. .*$", HOW_TO.read_text(), flags=re.MULTILINE)[step]
    return " ".join(line.removeprefix(">").strip() for line in section.splitlines() if line.startswith(">"))
