"""Shows the allowlist, adds to it, takes off it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from moderation import actions
from moderation.arguments import end_of, network_called
from moderation.durations import ALLOWED_FOR, FOR_GOOD
from moderation.models import AllowlistEntry
from moderation.moments import moment


class Command(BaseCommand):
    help = (
        "Lists what no rule and no ban of a range refuses, unless the ban is forced. With add or remove: changes it, in every"
        " process within a second."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("act", nargs="?", choices=["add", "remove"])
        parser.add_argument("network", nargs="?", metavar="ADDRESS_OR_CIDR")
        parser.add_argument("--note", default="", help="whose it is")
        until = f"90s, 10m, 2h, 7d, {FOR_GOOD}; default: {ALLOWED_FOR}"
        parser.add_argument("--for", dest="span", default=ALLOWED_FOR, metavar="7d", help=until)

    def handle(self, *args: Any, act: str | None, network: str | None, **options: Any) -> None:
        if act is None:
            return self.show()
        if network is None:
            raise CommandError(f"Say what to {act}: an address or a range (CIDR).")
        return self.add(network, options) if act == "add" else self.remove(network)

    def show(self) -> None:
        for entry in AllowlistEntry.objects.in_force().select_related("author").order_by("pk"):
            until = f"until {moment(entry.expires_at)}" if entry.expires_at else "for good"
            by = entry.author.username if entry.author else "a command"
            self.stdout.write(f"{entry.network:<43} {until}, added {moment(entry.created_at)} by {by}: {entry.note}")

    def add(self, text: str, options: dict[str, Any]) -> None:
        try:
            entry = actions.allow(
                network=network_called(text), note_of_it=options["note"], expires_at=end_of(options["span"])
            )
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{entry} is on the allowlist. `allowlist remove {entry.network}` takes it off.")

    def remove(self, text: str) -> None:
        network = network_called(text)
        entry = AllowlistEntry.objects.filter(network=str(network)).first()
        if entry is None:
            raise CommandError(f"{network} is not on the allowlist.")
        actions.disallow(entry=entry.pk)
        self.stdout.write(f"{network} is off the allowlist.")
