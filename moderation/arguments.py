"""What the commands read off their arguments. Each raises CommandError in one sentence."""

from datetime import datetime

from django.core.management.base import CommandError
from django.utils import timezone

from makerlog.accounts.models import Maker
from moderation.durations import duration


def maker_called(name: str) -> Maker:
    """By username or numeric id."""
    maker = Maker.objects.named(name).first()
    if maker is None:
        raise CommandError(f"There is no maker {name!r}.")
    return maker


def end_of(text: str) -> datetime | None:
    """The moment that ``--for`` means; None for "": until it is lifted."""
    try:
        return timezone.now() + duration(text) if text else None
    except ValueError as error:
        raise CommandError(str(error)) from error
