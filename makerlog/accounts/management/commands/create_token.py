"""Makes a personal token and prints it, and nothing else."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from makerlog.accounts.actions import create_token
from makerlog.accounts.models import AccessToken, Maker
from makerlog.accounts.scopes import KNOWN_SCOPES, SCOPES, unknown_scopes
from makerlog.accounts.tokens import LAST_EXPIRY
from makerlog.api.exceptions import Conflict

DAYS = re.compile(r"(\d{1,5})d")


class Command(BaseCommand):
    help = "Prints a new personal token of a maker."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="create_token", help="what its owner sees it as")
        parser.add_argument("--scopes", default=",".join(SCOPES), help="comma-separated; default: all but `tokens`")
        parser.add_argument("--expires", default="", help="30d, or an ISO 8601 date; default: never")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            _, text = create_token(
                maker=maker_named(options["username"]),
                name=name_checked(options["name"]),
                scopes=scopes_named(options["scopes"]),
                expires_at=expiry_named(options["expires"]),
            )
        except Conflict as error:
            raise CommandError(str(error.detail)) from error
        self.stdout.write(text)


def maker_named(username: str) -> Maker:
    maker = Maker.objects.named(username).first()
    if maker is None:
        raise CommandError(f"There is no maker {username!r}.")
    if not maker.is_active:
        raise CommandError(f"The account of {maker.username} is not active: its tokens would not work.")
    return maker


def name_checked(name: str) -> str:
    most = AccessToken._meta.get_field("name").max_length or 0
    if len(name) > most:
        raise CommandError(f"--name is {len(name)} characters long; at most {most} are kept.")
    return name


def scopes_named(text: str) -> list[str]:
    scopes = [word.strip() for word in text.split(",") if word.strip()]
    if not scopes:
        raise CommandError("--scopes is empty; leave it out for all.")
    if unknown := unknown_scopes(scopes):
        raise CommandError(
            f"--scopes names {', '.join(unknown)}, which there is not. Known: {', '.join(KNOWN_SCOPES)}."
        )
    return scopes


def expiry_named(text: str) -> datetime | None:
    if not text:
        return None
    moment = moment_of(text)
    if not timezone.now() < moment < LAST_EXPIRY:
        raise CommandError(f"--expires is {text}; it must be in the future, and before {LAST_EXPIRY.year}.")
    return moment


def moment_of(text: str) -> datetime:
    if days := DAYS.fullmatch(text):
        return timezone.now() + timedelta(days=int(days[1]))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"--expires is {text!r}; give days (30d) or an ISO 8601 date (2030-01-31).") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
