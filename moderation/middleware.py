"""What moderation decided, enforced before any view; and the ticket that staff carry past a ban.

Bans are the front door's decision again, for whatever serves without it. Route switches stand here alone: only Django knows
which route a path leads to.
"""

from collections.abc import Callable
from datetime import timedelta
from time import time
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from makerlog.accounts.authentication import genuine_token
from makerlog.api.errors import refused
from makerlog.gate.answers import Refusal
from makerlog.gate.banned import Banned
from makerlog.gate.caller import Caller
from makerlog.gate.lanes import WHOSE
from makerlog.gate.preflight import is_preflight
from makerlog.gate.to_sign_in import for_browser
from makerlog.gate.wsgi import PUBLIC_FOR
from moderation import second_factor
from moderation.links import key_of as key_of_link
from moderation.models import RouteSwitch
from moderation.roles import Role, role_of
from moderation.routes import refuse_if_switched
from moderation.sharing import CACHED_S
from moderation.standing import guard, route_switches, tickets
from moderation.tickets import COOKIE, DEVICE, PATH, RENEWED_AFTER_S, hand_out, remember


class BanMiddleware:
    """Threat: runserver, a plain WSGI server, or a hole in the front door lets a banned client through to the views."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        caller, now = caller_of(request), time()
        if "makerlog.request_id" not in request.META:  # else the door has noted it
            guard.notes.arrived(caller.address, caller.token, now)
        try:
            guard.refuse(caller, request.method or "", request.path, now)
        except Banned as refusal:
            asked = request.META.get("QUERY_STRING", ""), request.META.get("HTTP_ACCEPT", "")
            return refused(request, for_browser(refusal, caller, request.method or "", request.path, *asked))
        return self.get_response(request)


def caller_of(request: HttpRequest) -> Caller:
    """As the front door sees them."""
    header = request.META.get("HTTP_AUTHORIZATION", "").encode("latin-1")
    ticket = request.path.startswith(PATH) and tickets.issued_at(request.COOKIES.get(COOKIE, "")) is not None
    known = request.path.startswith(PATH) and tickets.known_as(request.COOKIES.get(DEVICE, "")) is not None
    token = genuine_token(header)
    return Caller(
        request.META["REMOTE_ADDR"],
        request.scheme or "http",
        token,
        ticket=ticket,
        known=known,
        link=key_of_link(request.path),
        asks=is_preflight(
            {"method": request.method, "headers": [(name.lower().encode(), b"") for name in request.headers]}
        ),
    )


class RouteSwitchMiddleware:
    """Threat: one route takes the service down, and the one remedy at 3 AM is a deploy. Reads memory only, as the watcher
    keeps it, so it holds with the database gone. OPTIONS passes: browsers ask it without the token that they will send."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: Any, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        now = time()
        switched = route_switches.of(request.resolver_match.route, now)
        if switched is None or request.method == "OPTIONS":
            return None
        credential = request.META.get("HTTP_AUTHORIZATION", "").encode("latin-1")
        try:
            refuse_if_switched(switched, credential, now)
        except Refusal as refusal:
            return refused(request, refusal)
        if switched.state == RouteSwitch.State.CACHED and request.method in ("GET", "HEAD"):
            request.META[PUBLIC_FOR] = CACHED_S  # for the front door: it shares no answer but to nobody in particular
        return None


class TicketMiddleware:
    """Staff who are signed in, with the second factor that they owe, carry a ticket, renewed in use; whoever signs out
    leaves it here.

    Threat: while a flood is on, the pages that stop it cannot be reached.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        # What failed may have failed over who asks: looking again would wait for the database as long again.
        if request.path.startswith(PATH) and response.status_code < 500:
            self.settle(request, response)
        return response

    def settle(self, request: HttpRequest, response: HttpResponse) -> None:
        ticket = request.COOKIES.get(COOKIE)
        if request.user.is_anonymous or role_of(request.user) is Role.NONE or second_factor.step(request):
            if ticket is not None:
                response.delete_cookie(COOKIE, path=PATH, samesite="Strict")
            return
        request.META[WHOSE] = request.user.pk
        issued = tickets.issued_at(ticket or "")
        if issued is None or time() - issued > RENEWED_AFTER_S:
            hand_out(response, request.user, secure=settings.SESSION_COOKIE_SECURE)
        if DEVICE not in response.cookies and tickets.known_as(request.COOKIES.get(DEVICE, "")) != str(request.user.pk):
            lasting = timedelta(seconds=request.session.get_expiry_age())  # no longer than the session counts
            remember(response, request.user, lasting=lasting, secure=settings.SESSION_COOKIE_SECURE)
