"""Takes the second factor from one of the staff whose phone is lost."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from moderation import actions
from moderation.arguments import maker_called


class Command(BaseCommand):
    help = "Takes the second factor and recovery codes from one of the staff: the password alone lets them in again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--reason", default="", help="for the audit log")

    def handle(self, *args: Any, **options: Any) -> None:
        maker = maker_called(options["username"])
        had = actions.reset_second_factor(maker=maker, reason=options["reason"])
        self.stdout.write(f"{maker.username} had {'a second factor; it is gone' if had else 'none'}.")
