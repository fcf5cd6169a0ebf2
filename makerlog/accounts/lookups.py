"""Makers by what a path or a parameter calls them, where their id is all that is wanted."""

from typing import Any

from django.http import Http404

from makerlog.accounts.models import Maker
from makerlog.api.columns import by
from makerlog.api.prepared import looked_up

MAKERS = Maker.objects.all()


def id_of(name: str, **more: Any) -> int | None:
    """Of the maker with that numeric id or username, of whom ``more`` is true; None where there is none."""
    found = looked_up(MAKERS, by(**Maker.objects.look_up(name), **more), "pk")
    return found and found[0]


def active_id(name: str) -> int:
    """Raises Http404 where there is no such maker, or the account is closed."""
    found = id_of(name, is_active=True)
    if found is None:
        raise Http404
    return found
