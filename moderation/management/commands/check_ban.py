"""Is this address banned, and everywhere?"""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from moderation.arguments import network_called
from moderation.enforcement import blunt, enforcement
from moderation.models import AllowlistEntry, Ban
from moderation.moments import moment
from moderation.traffic import warned

NOT_BANNED, NOT_EVERYWHERE = 1, 2
MOST = 100


class Command(BaseCommand):
    help = (
        "Tells which bans cover an address, standing or past, and which processes enforce those that stand. Exit code 0:"
        " it is banned, in every process; 1: no ban of it stands, or"
        " a proxy forwards that TRUSTED_PROXIES does not name; 2: one stands, and some process has not heard of it or"
        " is lost."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("address", metavar="ADDRESS_OR_CIDR")

    def handle(self, *args: Any, **options: Any) -> None:
        network = network_called(options["address"])
        bans = list(Ban.objects.covering(network).order_by("-pk")[:MOST])
        standing = [ban for ban in bans if ban.stands]
        told = [self.say(ban) for ban in bans]
        warnings = warned()
        for sentence in warnings:
            self.stderr.write(self.style.WARNING(sentence))
        if allowed := AllowlistEntry.objects.covering(network).first():
            self.stdout.write(f"On the allowlist, by {allowed}: only a forced ban refuses it.")
            standing = [ban for ban in standing if ban.forced]
        if not standing:
            self.stdout.write(f"No ban of {network} stands.")
            sys.exit(NOT_BANNED)
        if warnings:
            self.stdout.write("Whether it bites is not known: see the warning.")
            sys.exit(NOT_BANNED)
        if not all(told):
            sys.exit(NOT_EVERYWHERE)

    def say(self, ban: Ban) -> bool:
        """Whether ``ban`` is in force everywhere; one that is over needs not be."""
        self.stdout.write(
            f"Ban {ban.pk}: {ban}, set {moment(ban.created_at)}; {state(ban)}; refused {ban.refused:,} requests."
        )
        if not ban.stands:
            return True
        known = enforcement(ban)
        for each in [*blunt(ban, known), *known]:
            self.stdout.write(f"  {each}")
        if not known:
            self.stdout.write("  No process is running: nobody enforces it, and nobody answers.")
        return all(each.holds for each in known)


def state(ban: Ban) -> str:
    if ban.lifted_at:
        return f"lifted {moment(ban.lifted_at)}"
    if not ban.expires_at:
        return "until it is lifted"
    return f"{'until' if ban.stands else 'expired'} {moment(ban.expires_at)}"
