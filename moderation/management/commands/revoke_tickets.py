"""Void every ops ticket; for when a staff member's phone is lost. Their session goes by `manage.py suspend`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from moderation import actions


class Command(BaseCommand):
    help = "Void the ops tickets of all staff. Whoever is signed in gets a new one with the next page."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reason", default="")

    def handle(self, *, reason: str, **options: Any) -> None:
        actions.revoke_tickets(reason=reason)
        print("All tickets are void within a second.")
