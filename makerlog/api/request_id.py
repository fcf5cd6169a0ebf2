"""Every request has an id, and every answer names it."""

from collections.abc import Callable
from uuid import uuid4

from django.http import HttpRequest, HttpResponse


class RequestIdMiddleware:
    """Puts ``X-Request-Id`` on each answer: the front door's id, or a new one under plain WSGI.

    The client's own header is not believed: an id that a caller can choose cannot be trusted in a log.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = request.META.get("makerlog.request_id") or uuid4().hex  # type: ignore[attr-defined]
        response = self.get_response(request)
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        return response
