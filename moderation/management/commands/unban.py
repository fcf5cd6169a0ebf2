"""Lifts bans."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from moderation import actions
from moderation.arguments import network_called
from moderation.models import Ban

LARGEST_ID = 2**63


class Command(BaseCommand):
    help = "Lifts bans, in every process within a second. All that are named, or, where one is not found, none."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("bans", nargs="+", metavar="ADDRESS_OR_CIDR_OR_ID")
        parser.add_argument("--reason", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        found = [ban_called(text) for text in options["bans"]]
        actions.lift(bans=[each.pk for each in found], reason=options["reason"])
        for each in found:
            self.stdout.write(f"Lifted ban {each.pk} of {each.network}.")


def ban_called(text: str) -> Ban:
    """The standing ban of that id or of exactly that network."""
    if text.isascii() and text.isdigit():
        ban = Ban.objects.standing().filter(pk=int(text)).first() if int(text) < LARGEST_ID else None
        if ban is None:
            raise CommandError(f"No ban {text} stands; `bans` lists those that do.")
        return ban
    network = network_called(text)
    ban = Ban.objects.standing().filter(network=str(network)).first()
    if ban is None:
        wider = Ban.objects.standing().covering(network).first()
        raise CommandError(
            f"{network} is not banned by itself"
            + (f"; ban {wider.pk} of {wider.network} covers it." if wider else "; `bans` lists those that stand.")
        )
    return ban
