"""The parameters of /tasks/ and the indexes that serve them."""

from datetime import timedelta
from typing import Any

import django_filters
from django.db.models import FilteredRelation, Q, QuerySet, Subquery
from django.utils import timezone

from makerlog.accounts.filters import MakerFilter
from makerlog.api.filters import (
    BooleanFilter,
    DateTimeFilter,
    DayFilter,
    Index,
    KeysetFilterSet,
    UpdatedSinceFilter,
    midnight,
)
from products.models import Product, Project
from tasks.models import Task, TaskProduct, TaskProject

RANGES = {"today": 0, "yesterday": 1, "week": 6, "month": 29, "year": 364}
DATES = frozenset({"start_date", "end_date", "date_range"})
FILING = ("filing__created_at", "filing__task")


class TaskFilter(KeysetFilterSet):
    """Dates go by ``done_at``, or ``created_at`` where not done, and so does the order of a list filtered by them."""

    user = MakerFilter()
    username = MakerFilter()
    project = django_filters.NumberFilter(method="of_project", help_text="A project's id.", min_value=1)
    product = django_filters.CharFilter(method="of_product", help_text="A product's slug or id.", max_length=120)
    done = BooleanFilter()
    in_progress = BooleanFilter()
    created_at = DayFilter(help_text="The day this moment is in.")
    start_date = DateTimeFilter(field_name="worked_at", lookup_expr="gte", help_text="`YYYY-MM-DD H:MM` or ISO 8601.")
    end_date = DateTimeFilter(field_name="worked_at", lookup_expr="lte", help_text="`YYYY-MM-DD H:MM` or ISO 8601.")
    date_range = django_filters.ChoiceFilter(choices=[(word, word) for word in RANGES], method="in_range")
    search = django_filters.CharFilter(field_name="content", lookup_expr="icontains", max_length=100)
    updated_since = UpdatedSinceFilter(help_text="What changed since, oldest change first.")

    indexes = (
        Index(),
        Index(frozenset({"updated_since"}), key=("updated_at", "id"), ascending=True),
        Index(frozenset({"project"}), model=TaskProject, within=("project", "listed"), columns=FILING),
        Index(frozenset({"product"}), model=TaskProduct, within=("product", "listed"), columns=FILING),
        Index(frozenset({"user"}), any_of=DATES, within=("author",), key=("worked_at", "id")),
        Index(frozenset({"username"}), any_of=DATES, within=("author",), key=("worked_at", "id")),
        Index(frozenset({"user"}), within=("author",)),
        Index(frozenset({"username"}), within=("author",)),
        Index(any_of=DATES, key=("worked_at", "id")),
        Index(frozenset({"created_at"})),
        Index(frozenset({"done"}), within=("done",)),
        Index(frozenset({"in_progress"}), within=("in_progress",)),
    )

    class Meta:
        model = Task
        fields: list[str] = []

    def asked_for(self) -> set[str]:
        """With a credential, both dates and no maker named, one's own day is meant: so the old web asks for it."""
        given = super().asked_for()
        if {"start_date", "end_date"} <= given and not given & {"user", "username"} and self.maker.is_authenticated:
            self.form.cleaned_data["user"] = str(self.maker.pk)
            given.add("user")
        return given

    @property
    def maker(self) -> Any:
        return self.request.user

    # The link is joined by the branch that says which of its rows may be seen: once for all (see Reading.after).
    def of_project(self, queryset: QuerySet[Task], name: str, value: Any) -> QuerySet[Task]:
        condition = Q(project_filings__project=value)
        return queryset.alias(filing=FilteredRelation("project_filings", condition=condition))

    def of_product(self, queryset: QuerySet[Task], name: str, value: str) -> QuerySet[Task]:
        product = Subquery(Product.objects.filter(named(value)).values("pk")[:1])
        condition = Q(product_filings__product=product)
        return queryset.alias(filing=FilteredRelation("product_filings", condition=condition))

    def in_range(self, queryset: QuerySet[Task], name: str, value: str) -> QuerySet[Task]:
        today = timezone.localdate()
        zone = timezone.get_current_timezone()
        start, end = today - timedelta(days=RANGES[value]), today + timedelta(days=value != "yesterday")
        return queryset.filter(worked_at__gte=midnight(start, zone), worked_at__lt=midnight(end, zone))

    def branches(self, index: Index, branches: tuple[Q, ...]) -> tuple[Q, ...]:
        """Of a project or product, its owner and team see all tasks, everybody else the listed ones."""
        if not index.columns:
            return branches
        public = Q(filing__listed=True)
        return (public, Q(filing__listed=False, hidden=False)) if self.on_team(index) else (public,)

    def on_team(self, index: Index) -> bool:
        if not self.maker.is_authenticated:
            return False
        if index.model is TaskProduct:
            product = self.form.cleaned_data["product"]
            return self.maker.memberships.filter(product__in=Product.objects.filter(named(product))).exists()
        mine = Q(author=self.maker) | Q(products__memberships__maker=self.maker)
        return Project.objects.filter(mine, pk=self.form.cleaned_data["project"]).exists()


def named(product: str) -> Q:
    """By id or slug: slugs are never all digits."""
    return Q(pk=product) if product.isascii() and product.isdigit() and len(product) < 19 else Q(slug=product)
