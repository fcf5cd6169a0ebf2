"""JSON bodies. Urlencoded and multipart ones are read by DRF's own parsers."""

from typing import Any

import orjson
from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from makerlog.api.exceptions import BodyTooLarge


class JSONParser(BaseParser):
    """orjson refuses what ``json`` lets in: NaN, infinities; and writes no nesting beyond 254, which is as deep as we read:
    Python's own ``str`` of a deeper one is a RecursionError wherever somebody asks for it."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        body = stream.read(settings.BODY_LIMIT + 1)
        if len(body) > settings.BODY_LIMIT:
            raise BodyTooLarge
        try:
            data = orjson.loads(body)
            orjson.dumps(data)
        except orjson.JSONDecodeError as error:
            raise ParseError(f"The body is not valid JSON: {error}.") from error
        except orjson.JSONEncodeError as error:
            raise ParseError("The body is nested too deeply.") from error
        return data
