"""Tells an incident, as Markdown."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from moderation.incidents import markdown
from moderation.models import Incident


class Command(BaseCommand):
    help = "Tells an incident as Markdown: figures, what was noticed and done, who was refused."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", nargs="?", type=int, help="default: the latest")

    def handle(self, *args: Any, **options: Any) -> None:
        found = Incident.objects.order_by("-pk")
        incident = (found.filter(pk=options["id"]) if options["id"] else found).first()
        if incident is None:
            raise CommandError("There is no such incident." if options["id"] else "There has been no incident.")
        self.stdout.write(markdown(incident), ending="")
