"""What the commands read off their arguments. Each raises CommandError in one sentence."""

import os
from datetime import UTC, datetime

from django.core.management.base import CommandError

from makerlog.accounts.models import Maker
from makerlog.env import Network
from makerlog.gate.bans import network_of
from moderation.durations import end_after


def maker_called(name: str) -> Maker:
    """By username or numeric id."""
    maker = Maker.objects.named(name).first()
    if maker is None:
        raise CommandError(f"There is no maker {name!r}; give a username, or the numeric id.")
    return maker


def end_of(text: str) -> datetime | None:
    """The moment that ``--for`` means; None for "": until it is lifted."""
    try:
        return end_after(text)
    except ValueError as error:
        raise CommandError(str(error)) from error


def network_called(text: str) -> Network:
    """The network that an address or CIDR stands for, as bans take it."""
    try:
        return network_of(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is no address or range (CIDR): {error}.") from error


def own_address() -> str:
    """Where whoever runs a command on this server sits, as far as SSH tells; "" where it does not."""
    words = (os.environ.get("SSH_CONNECTION") or os.environ.get("SSH_CLIENT") or "").split()
    return words[0] if words else ""


def confirm(question: str, outcome: str) -> None:
    """Asks on the terminal. Raises CommandError with ``outcome`` ("Nothing was hidden") unless the answer is yes."""
    try:
        answer = input(f"{question} [y/N] ").strip().lower()
    except EOFError as error:
        raise CommandError(f"{outcome}: there is no terminal to ask on; add --yes.") from error
    if answer not in ("y", "yes"):
        raise CommandError(f"{outcome}.")


def moment(text: str) -> datetime:
    """An ISO 8601 date or moment; in UTC where it names no zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is no moment; write 2030-01-31 or 2030-01-31T12:00+02:00.") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
