"""What does not start: a list without an end, and whatever else would be found out at 3 AM.

Each check looks at one thing, in every route of the URLconf or every registered admin; the message names the view and the
mend. What cannot be seen from outside (what a method returns) is stopped by the renderer's ceiling instead.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import site
from django.contrib.admin.utils import flatten_fieldsets
from django.core import checks
from django.core.management.base import SystemCheckError
from django.db.models import Field, IntegerField, Model, UniqueConstraint
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework import serializers
from rest_framework.permissions import AllowAny

from makerlog.api.bounded_admin import BoundedAdmin, BoundedPaginator
from makerlog.api.budgets import budgets_of
from makerlog.api.compiled import CannotCompile, compiled
from makerlog.api.limits import LIMITS, PRICES
from makerlog.api.pagination import MAX_LIMIT, KeysetPagination
from makerlog.api.throttling import Throttle
from makerlog.api.views import Endpoint

logger = logging.getLogger("makerlog.checks")

METHODS = ("get", "post", "put", "patch", "delete")
ONE_OBJECT = {"retrieve", "create", "update", "partial_update", "destroy"}


@dataclass(frozen=True)
class Route:
    """One URL: its path, the class behind it (None for a function), and its handlers by method."""

    path: str
    callback: Any

    @property
    def view(self) -> Any:
        return getattr(self.callback, "cls", None) or getattr(self.callback, "view_class", None)

    @property
    def reader(self) -> str | None:
        """The name of what answers GET, if anything does."""
        actions = getattr(self.callback, "actions", None)
        if actions is not None:
            return actions.get("get")
        return "get" if hasattr(self.view, "get") else None

    @property
    def handlers(self) -> dict[str, str]:
        """By method, in capitals, the name of what answers it. HEAD is answered by what answers GET."""
        actions = getattr(self.callback, "actions", None)
        if actions is not None:
            return {method.upper(): name for method, name in actions.items() if method != "head"}
        names = [name for name in METHODS if hasattr(self.view, name)] if self.view else ["get"]
        return {name.upper(): name for name in names}

    @property
    def lists(self) -> bool:
        """Whether GET may answer many rows: it is not said to be one object, nor bounded otherwise."""
        return self.ours and self.reader not in ONE_OBJECT | {None} and not self.view.bounded_by

    @property
    def ours(self) -> bool:
        return isinstance(self.view, type) and issubclass(self.view, Endpoint)

    @property
    def name(self) -> str:
        thing = self.view or self.callback
        return f"{thing.__module__}.{thing.__qualname__} (/{self.path})"

    def error(self, number: int, message: str, hint: str) -> checks.Error:
        return checks.Error(f"{self.name} {message}", hint=hint, id=f"makerlog.E{number:03}")


def routes() -> list[Route]:
    return list(walk(get_resolver().url_patterns))


def walk(patterns: Sequence[URLPattern | URLResolver], prefix: str = "") -> Iterator[Route]:
    """Every route but the admin's, which is judged by its ModelAdmins."""
    for pattern in patterns:
        path = f"{prefix}{pattern.pattern}"
        if isinstance(pattern, URLPattern):
            yield Route(path, pattern.callback)
        elif pattern.app_name != "admin":
            yield from walk(pattern.url_patterns, path)


Check = Callable[[Route], Iterator[checks.Error]]
route_checks: list[Check] = []


def of_each_route(check: Check) -> Check:
    route_checks.append(check)
    return check


@checks.register("makerlog")
def check_routes(**kwargs: Any) -> list[checks.CheckMessage]:
    return [error for route in routes() for check in route_checks for error in check(route)]


@of_each_route
def made_of_ours(route: Route) -> Iterator[checks.Error]:
    if not route.ours and not getattr(route.view or route.callback, "bounded_by", ""):
        yield route.error(
            1,
            "is not made of makerlog.api.views.ApiView or ViewSet.",
            "Derive it from one of them. A library's view: subclass it and say what bounds its answer in `bounded_by`.",
        )


@of_each_route
def lists_are_paginated(route: Route) -> Iterator[checks.Error]:
    if route.lists and not paginated(route.view):
        yield route.error(
            2,
            "answers GET without pagination.",
            "Give it KeysetPagination (or BareKeysetPagination) and `order` or a `filterset_class`; or, if it is no list, say"
            " what bounds its answer in `bounded_by`.",
        )


def paginated(view: Any) -> bool:
    keyset = isinstance(view.pagination_class, type) and issubclass(view.pagination_class, KeysetPagination)
    return keyset and bool(view.order or view.filterset_class)


@of_each_route
def pages_have_a_ceiling(route: Route) -> Iterator[checks.Error]:
    if not (route.lists and paginated(route.view)):
        return
    pagination = route.view.pagination_class
    if not 0 < pagination.default_limit <= (pagination.max_limit or 0) <= MAX_LIMIT:
        yield route.error(
            3,
            "has pages without a ceiling.",
            f"0 < default_limit <= max_limit <= {MAX_LIMIT} in {pagination.__name__}.",
        )


@dataclass(frozen=True)
class Order:
    """One way a list is ordered: by ``key`` of ``model``, after the columns ``within`` that are pinned down."""

    model: type[Model]
    key: tuple[str, ...]
    within: tuple[str, ...]


def orders(view: Any) -> list[Order]:
    """Every order that the requests of a list can ask for."""
    model = listed_model(view)
    if view.order:
        return [Order(model, tuple(name.removeprefix("-") for name in view.order), view.within)]
    return [
        Order(index.model or model, tuple(map(own_name, index.columns or index.key)), index.within)
        for index in view.filterset_class.indexes
    ]


def own_name(column: str) -> str:
    """``filing__task_id``, as the joined table's index calls it: ``task``."""
    return column.rpartition("__")[2].removesuffix("_id")


def listed_model(view: Any) -> Any:
    """The model whose rows are paged: of the view's ``queryset``, its FilterSet, or its serializer."""
    for owner in (
        view.queryset,
        getattr(view.filterset_class, "_meta", None),
        getattr(view.serializer_class, "Meta", None),
    ):
        if model := getattr(owner, "model", None):
            return model
    raise AttributeError(f"{view.__qualname__} lists rows of no known model; say queryset = Model.objects.none().")


@of_each_route
def orders_are_total(route: Route) -> Iterator[checks.Error]:
    if not (route.lists and paginated(route.view)):
        return
    for order in orders(route.view):
        last: Any = order.model._meta.get_field(order.key[-1])
        if not (last.unique or is_unique(order)):
            yield route.error(
                4,
                f"is ordered by {', '.join(order.key)}, which is not unique.",
                "End the order with a unique field, such as id: rows that compare equal would be lost between pages.",
            )
        elif not isinstance(getattr(last, "target_field", last), IntegerField):
            yield route.error(
                4,
                f"is ordered by {', '.join(order.key)}, which ends with no whole number.",
                "End the order with an id: an empty page turns back to the number beside its cursor's.",
            )


def is_unique(order: Order) -> bool:
    """Whether a constraint makes the last field unique among the rows within: a task stands once under a project."""
    wanted = {*order.within, order.key[-1]}
    return any(wanted >= set(constraint.fields) for constraint in unique_constraints(order.model))


def unique_constraints(model: type[Model]) -> list[UniqueConstraint]:
    return [c for c in model._meta.constraints if isinstance(c, UniqueConstraint) and c.fields and c.condition is None]


@of_each_route
def orders_have_an_index(route: Route) -> Iterator[checks.Error]:
    if not (route.lists and paginated(route.view)):
        return
    for order in orders(route.view):
        if not any(serves(fields, order) for fields in indexed(order.model)):
            columns = ", ".join([*order.within, *order.key])
            yield route.error(
                5,
                f"is ordered by {', '.join(order.key)} with no index of {order.model.__name__} behind it.",
                f"Add Index(fields=[{columns}]) to its Meta.indexes.",
            )


def indexed(model: type[Model]) -> list[list[str]]:
    pk = model._meta.pk
    found = [[pk.name]] if isinstance(pk, Field) else []
    found += [[name.removeprefix("-") for name in index.fields] for index in model._meta.indexes]
    return found + [list(constraint.fields) for constraint in unique_constraints(model)]


def serves(fields: list[str], order: Order) -> bool:
    """Whether an index begins with the pinned columns, in any order, and goes on with the key in its own."""
    pinned = len(order.within)
    return set(fields[:pinned]) == set(order.within) and tuple(fields[pinned : pinned + len(order.key)]) == order.key


@of_each_route
def nested_lists_are_bounded(route: Route) -> Iterator[checks.Error]:
    serializer_class = getattr(route.view, "serializer_class", None) if route.ours else None
    if serializer_class is None:
        return
    for path in unbounded(serializer_class(), ()):
        yield route.error(
            6,
            f"nests the list {'.'.join(path)} without a bound.",
            "Give the field max_length, and hold it where the rows are written.",
        )


def unbounded(field: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Paths of the lists in a serializer that have no ``max_length``."""
    if isinstance(field, serializers.ListSerializer | serializers.ListField):
        if getattr(field, "max_length", None) is None:
            yield path
        yield from unbounded(field.child, path)
    elif isinstance(field, serializers.ManyRelatedField):
        yield path
    elif isinstance(field, serializers.Serializer):
        for name, nested in field.fields.items():
            yield from unbounded(nested, (*path, name))


@of_each_route
def requests_are_charged(route: Route) -> Iterator[checks.Error]:
    if fault := charging_fault(route):
        yield route.error(
            7,
            fault,
            "Leave `throttle_classes` alone and name limits and prices of makerlog.api.limits; or, with throttle_classes ="
            " [], say in `unlimited` why nobody is charged.",
        )


def charging_fault(route: Route) -> str | None:
    view = route.view
    if not route.ours and not getattr(view or route.callback, "bounded_by", ""):
        return None  # E001 has more to say
    classes = getattr(route.callback, "initkwargs", {}).get("throttle_classes", getattr(view, "throttle_classes", ()))
    if not any(issubclass(each, Throttle) for each in classes):
        return None if getattr(view, "unlimited", "") else "lets anybody ask as often as they like."
    unknown = {*getattr(view, "limits", ())} - {*LIMITS}
    if getattr(view, "price", "read") not in PRICES:
        unknown.add(view.price)
    return f"names no limit or price that there is: {', '.join(sorted(unknown))}." if unknown else None


@of_each_route
def callers_are_named(route: Route) -> Iterator[checks.Error]:
    if route.ours and not route.view.scope and AllowAny not in route.view.permission_classes:
        yield route.error(
            8,
            "says nowhere who may call it.",
            "Name the resource in `scope`; or, for what needs no token, permission_classes = [AllowAny].",
        )


@of_each_route
def reads_are_compiled(route: Route) -> Iterator[checks.Error]:
    if not (route.lists or (route.ours and route.reader == "retrieve" and not route.view.bounded_by)):
        return
    serializer_class = route.view.serializer_class
    if any(unbounded(serializer_class(), ())):
        return  # E006 has more to say
    try:
        compiled(serializer_class)
    except CannotCompile as error:
        yield route.error(
            10,
            f"reads what is not said in columns: {error}",
            "Say where it comes from, as makerlog/api/compiled.py has it; or, if it is one thing and no list, what bounds it"
            " in `bounded_by`, and answer with a serializer of your own.",
        )


@of_each_route
def costs_have_a_budget(route: Route) -> Iterator[checks.Error]:
    if not route.ours and not getattr(route.view or route.callback, "bounded_by", ""):
        return  # E001 has more to say
    budgets = budgets_of(route.callback)
    if missing := [name for name in route.handlers.values() if name not in budgets]:
        yield route.error(
            11,
            f"says nowhere what {', '.join(missing)} may cost.",
            "Name a budget of makerlog.api.budgets, or one of its own, for each handler in `budgets`.",
        )


@checks.register("makerlog")
def check_admin(**kwargs: Any) -> list[checks.CheckMessage]:
    """Admin lists never count the table, search without an index, or offer every row of another table to choose from."""
    return [
        checks.Error(
            f"{admin!r} {fault}.", hint="Derive it from BoundedAdmin and leave its bounds in place.", id="makerlog.E009"
        )
        for admin in site._registry.values()
        for fault in admin_faults(admin)
    ]


def admin_faults(admin: Any) -> Iterator[str]:
    if not isinstance(admin, BoundedAdmin):
        yield "is not a BoundedAdmin: its list counts the whole table"
        return
    if admin.show_full_result_count or not issubclass(admin.paginator, BoundedPaginator):
        yield "counts the whole table"
    if type(admin).get_search_results is not BoundedAdmin.get_search_results:
        yield "searches in a way of its own"
    if admin.date_hierarchy:
        yield "has a date_hierarchy, which aggregates the whole table"
    yield from (f"offers every row to choose {name} from; put it in raw_id_fields" for name in unbounded_choices(admin))


def unbounded_choices(admin: BoundedAdmin) -> list[str]:
    """Relations that the admin's form would offer as a list of every row there is."""
    if type(admin).has_change_permission is not BoundedAdmin.has_change_permission:
        return []
    closed = {*admin.raw_id_fields, *admin.readonly_fields, *admin.autocomplete_fields, *(admin.exclude or ())}
    shown = set(flatten_fieldsets([(None, {"fields": admin.fields})])) if admin.fields else None
    relations = [*admin.model._meta.fields, *admin.model._meta.many_to_many]
    names = [field.name for field in relations if field.is_relation and field.editable]
    return [name for name in names if name not in closed and (shown is None or name in shown)]


def refuse_to_start_on_errors() -> None:
    """Runs at boot, in every process that serves: SystemCheckError where a check fails."""
    # Django asks the database only when told to.
    found = [*checks.run_checks(), *checks.run_checks(tags=[checks.Tags.database], databases=["default"])]
    for message in found:
        if not message.is_serious():
            logger.warning("%s", message)
    errors = [message for message in found if message.is_serious()]
    if errors:
        raise SystemCheckError("\n\n".join(map(str, errors)))
