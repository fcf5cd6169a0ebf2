"""Warns a maker."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from moderation import actions
from moderation.arguments import maker_called


class Command(BaseCommand):
    help = "Sends a maker a word by mail, and nothing else."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--reason", required=True, help="what the mail says")

    def handle(self, *args: Any, **options: Any) -> None:
        maker = maker_called(options["username"])
        if not maker.email:
            raise CommandError(f"Nothing was sent: {maker.username} has no address.")
        try:
            actions.warn(maker=maker, reason=options["reason"])
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"A mail to {maker.username} is on its way.")
