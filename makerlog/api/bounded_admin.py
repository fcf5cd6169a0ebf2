"""Django admin on big tables: no full count, no search without an index, no list of all rows to choose from."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Field, Model, Q, QuerySet, URLField
from django.http import HttpRequest
from django.utils.functional import cached_property

from makerlog.api.folded import FoldedField
from makerlog.api.text import fold

MOST = 1_000
EXACT = {"", "exact", "isnull", "id__exact"}


class BoundedPaginator(Paginator):
    """Counts, and pages through, at most ``MOST`` rows: what lies deeper is found by searching."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list[:MOST]
        return rows.count()


class BoundedChangeList(ChangeList):
    """Ordered as its admin says: by another column, the whole table would be sorted."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Model]) -> list[Any]:
        return [*self.model_admin.get_ordering(request)]


class BoundedAdmin(admin.ModelAdmin):
    """``search_fields`` here are exact lookups, each with an index behind it; the newest rows come first."""

    show_full_result_count = False
    paginator = BoundedPaginator
    list_per_page = 50
    list_max_show_all = 100
    ordering: ClassVar[tuple[str, ...]] = ("-pk",)
    search_help_text = "Finds whole words only: an id, a username."
    sortable_by: ClassVar[tuple[str, ...]] = ()
    show_facets = admin.ShowFacets.NEVER  # each would count the whole table
    formfield_overrides: ClassVar[dict[type[Field], dict[str, Any]]] = {URLField: {"assume_scheme": "https"}}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return BoundedChangeList

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """What ``list_filter`` names, and no other column: Django's own would look for anything in the whole table."""
        filters = self.list_filter if request is None else self.get_list_filter(request)
        name, _, how = lookup.partition("__")
        return name in filters and how in EXACT

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Model], search_term: str
    ) -> tuple[QuerySet[Model], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        if "\x00" in term:  # PostgreSQL's text cannot hold it
            return queryset.none(), False
        # One by one: for several conditions at once no index is of use.
        found = {pk for lookup in self.search_fields for pk in self.found(lookup, term)}
        return queryset.filter(pk__in=found), False

    def found(self, lookup: str, term: str) -> Iterable[int]:
        """The keys of at most ``MOST`` rows. What is looked up in another table is found there first."""
        if lookup == "pk":
            return [int(term)] if term.isascii() and term.isdigit() and len(term) < 19 else []
        value = fold(term) if is_folded(self.model, lookup) else term
        name, _, rest = lookup.partition("__")
        related = self.model._meta.get_field(name).related_model
        if rest and isinstance(related, type) and issubclass(related, Model):
            others = related._base_manager.filter(**{rest: value}).values_list("pk", flat=True)[:MOST]
            condition = Q(**{f"{name}__in": list(others)})
        else:
            condition = Q(**{lookup: value})
        return self.model._base_manager.filter(condition).order_by().values_list("pk", flat=True)[:MOST]


def is_folded(model: type[Model], lookup: str) -> bool:
    """Whether ``lookup`` ends at a column of what was folded."""
    *path, last = lookup.split("__")
    for name in path:
        model = model._meta.get_field(name).related_model  # type: ignore[assignment]
    return last != "pk" and isinstance(model._meta.get_field(last), FoldedField)
