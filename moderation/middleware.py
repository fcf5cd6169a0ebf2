"""Bans, enforced before any view: the front door's decision again, for whatever serves without it."""

from collections.abc import Callable
from time import time

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from makerlog.accounts.authentication import genuine_token
from makerlog.api.errors import refused
from makerlog.gate.banned import Banned, refuse_if_banned
from moderation.standing import bans, notes


class BanMiddleware:
    """Threat: runserver, a plain WSGI server, or a hole in the front door lets a banned client through to the views."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        header = request.META.get("HTTP_AUTHORIZATION", "").encode("latin-1")
        token = genuine_token(header)
        address = request.META["REMOTE_ADDR"]
        now = time()
        if "makerlog.request_id" not in request.META:  # else the door has noted it
            notes.arrived(address, token, now)
        try:
            refuse_if_banned(
                bans, notes, request.path, address, genuine=token is not None, now=now, appeal=settings.APPEAL_TO
            )
        except Banned as refusal:
            return refused(request, refusal)
        return self.get_response(request)
