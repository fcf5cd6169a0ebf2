"""JSON bodies. Urlencoded and multipart ones are read by DRF's own parsers."""

from typing import Any

import orjson
from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from makerlog.api.exceptions import BodyTooLarge


class JSONParser(BaseParser):
    """orjson refuses what ``json`` lets in: NaN, infinities, nesting beyond 1,024."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        body = stream.read(settings.BODY_LIMIT + 1)
        if len(body) > settings.BODY_LIMIT:
            raise BodyTooLarge
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ParseError(f"The body is not valid JSON: {error}.") from error
