"""Keyset pagination: what a page costs depends on its size, never on the table or on how far in it lies.

A page may be short where its rows are heavy, and even empty where filters are combined (see keyset.py): the list ends only
where ``next`` is null.
"""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import orjson
from django.conf import settings
from django.core.signing import BadSignature, Signer, b64_decode, b64_encode
from django.db.models import Field
from django.utils.encoding import force_bytes
from django.utils.functional import cached_property
from rest_framework.pagination import BasePagination
from rest_framework.request import Request

from makerlog.api.columns import Asked
from makerlog.api.exceptions import BadParameter
from makerlog.api.keyset import Reading, Row, read
from makerlog.api.renderers import MAX_ROWS

MAX_LIMIT = MAX_ROWS
NOT_FILTERS = {
    "cursor",
    "limit",
    "token",
}  # the last: an old app sends its token so; it says nothing, and is not said back


class CursorSigner(Signer):
    """Django's own, byte for byte, in a third of the time: the key of a list is derived once."""

    def __init__(self, salt: str) -> None:
        super().__init__(salt=salt)
        self._begun = {key: begun(salt, key) for key in (self.key, *self.fallback_keys)}

    def signature(self, value: bytes | str, key: bytes | str | None = None) -> str:
        mac = self._begun[key or self.key].copy()
        mac.update(value.encode() if isinstance(value, str) else value)
        return b64_encode(mac.digest()).decode()


# Lists of late, of two KB each: whoever searches makes one a search, and never comes back to it.
signer_of = lru_cache(maxsize=200)(CursorSigner)


def begun(salt: str, key: bytes | str) -> hmac.HMAC:
    """As django.utils.crypto.salted_hmac begins, before the value."""
    derived = hashlib.sha256(force_bytes(f"{salt}signer") + force_bytes(key)).digest()
    return hmac.new(derived, digestmod="sha256")


class Cursor:
    """Positions in one list, each signed over that list, its filters and its order: it works nowhere else."""

    def __init__(self, request: Request, key: tuple[str, ...]) -> None:
        self.path: str = request.path
        self.params = [(name, value) for name, values in request.query_params.lists() for value in values]
        filters = sorted(pair for pair in self.params if pair[0] not in NOT_FILTERS)
        facts = [self.path, *key, *(f"{name}={value}" for name, value in filters)]
        digest = hashlib.blake2b("\n".join(facts).encode(), digest_size=12).hexdigest()
        self.signer = signer_of(f"makerlog.cursor.{digest}")

    def link(self, position: Iterable[Any], *, backwards: bool = False) -> str:
        """To the page behind ``position``, or before it."""
        # Of a cursor's letters only the colon is quoted; urlencode would look at each of them.
        return f"{self.address}{self.write(position, backwards=backwards).replace(':', '%3A')}"

    @cached_property
    def address(self) -> str:
        """To which a cursor is added: absolute, from PUBLIC_URL (never the Host header), with every other parameter but a
        secret."""
        kept = urlencode([(name, value) for name, value in self.params if name not in ("cursor", "token")])
        return f"{settings.PUBLIC_URL}{self.path}?{kept}{'&' if kept else ''}cursor="

    def write(self, position: Iterable[Any], *, backwards: bool) -> str:
        values = [value.isoformat() if isinstance(value, datetime) else value for value in position]
        return self.signer.sign(b64_encode(orjson.dumps(["p" if backwards else "n", *values])).decode())

    def read(self, text: str, fields: Sequence[Field]) -> tuple[bool, list[Any]]:
        """(backwards, position, as values of ``fields``); a 400 for what this list did not write."""
        try:
            direction, *values = orjson.loads(b64_decode(self.signer.unsign(text).encode()))
        except (BadSignature, ValueError) as error:
            raise BadParameter("This cursor is not of this list; follow `next` as given.", "bad_cursor") from error
        return direction == "p", [field.to_python(value) for field, value in zip(fields, values, strict=True)]


class KeysetPagination(BasePagination):
    """``{"next", "previous", "results"}``; ``limit`` from 1 to ``max_limit``, more is taken as ``max_limit``."""

    default_limit = 20
    max_limit = MAX_LIMIT
    links: dict[str, str | None]

    def page(self, reading: Reading, request: Request, asked: Asked, most: int = MAX_LIMIT) -> list[Row]:
        """The rows of the page that ``request`` asks for, at most ``most``. Remembers the links."""
        refuse_offsets(request)
        limit = min(self.limit(request), most)
        cursor = Cursor(request, reading.key)
        backwards, position = False, None
        if text := request.query_params.get("cursor"):
            backwards, position = cursor.read(text, reading.fields)
        reading = reading.reversed() if backwards else reading
        piece = read(reading, position, limit, asked)
        rows = piece.rows[::-1] if backwards else piece.rows
        # Where to turn back from: the page's first row as it was read. An empty page turns back to the row at its cursor,
        # which the page before ended with.
        turn = None if position is None else piece.first or reading.step_past(position)
        before, after = (piece.rest, turn) if backwards else (turn, piece.rest)
        self.links = {
            "next": None if after is None else cursor.link(after),
            "previous": None if before is None else cursor.link(before, backwards=True),
        }
        return rows

    def limit(self, request: Request) -> int:
        text = request.query_params.get("limit")
        if text is None:
            return self.default_limit
        if not (text.isascii() and text.isdigit() and int(text[:9])):
            raise BadParameter(
                f"limit must be a whole number from 1 to {self.max_limit}, not {text[:20]!r}.", "bad_limit"
            )
        return min(int(text[:9]), self.max_limit)

    def enveloped(self, data: Any) -> tuple[Any, dict[str, str]]:
        """The body and the headers of a page whose rows are ``data``."""
        return {**self.links, "results": data}, {}

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        url = {"type": "string", "format": "uri", "nullable": True}
        properties = {"next": url, "previous": url, "results": schema}
        return {"type": "object", "required": list(properties), "properties": properties}

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        limit = {"type": "integer", "minimum": 1, "maximum": self.max_limit, "default": self.default_limit}
        return [
            {"name": "cursor", "in": "query", "schema": {"type": "string"}, "description": "As found in `next`."},
            {"name": "limit", "in": "query", "schema": limit, "description": "Rows a page; it ends at about 256 KB."},
        ]


class BareKeysetPagination(KeysetPagination):
    """A bare array of one page, as old maker apps read it; the cursors travel in the ``Link`` header."""

    default_limit = MAX_LIMIT

    def enveloped(self, data: Any) -> tuple[Any, dict[str, str]]:
        rels = {"next": self.links["next"], "prev": self.links["previous"]}
        header = ", ".join(f'<{url}>; rel="{rel}"' for rel, url in rels.items() if url)
        return data, {"Link": header} if header else {}

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return schema


def refuse_offsets(request: Request) -> None:
    """``offset`` and ``page`` are gone for good; their first page passes, since old apps send it by habit."""
    for name, first in (("offset", "0"), ("page", "1")):
        if request.query_params.get(name, first) not in (first, ""):
            raise BadParameter(f"`{name}` is not supported: a list is walked by following its `next` link.", "use_next")
