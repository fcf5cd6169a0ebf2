"""Slugs stand in URLs beside route words, and numbers mean ids there: neither is ever a slug.

A slug that is free or taken tells whether there is something of that name. So what is not listed takes none that could be
asked for: it has a random end from its first day on, and keeps it when it is listed later, for its links.
"""

import secrets
from collections.abc import Iterator
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet
from django.utils.text import slugify

from makerlog.accounts.names import ROUTE_WORDS

T = TypeVar("T", bound=Model)

MAX_BASE = 100


def candidates(text: str, kind: str, *, listed: bool = True) -> Iterator[str]:
    """Slugs for ``text``, best first, without end. ``kind`` stands in for a text that makes none."""
    base = slugify(text)[:MAX_BASE].strip("-_")
    if not base or base.isdigit():
        base = f"{kind}-{base}".strip("-")
    if listed and base not in ROUTE_WORDS:
        yield base
    if listed:
        yield f"{base}-2"
        yield f"{base}-3"
    while True:
        yield f"{base}-{secrets.token_hex(4)}"


def create_with_slug(rows: QuerySet[T], *, text: str, kind: str, listed: bool, **values: Any) -> T:
    """A new row under the first slug that is free; whoever takes it at the same moment is met by the next one."""
    for slug in candidates(text, kind, listed=listed):
        if rows.filter(slug=slug).exists():
            continue
        try:
            with transaction.atomic():
                return rows.create(slug=slug, listed=listed, **values)
        except IntegrityError:
            if not rows.filter(slug=slug).exists():
                raise
    raise AssertionError("candidates() has no end")
