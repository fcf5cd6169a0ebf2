"""JSON bodies, and forms. Text is UTF-8 in all of them: what is not is a 400, not a text with question marks in it."""

from typing import Any

import orjson
from django.conf import settings
from django.http import QueryDict
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, DataAndFiles
from rest_framework.parsers import FormParser as DRFFormParser
from rest_framework.parsers import MultiPartParser as DRFMultiPartParser

from makerlog.api.charset import decode_utf8, is_utf8
from makerlog.api.exceptions import BodyTooLarge

NOT_UTF8 = "The body is not UTF-8."


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


class FormParser(DRFFormParser):
    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        body = stream.read(settings.BODY_LIMIT + 1)
        if len(body) > settings.BODY_LIMIT:
            raise BodyTooLarge
        if not is_utf8(body):
            raise ParseError(NOT_UTF8)
        return QueryDict(body, encoding="utf-8")


class MultiPartParser(DRFMultiPartParser):
    """Django's parser puts question marks for what it cannot decode; every byte is a letter of latin-1."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> DataAndFiles:
        read = super().parse(stream, media_type, {**(parser_context or {}), "encoding": "latin-1"})
        data = QueryDict(mutable=True, encoding="utf-8")
        try:
            for name, values in read.data.lists():
                data.setlist(name, [decode_utf8(value) for value in values])
        except UnicodeDecodeError as error:
            raise ParseError(NOT_UTF8) from error
        return DataAndFiles(data, read.files)
