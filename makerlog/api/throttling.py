"""Who pays for a request, and how much: the limits of limits.py between DRF and the buckets.

A view says what is special about it: ``price`` (what its GET costs), ``limits`` (charged beside the caller's own, when the
thing is about to be done: see Endpoint.charge_limits), or ``unlimited`` (why it costs nobody anything). ``Endpoint.charge``
charges what only the body tells: a mailbox, a batch. What a request turns out to cost beyond that is charged at its end.
"""

from collections.abc import Callable, Iterable
from math import ceil
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from makerlog.api import cost
from makerlog.api.buckets import Charge, Decision, Limiter, Standing
from makerlog.api.exceptions import BadParameter, TooOften
from makerlog.api.limits import (
    MARGIN_S,
    NEW_MAKER,
    PRICES,
    ROWS_A_UNIT,
    SEARCH,
    UNCHANGED,
    UNIT_S,
    Limit,
    limit_called,
)
from makerlog.api.store import redis_client
from makerlog.gate.lanes import CHARGED
from makerlog.gate.level import NORMAL, lockdown
from makerlog.gate.networks import SITE_CLIENTS, client_of, site_of

ACCOUNT = "makerlog.account"  # in an environ

limiter = Limiter(redis_client, processes=settings.WEB_CONCURRENCY)


class Throttle(BaseThrottle):
    """Asked right after authentication, before permissions: who may not do this is charged as well. Raises TooOften; what it
    charged stands on the request. OPTIONS is free without a token: browsers ask it by themselves, and never with one."""

    def allow_request(self, request: Request, view: Any) -> bool:
        if request.method != "OPTIONS" or request.auth is not None:
            request.META[CHARGED] = True
            account_of(request).open(lambda: charges(request, view))
        return True


class Account:
    """What one request was charged so far, and how its buckets stand."""

    def __init__(self) -> None:
        self.standings: dict[str, Standing] = {}
        self.rest: list[Charge] = []
        self.own: list[Limit] = []
        self.owners: dict[str, str] = {}
        self.units = 0  # of ``own``, for the whole answer
        self.opened = False
        self.refusal: TooOften | None = None

    def open(self, charges: Callable[[], list[Charge]]) -> None:
        """Charges what a request costs before its view runs: once, on whichever paths it is tried (see fast.py)."""
        if self.refusal is not None:
            raise self.refusal
        if not self.opened:
            self.charge(charges())
            self.opened = True

    def charge(self, charges: list[Charge], *, insist: bool = False) -> None:
        """All of them or none; TooOften where one does not fit. ``insist``: as a debt, whether they fit or not."""
        decision = limiter.decide(with_sites(charges), insist=insist)
        self.note(decision)
        if not decision.allowed:
            self.rest = []
            self.refusal = too_often(decision)
            raise self.refusal

    def note(self, decision: Decision) -> None:
        """A site's buckets are told of only where they refuse: they say what others do."""
        told = [each for each in decision.standings if each.limit.per != "site" or each.fits_in]
        self.standings |= {standing.limit.name: standing for standing in told}

    def settle(self, seconds: float, *, unchanged: bool = False) -> None:
        """After ``seconds`` of work: charges what they come to beyond what was paid, and the rest of an answer that is not
        ``unchanged`` after all; as a debt where it does not fit. Asks nobody where there is nothing to charge."""
        rest = [] if unchanged else self.rest
        more = units_over(seconds, self.units) if self.opened else 0
        if not (rest or more):
            return
        times = {each.limit.name: each.time for each in rest}
        own = [charge(limit, self.owners, more) for limit in self.own] if more else []
        for each in own:
            each.time += times.pop(each.limit.name, 0)
        left = [each for each in rest if each.limit.name in times]
        self.note(limiter.decide(with_sites([*own, *left]), insist=True))


def units_over(seconds: float, units: int) -> int:
    """How many units ``seconds`` of work cost beyond the ``units`` that were charged."""
    over = seconds - units * UNIT_S
    return ceil(over / UNIT_S) if over > MARGIN_S else 0


def account_of(request: Request) -> Account:
    """Kept in the environ, which both paths share, and where the middleware finds it."""
    return account_in(request.META)


def account_in(environ: dict[str, Any]) -> Account:
    if ACCOUNT not in environ:
        environ[ACCOUNT] = Account()
    return environ[ACCOUNT]


def charges(request: Request, view: Any) -> list[Charge]:
    """What a request costs before its view runs. A reader who has the answer already pays a tenth first."""
    owners, write = owners_of(request), writes(request, view)
    units = PRICES["write"] if write else units_read(request, view)
    account = account_of(request)
    account.own, account.owners, account.units = own_limits(owners), owners, units
    found = [charge(limit, owners, units) for limit in account.own]
    if write and "maker" in owners and not view_says(view, "charges_each"):
        found += written(request, owners, 1)
    if request.method not in ("GET", "HEAD") or write or not names_tags(request.headers.get("If-None-Match", "")):
        return found
    tenths = [Charge(each.limit, each.subject, -(-each.time // UNCHANGED)) for each in found]
    account.rest = [
        Charge(each.limit, each.subject, each.time - tenth.time) for each, tenth in zip(found, tenths, strict=True)
    ]
    return tenths


def with_sites(charges: list[Charge]) -> list[Charge]:
    """What is charged to an address is charged to its site as well, which has SITE_CLIENTS times as much."""
    sites = [
        Charge(each.limit.of_site, site_of(each.subject), -(-each.time // SITE_CLIENTS))
        for each in charges
        if each.limit.per == "address"
    ]
    return [*charges, *sites]


def names_tags(condition: str) -> bool:
    """Whether If-None-Match tells of an answer that was given before. ``*`` holds of any answer whatever."""
    return condition.strip() not in ("", "*")


def owners_of(request: Request) -> dict[str, str]:
    """Whose buckets a request may be charged to, by ``per``."""
    owners = {"address": client_of(request.META["REMOTE_ADDR"])}
    if (token := request.auth) is not None:
        owners |= {"token": str(token.pk), "maker": str(request.user.pk)}
        if app := getattr(token, "app_id", None):
            owners["app"] = str(app)
    return owners


def own_limits(owners: dict[str, str]) -> list[Limit]:
    """Of a caller with a token: its own, its maker's and its app's; of any other: the address's."""
    names = [per for per in ("token", "maker", "app") if per in owners] or ("address",)
    return [limit_called(name) for name in names]


def written(request: Request, owners: dict[str, str], units: int) -> list[Charge]:
    """What so many writes cost their maker beside the request."""
    names = ("write", "new-maker") if is_slowed(request.user) else ("write",)
    return [charge(limit_called(name), owners, units) for name in names]


def is_slowed(maker: Any) -> bool:
    """A new maker, while a lockdown level holds: whoever floods opens accounts first."""
    return lockdown.level != NORMAL and timezone.now() - maker.date_joined < NEW_MAKER


def charge(limit: Limit, owners: dict[str, str], units: int) -> Charge:
    return Charge(limit, owners[limit.per], limit.time_for(units))


def writes(request: Request, view: Any) -> bool:
    return request.method not in SAFE_METHODS or view_says(view, "price") == "write"


def units_read(request: Request, view: Any) -> int:
    units = PRICES[view_says(view, "price") or "read"]
    if pages(view):
        units += rows_asked(request, view) // ROWS_A_UNIT
    if request.query_params.get("search"):
        units += SEARCH
    return units


def pages(view: Any) -> bool:
    """Whether this GET answers a page of a list."""
    listed = view_says(view, "order") or view_says(view, "filterset_class")
    return bool(listed) and getattr(view, "action", "list") == "list"


def rows_asked(request: Request, view: Any) -> int:
    try:
        return view.paginator.limit(request)
    except BadParameter:  # it answers 400 and reads nothing
        return 0


def view_says(view: Any, name: str) -> Any:
    """A library's view says nothing of these."""
    return getattr(view, name, None)


def too_often(decision: Decision) -> TooOften:
    short = max(decision.standings, key=lambda standing: standing.fits_in)
    limit, wait = short.limit, decision.retry_after
    said = f'The limit "{limit.name}" is used up: {limit.quota} units in {limit.window} seconds. {limit.about}'
    return TooOften(f"{said} Come back in {wait} second{'s' * (wait != 1)}; /limits/ tells more.", wait)


# --- Headers ---


class RateLimitMiddleware:
    """Puts the limits a request was charged to on its answer. Outside what makes a 304 of an answer: that costs less."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        account: Account | None = request.META.get(ACCOUNT)
        if account is not None and account.standings:
            account.settle(cost.work_seconds(), unchanged=response.status_code == 304)
            for name, value in headers(account.standings.values()).items():
                response[name] = value
        return response


def headers(standings: Iterable[Standing]) -> dict[str, str]:
    """As in draft-ietf-httpapi-ratelimit-headers-10, all limits; and in the older way, the one that is nearest its end."""
    found = [(each.limit, each.remaining, each.reset) for each in standings]
    limit, remaining, reset = min(found, key=lambda one: one[1] / one[0].burst)
    return {
        "RateLimit-Policy": ", ".join([each.policy for each, _, _ in found]),
        "RateLimit": ", ".join([f'"{each.name}";r={left};t={seconds}' for each, left, seconds in found]),
        "X-RateLimit-Limit": str(limit.quota),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": str(reset),
    }
