"""What old maker apps send, read as what they mean."""

import re
from datetime import UTC, datetime
from typing import Any

import orjson
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.validators import URLValidator
from rest_framework import serializers
from rest_framework.fields import empty

from makerlog.api.columns import UtcText
from makerlog.api.text import is_blank, to_nfc
from makerlog.api.timezones import moment_said

NOTHING = {"", "null", "undefined"}
GO_TIME = re.compile(r"^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+)? ([+-]\d{4}) \S+(?: m=\S+)?$")
PLAIN_DIGITS = re.compile(r"-?\d+(?:\.0+)?", re.ASCII)
ADDRESS_SIGN = re.compile(r"//|[a-z][a-z0-9+.-]{0,40}:", re.IGNORECASE)
HOST_END = re.compile(r"[/?#]")
is_url = URLValidator(schemes=["http", "https"])
NANOSECONDS = re.compile(r"(\.\d{6})\d+")
FIRST_YEAR, LAST_YEAR = 1970, 2199
MAX_ID = 2**63 - 1  # what a column of ids holds
GO_ZERO_TIMES = {"0001-01-01T00:00:00Z", "0001-01-01 00:00:00 +0000 UTC"}  # Go, for a time that was never set


def says_nothing(data: Any) -> bool:
    """Whether text stands for no value: JavaScript forms send ``null`` and ``undefined`` as words."""
    return isinstance(data, str) and data.strip() in NOTHING


class UtcDateTimeField(serializers.DateTimeField):
    """Read in any offset (bare times are in the request's zone), written in UTC with microseconds.

    Old apps cut at the dot and drop the offset, so ``...T07:08:09.000000Z`` is the one form they all understand. Go's
    ``Time.String()`` and the word ``null`` of a multipart form are taken for what they mean.
    """

    default_error_messages = {"year": "The year must be from {first} to {last}."}

    def run_validation(self, data: Any = empty) -> Any:
        nothing = says_nothing(data) or (isinstance(data, str) and data in GO_ZERO_TIMES)
        return super().run_validation(None if self.allow_null and nothing else data)

    def to_internal_value(self, value: Any) -> datetime:
        if isinstance(value, str):
            value = moment_said(NANOSECONDS.sub(r"\1", GO_TIME.sub(r"\1T\2\3\4", value.strip())))
        moment = super().to_internal_value(value)
        if not FIRST_YEAR <= moment.year <= LAST_YEAR:
            self.fail("year", first=FIRST_YEAR, last=LAST_YEAR)
        return moment.astimezone(UTC)

    def compiled(self, column: Any) -> tuple[Any, None]:
        return UtcText, None

    def to_representation(self, value: datetime) -> str:
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


UNREADABLE = object()


class FlexibleListField(serializers.ListField):
    """A list as a JSON array, repeated form fields, ``1,2``, a JSON string, or an object ``{"0": 5}``. The name may have
    brackets: ``tags[]`` for each item or for a list, ``tags[0]``, ``team[0][id]``."""

    default_error_messages = {"unreadable": "This is no way to write a list: send a JSON array, or repeat the field."}

    def get_value(self, dictionary: Any) -> Any:
        name = str(self.field_name)
        bracketed = bracketed_items(dictionary, name)
        if not hasattr(dictionary, "getlist"):
            return dictionary.get(name, bracketed)
        values = dictionary.getlist(name)
        if not values or bracketed is UNREADABLE:
            return bracketed
        values += [] if bracketed is empty else bracketed
        return values if len(values) > 1 else values[0]

    def to_internal_value(self, data: Any) -> list[Any]:
        if data is UNREADABLE:
            self.fail("unreadable")
        items = unpacked(data, self.max_length)
        # Counted before each is looked at: a body holds half a million, and names each that is wrong in the answer.
        if self.max_length is not None and isinstance(items, list) and len(items) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(items)


BRACKETS = re.compile(r"\[(\d{1,6})\](?:\[(\w{1,40})\])?")


def bracketed_items(sent: Any, name: str) -> Any:
    """The list that is written as ``name[]``, ``name[0]`` or ``name[0][id]``, in the order of its numbers; ``empty`` where
    none is, and UNREADABLE where something else stands in the brackets."""
    keys = [key for key in sent if key.startswith(f"{name}[")]
    if keys == [f"{name}[]"]:
        return all_values(sent, keys[0])
    items: dict[int, Any] = {}
    for key in keys:
        place = BRACKETS.fullmatch(key, len(name))
        if place is None:
            return UNREADABLE
        number, part = int(place[1]), place[2]
        if part is None:
            items[number] = sent[key]
        elif isinstance(item := items.setdefault(number, {}), dict):
            item[part] = sent[key]
    return [items[number] for number in sorted(items)] if items else empty


def all_values(sent: Any, key: str) -> Any:
    """Of a form, a list of all; an empty one is written as one that is empty."""
    if not hasattr(sent, "getlist"):
        return sent[key]
    values = sent.getlist(key)
    return [] if values == [""] else values


def unpacked(data: Any, most: int | None = None) -> Any:
    """``data`` as a list; of text with commas, the first ``most`` items and the rest as one."""
    if isinstance(data, str):
        data = from_text(data.strip(), most)
    if isinstance(data, dict):
        data = list(data.values())
    return data


def from_text(text: str, most: int | None = None) -> Any:
    if text in NOTHING:
        return []
    if text[0] in "[{":
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            pass
    return [part.strip() for part in text.split(",", -1 if most is None else most)]


class ComposedField(serializers.CharField):
    """Text in NFC, of which lengths are counted; what shows nothing (see text.is_blank) is empty, and so refused where there
    must be some. For whatever people read: passwords and keys of apps are taken as sent."""

    def run_validation(self, data: Any = empty) -> Any:
        if isinstance(data, str):
            data = "" if is_blank(data) else to_nfc(data)
        return super().run_validation(data)


class TextField(ComposedField):
    """Text that is never null: what a client sends as null is an empty string."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"allow_blank": True, "required": False, **kwargs})

    def run_validation(self, data: Any = empty) -> Any:
        if data is None and self.allow_blank:
            return ""
        return super().run_validation(data)


class FormTextField(TextField):
    """Text of a form: the words that JavaScript writes for no value are an empty string, as null is."""

    def run_validation(self, data: Any = empty) -> Any:
        return super().run_validation("" if says_nothing(data) else data)


class NullableField(serializers.CharField):
    """A key of an app's own, taken as sent; null where there is none."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"allow_null": True, "allow_blank": True, "required": False, **kwargs})

    def run_validation(self, data: Any = empty) -> Any:
        return super().run_validation(None if says_nothing(data) else data)


class NullableTextField(NullableField, ComposedField):
    """Text that is null where there is none."""


class FlexibleBooleanField(serializers.BooleanField):
    """A boolean; what stands for no value counts as not sent. A form that leaves it out leaves it as it is: DRF would read
    that as an unticked box, and a PUT of a form would make public what is private."""

    default_empty_html = empty

    def get_value(self, dictionary: Any) -> Any:
        value = super().get_value(dictionary)
        return empty if value is None or says_nothing(value) else value

    def to_internal_value(self, data: Any) -> bool:
        """The last part of a multipart body that was never closed keeps its line's end."""
        return super().to_internal_value(data.strip() if isinstance(data, str) else data)


class WholeNumberField(serializers.IntegerField):
    """A whole number; of text, one of plain digits: Python reads 1_000 and ٣ as well."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, str) and not PLAIN_DIGITS.fullmatch(data.strip()[: self.MAX_STRING_LENGTH + 1]):
            self.fail("invalid")
        return super().to_internal_value(data)


class AddressField(FormTextField):
    """An address on the web; ``example.com`` is taken for ``https://example.com``. Hosts may have underscores; nothing but
    http and https, and nobody's name before the host: google.com@evil.com is at evil.com."""

    default_error_messages = {"invalid": "This is no web address, such as https://example.com."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": 200, **kwargs})

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not text:
            return text
        url = text if "://" in text else f"https://{text.lstrip('/')}"
        if not is_web_address(url):
            self.fail("invalid")
        if len(url) > (self.max_length or len(url)):
            self.fail("max_length", max_length=self.max_length)
        return url


class HandleOrAddressField(AddressField):
    """A name at some other service, or an address on the web; never one of another kind."""

    def to_internal_value(self, data: Any) -> str:
        text = FormTextField.to_internal_value(self, data)
        return super().to_internal_value(data) if ADDRESS_SIGN.match(text) else text


def is_web_address(url: str) -> bool:
    """Django's own validator knows no underscores; here they stand in the host as letters do."""
    scheme, _, rest = url.partition("://")
    host = HOST_END.split(rest, maxsplit=1)[0]
    if "@" in host:
        return False
    try:
        is_url(f"{scheme}://{host.replace('_', 'x')}{rest[len(host) :]}")
    except DjangoValidationError:
        return False
    return True


class Constant(serializers.Field):
    """Says the same of every row."""

    constant: Any = None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"read_only": True, **kwargs})

    def get_attribute(self, instance: Any) -> Any:
        return self.constant


class AlwaysNullField(Constant, serializers.CharField):
    """A key that old clients decode and that says nothing here."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"allow_null": True, **kwargs})


class AlwaysOneField(Constant, serializers.IntegerField):
    """A number that old clients decode: here there is one kind of it."""

    constant = 1
