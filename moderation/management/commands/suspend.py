"""Suspends a maker."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from makerlog.accounts.models import Maker
from makerlog.accounts.suspension import why_suspended
from moderation import actions
from moderation.arguments import end_of, maker_called

KINDS = [kind.value for kind in Maker.Suspension if kind]


class Command(BaseCommand):
    help = "Makes a maker read-only, or puts them out: no token of theirs works, and there is no log-in."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--kind", choices=KINDS, default=KINDS[0])
        parser.add_argument("--for", dest="span", default="", metavar="2h", help="default: until it is lifted")
        parser.add_argument("--reason", default="", help="told to the maker")

    def handle(self, *args: Any, **options: Any) -> None:
        maker = actions.suspend(
            maker=maker_called(options["username"]),
            kind=options["kind"],
            reason=options["reason"],
            expires_at=end_of(options["span"]),
        )
        self.stdout.write(f"{maker.username} is told: {why_suspended(maker)}")
