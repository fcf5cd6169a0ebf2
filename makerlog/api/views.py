"""The base classes every route is made of. A view made of anything else does not start (see checks.py).

A list declares its ``order`` (and ``within``, the columns its index begins with) or a ``filterset_class`` with its indexes;
``self.listed(...)`` answers one page of it. What is no list says so: ``bounded_by`` names what bounds its answer.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, ClassVar, TypeVar

import orjson
from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from rest_framework import generics, viewsets
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from makerlog.api import idempotency, preconditions, throttling
from makerlog.api.audience import audience_of
from makerlog.api.budgets import Budgets
from makerlog.api.charset import require_utf8_address
from makerlog.api.columns import Asked, Condition, asked_by_all
from makerlog.api.compiled import Compiled, compiled
from makerlog.api.fields import MAX_ID
from makerlog.api.filters import FilterBackend, KeysetFilterSet
from makerlog.api.keyset import Bounds, Branch, Reading, Row
from makerlog.api.limits import limit_called
from makerlog.api.pagination import KeysetPagination
from makerlog.api.parameters import IGNORED, ignored_parameters, parameters_of, refuse_near_misses
from makerlog.api.prepared import fetched
from makerlog.api.renderers import MAX_ROWS, PAGE_BYTES, rows_within
from makerlog.api.statements import Written, statements, written
from makerlog.api.timezones import request_timezone
from makerlog.gate.wsgi import PUBLIC_FOR

T = TypeVar("T")
FAULT = "makerlog.fault"  # in an environ: what the fast path met, and is not to be tried again


class Endpoint(generics.GenericAPIView):
    """What all endpoints do around their handler: the time zone, the idempotency key, OPTIONS, validation."""

    scope: ClassVar[str] = ""
    # Whether a GET reads more of its caller than who they are and what they may. One that writes does, too.
    whole_caller: ClassVar[bool] = False
    whole_writer: ClassVar[bool] = True  # the same of its writes
    bounded_by: ClassVar[str] = ""
    answers_with_secret: ClassVar[bool] = False
    ignores_idempotency_key: ClassVar[bool] = False
    hashes_password: ClassVar[bool] = False  # all but its GET take a lane of their own; its path has no parameters

    # Seconds for which what one reader without a credential was answered is given to others (see makerlog.gate.sharing).
    public_for: ClassVar[float] = 1.0

    # What a request may cost at most, by the name of its handler (see budgets.py).
    budgets: ClassVar[Budgets] = {}

    # What its requests are charged (see limits.py); POST, PUT, PATCH and DELETE are writes always.
    price: ClassVar[str] = "read"  # of its GET: a name in PRICES
    params: ClassVar[tuple[str, ...]] = ()  # query parameters of its GET, beside those of a FilterSet and of pages
    limits: ClassVar[tuple[str, ...]] = ()  # names in LIMITS: charged 1 beside the caller's own, by charge_limits
    charges_each: ClassVar[bool] = False  # it charges `write` itself, once it knows how many
    unlimited: ClassVar[str] = ""  # with throttle_classes = []: why nobody is charged

    # How a list is read: by its FilterSet; or by the fields of its order, after the columns that its index begins with.
    filterset_class: ClassVar[type[KeysetFilterSet] | None] = None
    order: ClassVar[tuple[str, ...]] = ()
    within: ClassVar[tuple[str, ...]] = ()
    # What leaves out rows that its index does not: a page looks through a window of them at most.
    sought: ClassVar[tuple[Condition, ...]] = ()

    has_charged_limits = False
    post: Any  # of views that have one
    ignored: str = ""  # names of query parameters that the route does not know, as the header has them
    response_class: ClassVar[Callable[..., Any]] = Response  # of compiled reads; the fast path has a plainer one

    @property
    def caller(self) -> Any:
        """The maker whose token came with the request, or Django's AnonymousUser."""
        return self.request.user

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if fault := request.META.pop(FAULT, None):  # before the caller's token is looked up, which may wait as long
            raise fault
        super().initial(request, *args, **kwargs)
        self.begin(request)
        # After this DRF looks up the handler of the method, and finds the one that is set here.
        if not self.ignores_idempotency_key and (key := idempotency.requested_key(request)):
            self.post = idempotency.once(self.post, key, secret=self.answers_with_secret)
        if preconditions.is_conditional(request):
            method = str(request.method).lower()
            setattr(self, method, preconditions.apply_to(getattr(self, method, self.http_method_not_allowed), self))

    def perform_authentication(self, request: Request) -> None:
        """Charges the caller as soon as it is known who that is: who may not do this, or does it wrongly, pays as well."""
        super().perform_authentication(request)
        self.check_throttles(request)

    def begin(self, request: Request) -> None:
        """What comes before the handler, once the caller is let in."""
        require_utf8_address(request.META)
        if request.META.get("QUERY_STRING"):
            self.look_at_parameters(request)
        timezone.activate(
            request_timezone(request.headers.get("X-App-Timezone"), getattr(request.user, "timezone", ""))
        )

    def look_at_parameters(self, request: Request) -> None:
        """BadParameter for what looks like a typing error; of a write, which reads none, all are passed over."""
        reads = request.method in ("GET", "HEAD")
        known = parameters_of(type(self), throttling.pages(self)) if reads else frozenset()
        if not known.issuperset(request.query_params):
            self.ignored = ignored_parameters(request.query_params, known, refuses=reads)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        timezone.deactivate()
        if self.ignored:
            response[IGNORED] = self.ignored
        if self.answers_with_secret:
            response["Cache-Control"] = "no-store"
        self.say_whose(request, response)
        return super().finalize_response(request, response, *args, **kwargs)

    def say_whose(self, request: Request, response: Any) -> None:
        """Tells the front door for how long the answer to a read is anybody's, if nobody's credential came with it."""
        if response.status_code == 200 and request.auth is None and not throttling.writes(request, self):
            request.META.setdefault(PUBLIC_FOR, self.public_for)
        else:
            request.META.pop(PUBLIC_FOR, None)

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        return Response(status=204, headers={"Allow": ", ".join(self.allowed_methods)})

    def validated(self, serializer_class: type[BaseSerializer] | None = None, **kwargs: Any) -> dict[str, Any]:
        """The request's body, checked. ``kwargs`` go to the serializer."""
        self.charge_images()
        serializer_class = serializer_class or self.get_serializer_class()
        serializer = serializer_class(data=self.request.data, context=self.get_serializer_context(), **kwargs)
        refuse_near_misses(serializer, self.request.data)
        serializer.is_valid(raise_exception=True)
        self.charge_limits()
        return serializer.validated_data

    def charge_limits(self) -> None:
        """Charges the ``limits`` of the view, once: when what they bound is about to be done, not when it is asked for
        wrongly. TooOften: a 429."""
        if self.limits and not self.has_charged_limits:
            self.has_charged_limits = True
            owners = throttling.owners_of(self.request)
            charges = [throttling.charge(limit_called(name), owners, 1) for name in self.limits]
            throttling.account_of(self.request).charge(charges)

    def charge_images(self) -> None:
        """An image takes up to a second to write anew, where any other write takes milliseconds. Charged before: no child
        decodes what has not been paid for."""
        if self.request.auth is not None and self.request.FILES:
            self.charge("image", units=len(self.request.FILES))

    @property
    def posting(self) -> dict[str, Any]:
        """With which token, and from where, the caller posts: see content.Posted."""
        return {
            "posted_with": getattr(self.request.auth, "pk", None),
            "posted_from": self.request.META.get("REMOTE_ADDR") or None,
        }

    def answer(self, instance: Any, *, status: int = 200) -> Response:
        return Response(self.get_serializer(instance).data, status=status)

    @classmethod
    def visible_to(cls, reader: Any) -> QuerySet[Any]:
        """The rows that ``reader`` may know of, one by one. Of the reader, nothing counts but what an Audience holds."""
        raise NotImplementedError(f"{cls.__qualname__} says nowhere which rows it shows.")

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset() if type(self).queryset is not None else self.visible_to(self.caller)

    def shown(self, rows: QuerySet[Any] | None = None, *, status: int = 200, **look_up: Any) -> Response:
        """The one row that ``look_up`` finds among ``rows``, which are ``fixed``, or else among those that the caller may
        know of. Http404 where there is none."""
        found = self.form.shown(self.found(rows, look_up))
        if not found:
            raise Http404
        return self.response_class(found[0], status=status)

    def found(self, rows: QuerySet[Any] | None, look_up: dict[str, Any]) -> list[Row]:
        among = self.visible_to if rows is None else lambda reader: rows
        return self.read((type(self), rows), among, self.form.asked(self.caller), look_up)

    def values_of(self, visible_to: Callable[[Any], QuerySet[Any]], *columns: str, **look_up: Any) -> Row:
        """Those columns of the one row that ``look_up`` finds among those ``visible_to`` the caller: of whom, as ever,
        nothing counts but what an Audience holds. Http404 where there is none."""
        found = self.read(visible_to, visible_to, asked_by_all(columns, columns), look_up)
        if not found:
            raise Http404
        return found[0]

    def read(
        self, name: Hashable, among: Callable[[Any], QuerySet[Any]], asked: Asked, look_up: dict[str, Any]
    ) -> list[Row]:
        if any(isinstance(value, int) and value > MAX_ID for value in look_up.values()):
            return []
        audience = audience_of(self.caller)

        def write(values: Sequence[Any]) -> Written:
            *wanted, pk = values
            rows = among(audience.with_id(pk)).filter(**dict(zip(look_up, wanted, strict=True)))
            return written(rows.values_list(*asked.to(pk)))

        values = [*look_up.values(), audience.pk]
        return fetched(statements.template((name, asked.key, audience.kind, *look_up), values, write), values)

    def charge(self, name: str, *, units: int = 1, subject: str = "", insist: bool = False) -> None:
        """Charges the limit ``name`` for what only the body tells, such as ``subject``, whom it is for. TooOften: a 429.
        ``insist``: for work that is done already, as a debt."""
        owners = {**throttling.owners_of(self.request), "subject": subject}
        throttling.account_of(self.request).charge(
            [throttling.charge(limit_called(name), owners, units)], insist=insist
        )

    def charge_writes(self, count: int) -> None:
        """Charges a batch, where ``charges_each`` keeps the request itself from counting as one write. TooOften: a 429."""
        owners = throttling.owners_of(self.request)
        throttling.account_of(self.request).charge(throttling.written(self.request, owners, count))

    def require_own(self, content: Any) -> None:
        """What the caller may see but not change is a 403."""
        if content.author_id != self.caller.pk:
            raise PermissionDenied("Only its author may do this.", "not_yours")

    def listed(
        self,
        queryset: QuerySet[Any],
        branches: tuple[Branch, ...] = (Branch(),),
        *,
        bounds: Bounds | None = None,
        **pins: Any,
    ) -> Response:
        """One page of ``queryset``, as ``order`` or the FilterSet says. ``pins``: the values of the columns ``within``;
        they are said here and not filtered by before, so that no other index fits. ``bounds``: of the first field of
        ``order``.
        """
        reading = self.reading(queryset, branches, bounds or Bounds(), pins)
        asked = self.form.asked(self.caller)
        pagination: KeysetPagination = self.paginator  # type: ignore[assignment]
        _, data = self.lightened(lambda most: pagination.page(reading, self.request, asked, most), rows_of=list)
        body, headers = pagination.enveloped(data)
        return self.response_class(body, headers=headers)

    @property
    def form(self) -> Compiled:
        return compiled(self.get_serializer_class())

    def lightened(self, read: Callable[[int], T], rows_of: Callable[[T], list[Row]]) -> tuple[T, orjson.Fragment]:
        """What ``read`` gives of at most so many rows, and those rows as JSON of about ``PAGE_BYTES`` at most.

        A row may be as heavy as its author likes, within what a row may hold: a page of such is shorter, so that nobody
        can make a list slow, or larger than the renderer lets through, and so take it from everybody.
        """
        most = MAX_ROWS
        while True:
            found = read(most)
            shown = self.form.shown(rows_of(found))
            body = orjson.dumps(shown)
            if len(shown) <= 1 or len(body) <= PAGE_BYTES:
                return found, orjson.Fragment(body)
            most = rows_within(shown)

    def reading(
        self, queryset: QuerySet[Any], branches: tuple[Branch, ...], bounds: Bounds, pins: dict[str, Any]
    ) -> Reading:
        if self.order:
            pins = {name: pins[name] for name in self.within}
            return Reading(
                rows=queryset, key=self.order, sought=self.sought, branches=branches, bounds=bounds, pins=pins
            )
        filters = self.filterset_class
        if filters is not None and not filters.base_filters.keys() & self.request.query_params.keys():
            return filters.unfiltered(queryset, branches)
        filterset = FilterBackend().get_filterset(self.request, queryset, self)
        return filterset.reading(queryset, branches)


class ApiView(Endpoint):
    """One URL, handlers named after the methods."""


class ViewSet(viewsets.ViewSetMixin, Endpoint):
    """Several URLs over one kind of thing, handlers named after the acts (list, create, retrieve, ...)."""
