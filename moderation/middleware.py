"""Bans, enforced before any view; and the ticket that staff carry past them."""

from collections.abc import Callable
from time import time

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from makerlog.accounts.authentication import genuine_token
from makerlog.api.errors import refused
from makerlog.gate.banned import Banned
from makerlog.gate.caller import Caller
from moderation.roles import Role, role_of
from moderation.standing import guard, tickets
from moderation.tickets import COOKIE, PATH, RENEWED_AFTER_S, hand_out


class BanMiddleware:
    """Threat: runserver, a plain WSGI server, or a hole in the front door lets a banned client through to the views."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        caller, now = caller_of(request), time()
        if "makerlog.request_id" not in request.META:  # else the door has noted it
            guard.notes.arrived(caller.address, caller.token, now)
        try:
            guard.refuse(caller, request.path, now)
        except Banned as refusal:
            return refused(request, refusal)
        return self.get_response(request)


def caller_of(request: HttpRequest) -> Caller:
    """As the front door sees them."""
    header = request.META.get("HTTP_AUTHORIZATION", "").encode("latin-1")
    ticket = request.path.startswith(PATH) and tickets.issued_at(request.COOKIES.get(COOKIE, "")) is not None
    return Caller(request.META["REMOTE_ADDR"], request.scheme or "http", genuine_token(header), ticket=ticket)


class TicketMiddleware:
    """Staff who are signed in carry a ticket, renewed in use; whoever signs out leaves it here.

    Threat: while a flood is on, the pages that stop it cannot be reached.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith(PATH):
            self.settle(request, response)
        return response

    def settle(self, request: HttpRequest, response: HttpResponse) -> None:
        ticket = request.COOKIES.get(COOKIE)
        if request.user.is_anonymous or role_of(request.user) is Role.NONE:
            if ticket is not None:
                response.delete_cookie(COOKIE, path=PATH, samesite="Strict")
            return
        issued = tickets.issued_at(ticket or "")
        if issued is None or time() - issued > RENEWED_AFTER_S:
            hand_out(response, request.user, secure=settings.SESSION_COOKIE_SECURE)
