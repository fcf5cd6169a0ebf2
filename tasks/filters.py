"""The parameters of /tasks/ and the indexes that serve them."""

from typing import Any

import django_filters
from django.db.models import Q, Subquery

from makerlog.accounts.filters import MakerFilter
from makerlog.api.columns import Condition, by
from makerlog.api.filters import (
    BooleanFilter,
    ConditionFilter,
    DayFilter,
    DaysFilter,
    IdFilter,
    Index,
    KeysetFilterSet,
    SearchFilter,
    SinceFilter,
    UntilFilter,
    UpdatedSinceFilter,
)
from makerlog.api.keyset import Branch
from makerlog.api.prepared import looked_up
from products.models import Membership, Product, Project, look_up
from tasks.models import Task, TaskProduct, TaskProject

MEMBERSHIPS = Membership.objects.all()
PROJECTS = Project.objects.all()
DATES = frozenset({"start_date", "end_date", "date_range"})


def filing(kind: str) -> tuple[str, str]:
    """The key of a task in the table that lists it by project or by product."""
    return f"{kind}_filings__created_at", f"{kind}_filings__task_id"


class ProjectFilter(IdFilter):
    def condition(self, pk: int) -> Q:
        return Q(project_filings__project=pk)


class ProductFilter(ConditionFilter, django_filters.CharFilter):
    def values(self, value: str) -> tuple[int | None, str | None]:
        found = look_up(value)
        return found.get("pk"), found.get("slug")

    def condition(self, pk: int | None, slug: str | None) -> Q:
        named = {"slug": slug} if pk is None else {"pk": pk}
        return Q(product_filings__product=Subquery(Product.objects.filter(**named).values("pk")[:1]))


class TaskFilter(KeysetFilterSet):
    """Dates go by ``done_at``, or ``created_at`` where not done, and so does the order of a list filtered by them."""

    user = MakerFilter()
    username = MakerFilter()
    project = ProjectFilter(help_text="A project's id.")
    product = ProductFilter(help_text="A product's slug or id.", max_length=120)
    done = BooleanFilter()
    in_progress = BooleanFilter()
    created_at = DayFilter(help_text="The day this moment is in.")
    start_date = SinceFilter(field_name="worked_at", help_text="`YYYY-MM-DD H:MM` or ISO 8601.")
    end_date = UntilFilter(
        field_name="worked_at", help_text="`YYYY-MM-DD H:MM` or ISO 8601; a bare day is all of that day."
    )
    date_range = DaysFilter(field_name="worked_at")
    search = SearchFilter("content")
    updated_since = UpdatedSinceFilter(
        help_text="What changed since, oldest change first. `/tasks/deleted/` tells what is gone."
    )

    indexes = (
        Index(),
        Index(frozenset({"updated_since"}), key=("updated_at", "id"), ascending=True),
        Index(frozenset({"project"}), model=TaskProject, within=("project", "listed"), columns=filing("project")),
        Index(frozenset({"product"}), model=TaskProduct, within=("product", "listed"), columns=filing("product")),
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

    def branches(self, index: Index, branches: tuple[Branch, ...]) -> tuple[Branch, ...]:
        """Of a project or product, its owner and team see all tasks, everybody else the listed ones."""
        if index.model is None:
            return branches
        listed = f"{index.columns[0].partition('__')[0]}__listed"
        public = Branch(Q(**{listed: True}))
        return (public, Branch(Q(**{listed: False}, hidden=False))) if self.on_team(index) else (public,)

    def on_team(self, index: Index) -> bool:
        if not self.maker.is_authenticated:
            return False
        if index.model is TaskProduct:
            product = {f"product__{name}": value for name, value in look_up(self.value("product")).items()}
            return bool(looked_up(MEMBERSHIPS, by(maker=self.maker.pk, **product), "pk"))
        team = Condition("team", of_team, (*self.values("project"), self.maker.pk))
        return bool(looked_up(PROJECTS, team, "pk"))


def of_team(project: int, maker: int) -> Q:
    return Q(pk=project) & (Q(author=maker) | Q(products__memberships__maker=maker))
