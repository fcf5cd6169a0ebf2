"""Everything is UTF-8, whatever a client claims.

``Content-Type: x/y; charset=zip`` makes Django decode the query by a codec that is no text encoding, before any
middleware could answer for it; ``charset*=`` and overlong parameters raise in the parsing of the header itself. And a
quoted cookie can spell NUL (``"\\000"``), which PostgreSQL's text cannot hold: no session has such a name.
"""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.http import parse_cookie
from django.utils.functional import cached_property
from django.utils.http import parse_header_parameters

UNREADABLE = "application/octet-stream"
PROBED = {"/health/ready", "/metrics"}  # what asks for them knows a container by its address only


class Utf8Request(WSGIRequest):
    @cached_property
    def COOKIES(self) -> dict[str, str]:  # type: ignore[override]  # the stubs know no cached property
        sent = parse_cookie(self.environ.get("HTTP_COOKIE", ""))
        return {name: value for name, value in sent.items() if "\x00" not in value}

    def get_host(self) -> str:
        """Whatever Host came, for a probe. No answer to one names a host."""
        if self.path_info.rstrip("/") in PROBED:
            return urlsplit(settings.PUBLIC_URL).netloc
        return super().get_host()

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        except (ValueError, LookupError):
            meta["CONTENT_TYPE"] = self.content_type = UNREADABLE
            self.content_params = {}
        self.content_params.pop("charset", None)
