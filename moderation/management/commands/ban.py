"""Bans an address or a range."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from makerlog.env import Network
from moderation import actions
from moderation.arguments import end_of, network_called, own_address
from moderation.durations import DEFAULT, FOR_GOOD
from moderation.guards import Guarded
from moderation.models import Ban
from moderation.traffic import AWAY, warned, would_hit


class Command(BaseCommand):
    help = (
        "Refuses an address or a range (CIDR) in every process within a second. Says first whom it would have hit in the"
        " last ten minutes. An IPv6 address is widened to its /64."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("network", metavar="ADDRESS_OR_CIDR")
        parser.add_argument(
            "--for",
            dest="span",
            default=DEFAULT,
            metavar="2h",
            help=f"90s, 10m, 2h, 7d, {FOR_GOOD}; default: {DEFAULT}",
        )
        parser.add_argument("--applies-to", choices=Ban.AppliesTo.values, default=Ban.AppliesTo.ANONYMOUS)
        parser.add_argument("--reason", default="", help="for the staff")
        parser.add_argument("--public", action="store_true", help="tell the reason to whom the ban refuses")
        parser.add_argument("--force", action="store_true", help="against the guard rails")
        parser.add_argument("--preview", "--dry-run", action="store_true", help="say whom it would have hit, and stop")

    def handle(self, *args: Any, **options: Any) -> None:
        network = network_called(options["network"])
        expires_at = end_of(options["span"])
        self.preview(network, options["applies_to"])
        if options["preview"]:
            return self.stdout.write("\n".join([*guards(network), "Nothing was banned: this was a preview."]))
        try:
            made = actions.ban(
                network=network,
                applies_to=options["applies_to"],
                expires_at=expires_at,
                reason=options["reason"],
                reason_is_public=options["public"],
                own_address=own_address(),
                force=options["force"],
            )
        except Guarded as error:
            raise CommandError("\n".join([*error.sentences, "--force bans it all the same."])) from error
        until = f"until {expires_at:%Y-%m-%d %H:%M:%S} UTC" if expires_at else "until it is lifted"
        return self.stdout.write(
            f"Ban {made.pk}: {made} {until}, in force everywhere within a second. `unban {made.pk}` lifts it."
        )

    def preview(self, network: Network, applies_to: str) -> None:
        hit = would_hit(network, applies_to)
        self.stdout.write(str(hit) if hit else AWAY)
        for sentence in warned():
            self.stderr.write(self.style.WARNING(sentence))


def guards(network: Network) -> list[str]:
    return actions.guarded(network, own_address())
