"""Asking for lists, whatever shape they are answered in."""

import re
from collections.abc import Iterator
from typing import Any

from makerlog.accounts.models import Maker
from makerlog.api.budgets import Budget
from makerlog.gate.seen import QUERIES, ROWS
from tests.lists.catalogue import Listing
from tests.makers import Caller, anonymous, caller

LINK = re.compile(r'<([^>]+)>; rel="(\w+)"')
SHORT = {"next": "next", "previous": "prev"}
INSIDE = ("results", "products", "data", "praised_by")


def readers_of(listing: Listing) -> dict[str, Caller]:
    """Who may ask: alice, whose rows they are, bob, and nobody in particular."""
    alice = {"alice": caller("alice")}
    return alice if listing.own else {**alice, "bob": caller("bob"), "anonymous": anonymous()}


def alice() -> Maker:
    return Maker.objects.get(username="alice")


def at_most(limit: int, url: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}limit={limit}"


def rows_of(response: Any) -> list[Any]:
    """The rows of an envelope, of a bare array, or of an answer that holds one list."""
    body = response.json()
    return body if isinstance(body, list) else next(body[name] for name in INSIDE if name in body)


def spent(response: Any) -> Budget:
    """What a request has cost."""
    told = response.wsgi_request.META
    return Budget(told[QUERIES], told[ROWS], len(response.content))


def linked(response: Any, rel: str) -> str | None:
    """The address of the next or the previous page."""
    body = response.json()
    if isinstance(body, dict):
        return body.get(rel)
    return {rel: url for url, rel in LINK.findall(response.get("Link", ""))}.get(SHORT[rel])


def pages(client: Caller, url: str | None, rel: str) -> Iterator[Any]:
    """The answers from ``url`` on, by their links."""
    seen: set[str] = set()
    while url:
        assert url not in seen, "the links go round"
        seen.add(url)
        response = client.get(url)
        assert response.status_code == 200, response.content
        yield response
        url = linked(response, rel)


def expected(listing: Listing, reader: Maker | None) -> list[Any]:
    """What a list should show to ``reader``, in its order, said without the API."""
    reader = None if listing.public else reader
    found = [row for row in listing.model.objects.all() if listing.keep(row) and may_read(row, reader)]  # type: ignore[union-attr]
    found.sort(key=lambda row: tuple(getattr(row, name.lstrip("-")) for name in listing.key))
    if listing.key[0].startswith("-"):
        found.reverse()
    return [listing.wire(row) for row in found]


def may_read(row: Any, reader: Maker | None) -> bool:
    if getattr(row, "hidden", False) or not getattr(getattr(row, "followed", row), "is_active", True):
        return False
    return getattr(row, "listed", True) or (reader is not None and owner_of(row) == reader.pk)


def owner_of(row: Any) -> int | None:
    return getattr(row, "author_id", getattr(row, "maker_id", None))
