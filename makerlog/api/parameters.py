"""Names that a request sends and a route does not know: the near misses are refused, all others are passed over and named.

A typing error in a filter would otherwise answer with everything, and one in ``scopes`` with a token that may do all.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any
from urllib.parse import quote

from rest_framework.exceptions import ValidationError
from rest_framework.serializers import Serializer

from makerlog.api.exceptions import BadParameter
from makerlog.api.fields import FlexibleListField

IGNORED = "X-Ignored-Parameters"
OF_PAGES = frozenset({"limit", "cursor"})
REFUSED = frozenset({"offset", "page"})  # with an error of their own: see pagination.py
MAX_NAMES, MAX_NAME_LETTERS = 20, 100  # that are looked at, and written in the header
FEWEST_LETTERS = 4  # of a name that another may look like, which has one less at the least
MAX_LETTERS_MORE = 4  # behind it: user_id, startswith

# Fields of a body without which the answer is the widest there is, and what else people call them.
GUARDED = {
    "scopes": {"permissions", "permission"},
    "expires_at": {"expiry", "expiration", "expiresin", "expireson", "ttl", "validuntil"},
    "private": {"public", "ispublic", "visibility"},
}
NO_LETTER = re.compile(r"[^a-z0-9]")


@cache
def parameters_of(view_class: type, is_page: bool) -> frozenset[str]:
    """The query parameters that a read of this view knows."""
    names = frozenset(view_class.params)  # type: ignore[attr-defined]
    if not is_page:
        return names
    filters = view_class.filterset_class  # type: ignore[attr-defined]
    return names | OF_PAGES | REFUSED | frozenset(filters.base_filters if filters else ())


def ignored_parameters(sent: Iterable[str], known: frozenset[str], *, refuses: bool) -> str:
    """Those of ``sent`` that are not ``known``, as the header names them. ``refuses``: BadParameter for a near miss."""
    unknown = [name[:MAX_NAME_LETTERS] for name in sent if name not in known][:MAX_NAMES]
    for name in unknown if refuses else ():
        if meant := meant_by(name, known - REFUSED):
            raise BadParameter(f"{name!r} is no parameter of this route. Did you mean {meant!r}?", "unknown_parameter")
    return ", ".join(quote(name, safe="[]") for name in unknown)


def refuse_near_misses(serializer: Any, data: Any) -> None:
    """ValidationError for a field of the body that the serializer does not know, and that looks like a guarded one."""
    guarded = {name for name in GUARDED.keys() & serializer.fields.keys() if not serializer.fields[name].read_only}
    if not guarded or not isinstance(data, Mapping):
        return
    unknown = [name for name in data if name not in serializer.fields and not is_in_list(name, serializer)]
    for name in unknown[:MAX_NAMES]:
        bare = letters(name[:MAX_NAME_LETTERS])
        meant = next((each for each in guarded if bare in GUARDED[each]), None) or meant_by(bare, guarded)
        if meant:
            raise ValidationError({name[:MAX_NAME_LETTERS]: [f"There is no such field. Did you mean {meant!r}?"]})


def is_in_list(name: str, serializer: Serializer) -> bool:
    """Whether a form writes an item of a list so: ``tags[]``, ``tags[0]``."""
    return isinstance(serializer.fields.get(name.partition("[")[0]), FlexibleListField)


def meant_by(name: str, known: Iterable[str]) -> str | None:
    """Which of the ``known`` names somebody meant who wrote ``name``; None where it looks like none of them."""
    bare = letters(name)
    return next((each for each in sorted(known) if looks_like(bare, letters(each))), None)


def letters(name: str) -> str:
    return NO_LETTER.sub("", name.lower())


def looks_like(one: str, other: str) -> bool:
    """Whether ``one`` is ``other`` but for a letter (missing, added, another, two swapped), a beginning such as ``is_``, or
    an end such as ``_id``; or the first part of it."""
    if one == other:
        return True
    if len(other) < FEWEST_LETTERS or len(one) < FEWEST_LETTERS - 1:
        return False
    if one.endswith(other) and len(one) - len(other) <= 2:
        return True
    if one.startswith(other) or other.startswith(one):
        return abs(len(one) - len(other)) <= MAX_LETTERS_MORE
    return one_letter_apart(one, other)


def one_letter_apart(one: str, other: str) -> bool:
    """Without the letters that both begin and end with, little is left."""
    shorter = min(len(one), len(other))
    start = next((at for at in range(shorter) if one[at] != other[at]), shorter)
    one, other = one[start:], other[start:]
    shorter = min(len(one), len(other))
    end = next((at for at in range(shorter) if one[-1 - at] != other[-1 - at]), shorter)
    one, other = one[: len(one) - end], other[: len(other) - end]
    swapped = len(one) == 2 and one == other[::-1]
    return swapped or (len(one) <= 1 and len(other) <= 1)
