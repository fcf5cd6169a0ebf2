"""Which usernames may be had: they stand in URLs beside route words, and numbers mean ids there."""

import re

from django.core.exceptions import ValidationError

from makerlog.api.text import fold

PATTERN = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,29}$")
ROUTE_WORDS = frozenset(
    "me admin api static media exports health schema docs users user username tasks products projects discussions feeds stats"
    " search notifications apps accounts oauth oauth2 tokens stream explore launches limits status metrics open world"
    " following suggest_tags common_tags sync batch recently_launched recent_discussions recent_questions trending"
    " makerlog deleted staff moderator support help about login logout register null undefined none".split()
)


def validate_username(name: str) -> None:
    if not PATTERN.fullmatch(name):
        raise ValidationError(
            "1 to 30 letters, digits, _ . or -, beginning with a letter, a digit or _.", "bad_username"
        )
    if name.isdigit():
        raise ValidationError("A username cannot be all digits.", "bad_username")
    if fold(name) in ROUTE_WORDS:
        raise ValidationError("This name is taken by the service itself.", "reserved_username")
