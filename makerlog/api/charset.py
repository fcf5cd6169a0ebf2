"""Everything is UTF-8, whatever a client claims.

``Content-Type: x/y; charset=zip`` makes Django decode the query by a codec that is no text encoding, before any
middleware could answer for it; ``charset*=`` and overlong parameters raise in the parsing of the header itself. And a
quoted cookie can spell NUL (``"\\000"``), which PostgreSQL's text cannot hold: no session has such a name.
"""

from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.http import parse_cookie
from django.utils.functional import cached_property
from django.utils.http import parse_header_parameters
from rest_framework.exceptions import ParseError

BAD_ADDRESS = "The path or the query of the address is not UTF-8."
BAD_PATH = "makerlog.bad_path"  # in an environ
UNREADABLE = "application/octet-stream"
PROBED = {"/health/ready", "/metrics"}  # what asks for them knows a container by its address only


class Utf8Request(WSGIRequest):
    def __init__(self, environ: dict[str, Any]) -> None:
        """Django writes the path anew, so that nobody can tell afterwards what it was."""
        try:
            decode_utf8(environ.get("PATH_INFO", ""))
        except UnicodeDecodeError:
            environ[BAD_PATH] = True
        super().__init__(environ)

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


def decode_utf8(text: str) -> str:
    """What the bytes say that each are a letter of ``text``. UnicodeDecodeError where they are not UTF-8."""
    return text if text.isascii() else text.encode("latin-1").decode()


def is_utf8(form: bytes) -> bool:
    """Whether an urlencoded form, or a query, says text in UTF-8."""
    try:
        unquote_to_bytes(form).decode()
    except UnicodeDecodeError:
        return False
    return True


def require_utf8_address(environ: dict[str, Any]) -> None:
    """Raises ParseError for an address of other bytes. Most are plain ASCII, and cost two looks."""
    query = environ.get("QUERY_STRING", "")
    is_plain = "%" not in query and query.isascii()
    if BAD_PATH in environ or not (is_plain or is_utf8(query.encode("latin-1", "replace"))):
        raise ParseError(BAD_ADDRESS)
