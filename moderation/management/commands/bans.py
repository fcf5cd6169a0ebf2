"""Prints bans, one a line."""

from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from moderation.models import Ban, BanQuerySet
from moderation.moments import moment

BATCH = 2_000
COLUMNS = "{:>8} {:<43} {:<10} {:<19} {:>9} {:<19} {} {}"
HEADER = COLUMNS.format("id", "network", "applies to", "expires", "refused", "last refused", "by", "reason")


class Command(BaseCommand):
    help = "Prints the bans that stand. As nginx: lines to include, of those of everything; nginx does not know tokens."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", choices=FORMATS, default="table")
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--all", action="store_true", help="also those that have expired or were lifted")
        which.add_argument("--expired", action="store_true", help="only those")
        parser.add_argument("--limit", type=int, default=0, metavar="N", help="the newest N; default: all")

    def handle(self, *args: Any, **options: Any) -> None:
        bans = chosen(options).select_related("author").order_by("-pk")
        bans = bans[: options["limit"]] if options["limit"] > 0 else bans
        if options["format"] == "table":
            self.stdout.write(HEADER)
        for ban in bans.iterator(chunk_size=BATCH):
            self.stdout.write(FORMATS[options["format"]](ban))


def chosen(options: dict[str, Any]) -> BanQuerySet:
    if options["format"] == "nginx":
        return Ban.objects.standing().filter(applies_to=Ban.AppliesTo.EVERYTHING)
    if options["all"]:
        return Ban.objects.all()
    return Ban.objects.past() if options["expired"] else Ban.objects.standing()


def row(ban: Ban) -> str:
    until = "lifted" if ban.lifted_at else moment(ban.expires_at)
    by = ban.author.username if ban.author else ban.origin
    bitten = (ban.refused, moment(ban.last_refused_at))
    return COLUMNS.format(ban.pk, ban.network, ban.applies_to, until, *bitten, by, ban.reason).rstrip()


def nginx(ban: Ban) -> str:
    return f"deny {ban.network};"


def plain(ban: Ban) -> str:
    return ban.network


FORMATS: dict[str, Callable[[Ban], str]] = {"table": row, "nginx": nginx, "plain": plain}
