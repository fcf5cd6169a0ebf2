"""Lifts a maker's suspension."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from moderation import actions
from moderation.arguments import maker_called


class Command(BaseCommand):
    help = "Lifts a maker's suspension."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--reason", default="", help="for the audit log")

    def handle(self, *args: Any, **options: Any) -> None:
        maker = maker_called(options["username"])
        held = maker.suspension
        actions.unsuspend(maker=maker, reason=options["reason"])
        self.stdout.write(f"{maker.username} {'is no longer' if held else 'was not'} suspended.")
