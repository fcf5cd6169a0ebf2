"""What an answer says, in a few bytes: what ``If-None-Match`` and ``If-Match`` compare.

Tags are compared weakly: a proxy that compresses our answers makes ``W/"x"`` of ``"x"``, and both name the same content.
"""

import hashlib
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.http import quote_etag

from makerlog.api.errors import json_error
from makerlog.api.exceptions import PreconditionFailed
from makerlog.gate.sharing import has_it


class EtagMiddleware:
    """Tags what was read; answers 304 to who has it already and 412 to who expects another. HEAD as GET.

    Our own: Django's leaves HEAD out, answers 412 without a body, also to ``If-Unmodified-Since`` of what has no date, and
    takes three times as long for the digest.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.method not in ("GET", "HEAD") or response.status_code != 200 or not may_be_tagged(response):
            return response
        tag = response.headers.get("ETag") or tag_of(response.content)
        response.headers["ETag"] = tag
        if not passes_if_match(request, tag):
            return json_error(
                request, 412, str(PreconditionFailed.default_detail), str(PreconditionFailed.default_code)
            )
        if not passes_if_none_match(request, tag):
            return not_modified(response)
        return response


def may_be_tagged(response: HttpResponse) -> bool:
    """What nobody may keep, nobody has already."""
    return not response.streaming and "no-store" not in response.get("Cache-Control", "").lower()


def not_modified(response: HttpResponse) -> HttpResponse:
    response.status_code = 304
    response.content = b""
    for name in ("Content-Type", "Content-Length"):
        response.headers.pop(name, None)
    return response


def passes_if_match(request: HttpRequest, tag: str) -> bool:
    """``*`` asks for nothing but that it is there, and what is not was a 404 by now."""
    if request.META.get("HTTP_IF_MATCH", "").strip() == "*":
        return True
    return holds(request.META.get("HTTP_IF_MATCH", ""), tag, empty=True)


def passes_if_none_match(request: HttpRequest, tag: str) -> bool:
    return not holds(request.META.get("HTTP_IF_NONE_MATCH", ""), tag, empty=False)


def holds(condition: str, tag: str, *, empty: bool) -> bool:
    """Whether ``condition`` names ``tag``, or any (``*``). ``empty``: what it comes to where there is none."""
    return has_it(condition.encode("latin-1", "replace"), tag.encode()) if condition.strip() else empty


def tag_of(body: bytes) -> str:
    return quote_etag(hashlib.sha256(body, usedforsecurity=False).hexdigest()[:32])
