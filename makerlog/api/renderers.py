"""JSON, always, written by orjson; and the ceiling that no answer passes."""

import logging
from collections.abc import Sequence
from itertools import accumulate, takewhile
from typing import Any

import orjson
from django.utils.functional import Promise
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer

logger = logging.getLogger("makerlog.ceiling")

MAX_ROWS = 100
MAX_BYTES = 4 * 1024 * 1024
PAGE_BYTES = 256 * 1024  # of the rows of one page, whatever `limit` says; a single row may be larger


class AlwaysJSON(BaseContentNegotiation):
    """An API of one format answers in it whatever ``Accept`` says: a 406 helps nobody."""

    def select_parser(self, request: Any, parsers: Any) -> Any:
        content_type = request.content_type or ""
        return next(
            (parser for parser in parsers if content_type.split(";")[0].strip().lower() == parser.media_type), None
        )

    def select_renderer(self, request: Any, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class BoundedJSONRenderer(BaseRenderer):
    """The last defence against an unbounded answer, in production too.

    More than ``MAX_ROWS`` in a list, however deep, or more than ``MAX_BYTES`` in all is a 500 for the author of the view
    and an alarm in the log, never a giant answer.
    """

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        if data is None:
            return b""
        rows = longest_list(data)
        body = written(data) if rows <= MAX_ROWS else b""
        if rows <= MAX_ROWS and len(body) <= MAX_BYTES:
            return body
        return self.refuse(rows, len(body), renderer_context or {})

    def refuse(self, rows: int, size: int, context: dict[str, Any]) -> bytes:
        view = type(context.get("view")).__name__
        logger.critical("Unbounded answer stopped: %s gave a list of %d rows, %d bytes.", view, rows, size)
        if response := context.get("response"):
            response.status_code = 500
            response.content_type = self.media_type
        return orjson.dumps(
            {
                "detail": f"{view} gave an unbounded answer; it was stopped. Paginate it.",
                "code": "unbounded_answer",
            }
        )


def written(data: Any) -> bytes:
    return orjson.dumps(data, default=plain, option=orjson.OPT_NON_STR_KEYS)


def rows_within(rows: Sequence[Any], size: int = PAGE_BYTES) -> int:
    """How many of the first ``rows`` fit into ``size`` bytes of JSON; 1 at least, where there are any."""
    ends = accumulate(len(orjson.dumps(row)) + 1 for row in rows)
    return max(min(1, len(rows)), sum(1 for _ in takewhile(lambda end: end < size, ends)))


def weight(data: Any) -> int:
    """Bytes of ``data`` as JSON. Takes a few microseconds a row; making the row takes a hundred times as long."""
    return len(written(data))


def longest_list(data: Any) -> int:
    """Rows in the longest list anywhere in ``data``. Stops counting in what is already too long."""
    if isinstance(data, dict):
        return max(
            (longest_list(value) for value in data.values() if isinstance(value, dict | list | tuple)), default=0
        )
    if not isinstance(data, list | tuple) or len(data) > MAX_ROWS:
        return len(data) if isinstance(data, list | tuple) else 0
    return max(len(data), *(longest_list(value) for value in data)) if data else 0


def plain(value: Any) -> Any:
    """What orjson does not know: lazy text, and anything that iterates."""
    if isinstance(value, Promise):
        return str(value)
    if hasattr(value, "__iter__"):
        return list(value)
    return str(value)
