"""Whatever a client sends is read in time that grows with its length, never with the square of it.

Nothing is listed by hand that can be found: every compiled pattern of our modules, every field of every serializer and every
query parameter is fed the same hostile texts. Only what belongs to a library stands in a table.
"""

import ast
import contextlib
import importlib
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.core.exceptions import SuspiciousOperation, ValidationError
from django.core.validators import EmailValidator, URLValidator
from django.http import QueryDict
from django.http.request import split_domain_port
from django.utils.http import parse_etags, parse_header_parameters, url_has_allowed_host_and_scheme
from django.utils.text import slugify
from rest_framework import serializers

from makerlog.accounts.authentication import token_text
from makerlog.api.checks import routes
from makerlog.api.fields import from_text
from makerlog.api.text import fold_unicode, is_blank, to_nfc
from makerlog.api.timezones import moment_said
from makerlog.gate.address import MalformedForwarded, client_address
from makerlog.gate.seen import without_secrets
from makerlog.gate.wsgi import LONGEST_TYPE
from moderation.posts import fingerprint
from moderation.tickets import cookie_in
from tasks.hashtags import project_names

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("makerlog", "tasks", "products", "discussions", "moderation")

LONGEST_TEXT = 20_000  # of a discussion or a reply
LONGEST_HEAD = 32_768  # all headers of a request together
BODY = 40_000  # a field is looked at before its length is: a body may hold a million
PIECES = [
    *("a", "0", " ", ".", "/", "#", "@", ":", "-", "_", '"', ",", ";", "=", "%", "&", "(", "[", "{", "\\", "\n", "é"),
    *("://", "mkl_", "T00:00", "www.", "2026-", "\u0301", "\u0301\u0323", "\u200d", "ह", "ि", '\\"', ';"', "x.yy/"),
]
ENDS = ["", "!"]
REFUSALS = (ValueError, ValidationError, serializers.ValidationError, SuspiciousOperation, MalformedForwarded)
PAIRS = 8_192  # characters of a text of two pieces, of which there are many
BOUND_S = 0.05  # what is linear takes a tenth of it on a slow machine; the square of 20,000 half a second


def hostile(length: int) -> Iterator[str]:
    """Texts of repeated pieces, one and two at a time, with and without an end that nothing matches."""
    for piece, end in product(PIECES, ENDS):
        yield piece * (length // len(piece)) + end
    for one, other in product(PIECES, PIECES):
        yield one + other * (min(PAIRS, length) // len(other)) + one


def seconds(read: Callable[[str], Any], text: str) -> float:
    """Of this thread's own CPU, the best of five: a busy machine counts for nothing."""
    best = float("inf")
    for _ in range(5):
        began = time.thread_time()
        with contextlib.suppress(*REFUSALS):
            read(text)
        best = min(best, time.thread_time() - began)
        if best < BOUND_S / 2:
            break
    return best


def require_linear(name: str, read: Callable[[str], Any], length: int) -> None:
    for text in hostile(length):
        took = seconds(read, text)
        assert took < BOUND_S, f"{name} takes {took:.2f} s for {len(text)} characters that begin {text[:12]!r}"


# --- Our own patterns ---


def modules() -> Iterator[ModuleType]:
    for package in map(importlib.import_module, PACKAGES):
        yield package
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" not in found.name and "asgi" not in found.name:
                yield importlib.import_module(found.name)


def patterns() -> dict[str, Any]:
    """Every pattern that a module or a class of ours holds."""
    found: dict[str, Any] = {}
    for module in modules():
        classes = [
            each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__
        ]
        for holder in (module, *classes):
            for name, value in vars(holder).items():
                if isinstance(value, re.Pattern):
                    found[f"{module.__name__}.{name}"] = value
    return found


@pytest.mark.parametrize("name", sorted(patterns()))
def test_no_pattern_needs_the_square_of_what_it_reads(name: str) -> None:
    pattern = patterns()[name]
    for read in (pattern.fullmatch, pattern.findall):
        if isinstance(pattern.pattern, bytes):
            require_linear(name, lambda text, read=read: read(text.encode()), LONGEST_TEXT)
        else:
            require_linear(name, read, LONGEST_TEXT)


# Patterns that are made while the service runs, or written inside a function: each with whose text it reads.
MADE_ELSEWHERE = {
    "moderation/audit.py": "what the staff wrote, 300 characters at most",
}


def test_no_pattern_hides_inside_a_function() -> None:
    """What is compiled by a module is found by the test above; what is not, is not."""
    calls = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "re"
        if call.func.attr != "escape"
    }
    assert calls == set(MADE_ELSEWHERE)


# --- What a body and a query name ---


def serializer_classes() -> list[type[serializers.Serializer]]:
    list(modules())
    waiting, found = [serializers.Serializer], []
    while waiting:
        for each in waiting.pop().__subclasses__():
            waiting.append(each)
            is_abstract = issubclass(each, serializers.ModelSerializer) and not hasattr(
                getattr(each, "Meta", None), "model"
            )
            if each.__module__.partition(".")[0] in PACKAGES and not is_abstract:
                found.append(each)
    return sorted(set(found), key=lambda each: each.__qualname__)


@pytest.mark.django_db
@pytest.mark.parametrize("serializer", serializer_classes(), ids=lambda each: each.__qualname__)
def test_no_field_of_a_body_needs_the_square_of_what_is_sent(serializer: Any) -> None:
    for name, field in serializer().fields.items():
        if not field.read_only and not isinstance(field, serializers.FileField):
            for piece, end in product(PIECES, ENDS):
                text = piece * (BODY // len(piece)) + end
                took = seconds(lambda text, field=field: field.run_validation(text), text)
                assert took < 2 * BOUND_S, f"{name} takes {took:.2f} s for {text[:12]!r}"


def filter_sets() -> list[Any]:
    return sorted({each.view.filterset_class for each in routes() if each.ours and each.view.filterset_class}, key=str)


@pytest.mark.parametrize("filters", filter_sets(), ids=lambda each: each.__qualname__)
def test_no_parameter_of_a_query_needs_the_square_of_what_is_sent(filters: Any) -> None:
    for name, each in filters.base_filters.items():
        require_linear(name, each.field.clean, PAIRS)


# --- What belongs to libraries, and whole readers of ours ---

TRUSTED = ()
READERS: dict[str, tuple[Callable[[str], Any], int]] = {
    "an e-mail address": (EmailValidator(), LONGEST_TEXT),
    "an address of the web": (URLValidator(schemes=["http", "https"]), LONGEST_TEXT),
    "a slug of a title": (slugify, 200),
    "a moment": (moment_said, LONGEST_TEXT),
    "a list in a text": (lambda text: from_text(text, 50), LONGEST_TEXT),
    "a list in brackets": (lambda text: from_text("[" + text, 50), LONGEST_TEXT),
    "hashtags": (project_names, LONGEST_TEXT),
    "a fingerprint": (fingerprint, LONGEST_TEXT),
    "composed text": (to_nfc, LONGEST_TEXT),
    "folded text": (fold_unicode.__wrapped__, LONGEST_TEXT),
    "blank text": (is_blank, LONGEST_TEXT),
    "a path without secrets": (without_secrets, LONGEST_HEAD),
    "a Content-Type": (parse_header_parameters, LONGEST_TYPE),
    "a Host": (split_domain_port, LONGEST_HEAD),
    "an If-None-Match": (parse_etags, PAIRS),
    "a query": (QueryDict, LONGEST_HEAD),
    "a cookie of ours": (lambda text: cookie_in(text.encode(), "ticket"), LONGEST_HEAD),
    "X-Forwarded-For": (lambda text: client_address("127.0.0.1", text, TRUSTED), LONGEST_HEAD),
    "Authorization": (lambda text: token_text(text.encode()), LONGEST_HEAD),
    "where to go next": (lambda text: url_has_allowed_host_and_scheme(text, allowed_hosts=None), LONGEST_HEAD),
}


@pytest.mark.parametrize("name", READERS)
def test_no_reader_of_a_header_or_a_text_needs_the_square_of_it(name: str) -> None:
    read, length = READERS[name]
    require_linear(name, read, length)


def test_20_000_letters_in_a_reply_cost_a_rule_against_spam_next_to_nothing() -> None:
    assert seconds(fingerprint, "a" * LONGEST_TEXT) < 0.01


@pytest.mark.django_db
def test_no_page_reads_a_long_accept_header_with_care(client: Any) -> None:
    """Django's parser takes 0.04 s for 8 KB of semicolons; our pages have one form each."""
    accept = ",".join(['a/b;"' + ";" * 9_000] * 3)
    client.get("/docs/")
    assert seconds(lambda text: client.get("/docs/", headers={"accept": text}), accept) < BOUND_S
