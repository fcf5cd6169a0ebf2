"""The client's address where the front door has not settled it already (runserver, a plain WSGI server)."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from makerlog.api.errors import refused
from makerlog.gate.address import MalformedForwarded, client_address

FORWARDED = (
    "HTTP_FORWARDED",
    "HTTP_X_REAL_IP",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
)


class ClientAddressMiddleware:
    """REMOTE_ADDR becomes the client's address, by the front door's own walk through trusted proxies; then the forwarded
    headers are gone, so nobody below can take one of them for the truth."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        meta = request.META
        if "makerlog.request_id" not in meta:
            try:
                meta["REMOTE_ADDR"] = client_address(
                    meta.get("REMOTE_ADDR", ""), meta.get("HTTP_X_FORWARDED_FOR"), settings.TRUSTED_PROXIES
                )
            except MalformedForwarded as refusal:
                return refused(request, refusal)
            for name in FORWARDED:
                meta.pop(name, None)
        return self.get_response(request)
