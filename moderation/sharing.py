"""Whole answers, shared for a second by the same reads without a token: what ``cached`` does to a route."""

from collections import OrderedDict
from threading import Lock
from typing import NamedTuple

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

SECONDS = 1
MOST = 100  # answers, the last used
LARGEST = 256 * 1024  # bytes of one
PUBLIC = f"public, max-age={SECONDS}"

# All that an answer to nobody in particular depends on, beside its address. Downstream, a token makes it another's.
DEPENDS_ON = ("Accept", "X-App-Timezone")
VARY = (*DEPENDS_ON, "Authorization")

Key = tuple[str | None, ...]


class Shared(NamedTuple):
    until: float
    content: bytes
    headers: dict[str, str]


def key_of(request: HttpRequest) -> Key:
    return request.method, request.get_full_path(), *(request.headers.get(name) for name in DEPENDS_ON)


class SharedAnswers:
    """Those of this process, at most 25 MiB. ``now``: Unix seconds, when the request came in."""

    def __init__(self) -> None:
        self._answers: OrderedDict[Key, Shared] = OrderedDict()
        self._lock = Lock()

    def find(self, key: Key, now: float) -> HttpResponse | None:
        with self._lock:
            shared = self._answers.get(key)
            if shared is None or shared.until <= now:
                return None
            self._answers.move_to_end(key)
        return HttpResponse(shared.content, headers=shared.headers)

    def keep(self, key: Key, now: float, response: HttpResponse) -> None:
        """Only what its view lets anybody keep: an answer with a secret says no-store."""
        if response.status_code != 200 or response.has_header("Cache-Control") or response.cookies:
            return
        response["Cache-Control"] = PUBLIC
        patch_vary_headers(response, VARY)
        if len(response.content) > LARGEST:
            return
        with self._lock:
            self._answers[key] = Shared(now + SECONDS, response.content, dict(response.items()))
            self._answers.move_to_end(key)
            if len(self._answers) > MOST:
                self._answers.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._answers.clear()
