"""Every request of the crawl: every route that the URLconf holds, and every page of the admin's.

``make attack`` sends them all. ``make test`` sends what a route is for (each filter, deep pages, bodies that are right, each
list of the admin's), and of the rest one in ``SHARE``, chosen by the request's own text: so each route gets others of it. Two
filters together are explained by tests/scale/test_every_parameter.py in every run.
"""

import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.options import ModelAdmin

from makerlog.api.checks import Route, routes, walk
from tests.attack.crawler.contract import Contract
from tests.attack.crawler.corpus import COMMON, RARE, SPARE
from tests.attack.crawler.hostile import (
    BODIES,
    CREDENTIALS,
    ESSENTIAL,
    FORM,
    HEADERS,
    JSON,
    PLACES,
    QUERIES,
    VALUES,
    Query,
)

PLACE = re.compile(r"<(?:(\w+):)?(\w+)>")
ANONYMOUS, PROLIFIC, MODERATOR, NEWCOMER, STAFF = "anonymous", "prolific", "moderator", "newcomer", "staff"
READERS = (ANONYMOUS, PROLIFIC, MODERATOR)
PAGES = 5
SHARE = 24
TAKEN = {"username": f"maker{RARE}", "email": f"maker{RARE}@example.com", "slug": f"s{RARE}", "name": f"project{RARE}"}


@dataclass(frozen=True)
class Shot:
    """One request. ``route``: as the URLconf has it. ``pages``: how many further pages are followed. ``core``: it is always
    sent."""

    route: str
    url: str
    caller: str
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict, hash=False)
    content_type: str = JSON
    body: bytes = b""
    pages: int = 0
    core: bool = False

    @property
    def chosen(self) -> bool:
        return self.core or zlib.crc32(str(self).encode()) % SHARE == 0

    def __str__(self) -> str:
        extra = " ".join(f"{name}: {short(value)}" for name, value in self.headers.items())
        body = f" {self.content_type} {short(repr(self.body))}" if self.body else ""
        return f"{self.method} {short(self.url)} ({self.caller}){' ' if extra else ''}{extra}{body}"


def short(text: str) -> str:
    return text if len(text) <= 160 else f"{text[:120]}... ({len(text):,} characters)"


def shots() -> Iterator[Shot]:
    """What is read first, then what is written: what is undone leaves dead rows behind, which reading would pass by."""
    contract = Contract.current()
    found = routes()
    for route in found:
        if "GET" in methods(route):
            yield from reads(route, contract)
            yield from misuses(route)
    yield from admin_reads()
    for route in found:
        for method in methods(route):
            if method != "GET":
                yield from writes(route, method, contract)
    yield from admin_writes()


def methods(route: Route) -> list[str]:
    """What a route answers, in capitals."""
    return [*route.handlers]


def address(route: str, number: int) -> str:
    """A route with the row ``number`` in every place of it."""
    kinds = {"int": str(number), "slug": f"s{number}", "str": f"maker{number}"}

    def place(match: re.Match[str]) -> str:
        kind = match[1] or "str"
        if kind not in kinds:
            raise LookupError(f"/{route} has a place of the kind {kind!r}: say in targets.address what goes there.")
        return kinds[kind]

    return f"/{PLACE.sub(place, route)}"


def misplaced(route: str) -> Iterator[str]:
    """A route with something hostile in each of its places, the others being right."""
    for match in PLACE.finditer(route):
        for text in PLACES[match[1] or "str"]:
            yield address(f"{route[: match.start()]}\x00{route[match.end() :]}", COMMON).replace("\x00", text)


def asking(url: str, query: Query) -> str:
    return f"{url}?{urlencode(query)}" if query else url


# --- The API ---


def reads(route: Route, contract: Contract) -> Iterator[Shot]:
    """What a route is for: each of its filters, and page after page."""
    url = address(route.path, COMMON)
    filters = contract.filters(route.path)
    for caller in READERS:
        for query, usual in filters:
            core = usual and len(query) == 1 and caller in (PROLIFIC, ANONYMOUS)
            yield Shot(route.path, asking(url, query), caller, core=core)
        yield Shot(route.path, asking(url, [("limit", "100")]), caller, pages=PAGES, core=True)


def misuses(route: Route) -> Iterator[Shot]:
    """What a route is not for."""
    url = address(route.path, COMMON)
    for caller in (ANONYMOUS, PROLIFIC):
        for query in ESSENTIAL:
            yield Shot(route.path, asking(url, query), caller, core=caller == ANONYMOUS)
        for query in QUERIES:
            yield Shot(route.path, asking(url, query), caller)
        for number in (RARE, SPARE) if PLACE.search(route.path) else ():
            yield Shot(route.path, address(route.path, number), caller, core=True)
        for wrong in misplaced(route.path):
            yield Shot(route.path, wrong, caller)
    for headers in (*HEADERS, *CREDENTIALS):
        yield Shot(route.path, url, PROLIFIC, headers=headers)


def writes(route: Route, method: str, contract: Contract) -> Iterator[Shot]:
    """By somebody who owns little, on what is theirs and on what is the busiest of all."""
    right = contract.body(route.path, method)
    for content_type, body in [*BODIES, *variants(right or {})]:
        yield Shot(route.path, address(route.path, SPARE), NEWCOMER, method, content_type=content_type, body=body)
    for number in (SPARE, COMMON):
        for caller in (NEWCOMER, ANONYMOUS):
            for content_type, body in rightly(right or {}):
                url = address(route.path, number)
                yield Shot(route.path, url, caller, method, content_type=content_type, body=body, core=True)
    for wrong in misplaced(route.path):
        yield Shot(route.path, wrong, NEWCOMER, method, body=b"{}")
    for query in ([("limit", "1000000000")], [("search", "\x00")]):
        yield Shot(route.path, asking(address(route.path, SPARE), query), NEWCOMER, method, body=b"{}")


def rightly(right: dict[str, Any]) -> list[tuple[str, bytes]]:
    """A body as it is, and with the name and the address of somebody else."""
    taken = {name: value for name, value in TAKEN.items() if name in right}
    bodies = [right, {**right, **taken}] if taken else [right]
    return [(JSON, json.dumps(body).encode()) for body in bodies]


def variants(right: dict[str, Any]) -> list[tuple[str, bytes]]:
    """A body with each of its values hostile in turn."""
    found = []
    for name in right:
        others = {other: value for other, value in right.items() if other != name}
        start = f"{json.dumps(others)[:-1]}{', ' if others else ''}{json.dumps(name)}: "
        found += [(JSON, f"{start}{value}}}".encode()) for value in VALUES]
    return found


# --- The admin ---

SUFFIXES = ("", "__gt", "__icontains", "__isnull")
ADMIN_QUERIES: list[Query] = [
    *(
        [("q", value)]
        for value in ("maker1", "maker40", str(COMMON), str(RARE), "nobody", "9" * 30, "x" * 5_000, "a\x00b")
    ),
    *([("o", value)] for value in (*map(str, range(1, 9)), "-1", "-2", "-3.-4", "99", "a")),
    *([("p", value)] for value in ("1", "2", "20", "99", "100000", "-1")),
    [("all", "")],
    [("_popup", "1")],
    [("_facets", "True")],
    [("_to_field", "password")],
    [("e", "1")],
    [("q", " ".join(f"term{n}" for n in range(1_200)))],
    [("author__username__icontains", "z")],
    [("author__password__startswith", "p")],
    [("maker__username__icontains", "z")],
    [("id__in", ",".join(map(str, range(5_000))))],
]
ADMIN_ESSENTIAL: list[Query] = [[("q", "maker1")], [("q", "nobody")], [("q", "a\x00b")], [("o", "1")], [("o", "-2")]]


def admin_reads() -> Iterator[Shot]:
    for path in admin_paths():
        yield Shot(path, f"/{path}", ANONYMOUS)
        for query in (*ESSENTIAL, [("next", "//evil.example")]):
            yield Shot(path, asking(f"/{path}", query), STAFF, core=not query)
    for model_admin in admin.site._registry.values():
        yield from list_reads(model_admin)


def list_reads(model_admin: ModelAdmin) -> Iterator[Shot]:
    url = list_url(model_admin)
    names = [f"{name}{suffix}" for name in columns(model_admin) for suffix in SUFFIXES]
    queries = [*ADMIN_QUERIES, *([(name, value)] for name in names for value in ("0", "zzzz"))]
    for query in queries:
        yield Shot(url.lstrip("/"), asking(url, query), STAFF, core=query in ADMIN_ESSENTIAL)


def columns(model_admin: ModelAdmin) -> list[str]:
    return [each.name for each in model_admin.model._meta.concrete_fields]


def list_url(model_admin: ModelAdmin) -> str:
    return f"/admin/{model_admin.model._meta.app_label}/{model_admin.model._meta.model_name}/"


def admin_paths() -> list[str]:
    """Every page of the admin, with the row that most hangs on in its places."""
    found = [route.path for route in walk(admin.site.urls[0], "admin/")]
    labels = sorted({model._meta.app_label for model in admin.site._registry})
    plain = [PLACE.sub(str(COMMON), path) for path in found if "(?P" not in path]
    return [*plain, *(f"admin/{label}/" for label in labels), "admin/nothing-here/"]


def admin_writes() -> Iterator[Shot]:
    """Every action over every row at once, and every form sent empty or with anything at all."""
    for model_admin in admin.site._registry.values():
        url = list_url(model_admin)
        for action in {"delete_selected", *map(action_name, model_admin.actions or ())}:
            form = urlencode({"action": action, "select_across": 1, "index": 0, "_selected_action": SPARE})
            yield Shot(url.lstrip("/"), url, STAFF, "POST", content_type=FORM, body=form.encode(), core=True)
    for path in admin_paths():
        for content_type, body in ((FORM, b""), (FORM, b"post=yes&username=%00"), BODIES[-6]):
            yield Shot(path, f"/{path}", STAFF, "POST", content_type=content_type, body=body)


def action_name(action: Any) -> str:
    return action if isinstance(action, str) else action.__name__
