"""Suspends a maker."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from makerlog.accounts.models import Maker
from makerlog.accounts.suspension import why_suspended
from makerlog.api.exceptions import Conflict
from moderation import actions
from moderation.arguments import end_of, maker_called

KINDS = [kind.value for kind in Maker.Suspension if kind]


class Command(BaseCommand):
    help = "Makes a maker read-only, or puts them out: no token of theirs works, and there is no log-in."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--kind", choices=KINDS, default=KINDS[0])
        parser.add_argument(
            "--for", dest="span", required=True, metavar="2h", help="90s, 10m, 2h, 7d, or good: until it is lifted"
        )
        parser.add_argument("--reason", default="", help="stands in what the API answers them")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            maker = actions.suspend(
                maker=maker_called(options["username"]),
                kind=options["kind"],
                reason=options["reason"],
                expires_at=end_of(options["span"]),
            )
        except Conflict as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{maker.username} is suspended. No mail went out; the API answers: {why_suspended(maker)}")
