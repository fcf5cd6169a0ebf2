"""Hides all that the options select, of every kind, from everybody but moderators."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from moderation import actions
from moderation.arguments import confirm, maker_called, moment, network_called
from moderation.cleanups import Hit, Posts, hit, token_named, work
from moderation.models import UNDONE_WITHIN
from moderation.revocation import NothingChosen


class Command(BaseCommand):
    help = "Hides the posts that all of the options given select: tasks, comments, discussions, replies and products."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--token", default="", metavar="PREFIX", help="mkl_ and 11 characters, or the whole text")
        parser.add_argument("--user", default="", metavar="NAME")
        parser.add_argument("--from", dest="network", default="", metavar="CIDR", help="where they were posted from")
        parser.add_argument("--posted-between", nargs=2, default=(), metavar=("A", "B"), help="ISO 8601; UTC if unsaid")
        parser.add_argument("--reason", default="", help="for the audit log")
        parser.add_argument("--dry-run", action="store_true", help="show what it would hit, and stop")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        """The job does it, too; whichever of them comes to a batch first."""
        try:
            posts = chosen(options)
            found = hit(posts)
        except NothingChosen as error:
            raise CommandError(str(error)) from error
        self.show(found)
        if options["dry_run"]:
            self.stdout.write("Nothing was hidden: this was a dry run.")
            return
        if not found.count:
            raise CommandError("Nothing was hidden: there is no such post.")
        if not options["yes"]:
            confirm("Hide them?", "Nothing was hidden")
        cleanup = actions.hide_posts(posts=posts, reason=options["reason"])
        with tqdm(total=found.count, file=sys.stderr, disable=None, unit=" posts", leave=False) as bar:
            for changed in work(cleanup.pk):
                bar.update(changed)
        cleanup.refresh_from_db()
        undo = f"To undo it within {UNDONE_WITHIN.days} days: manage.py unhide_posts {cleanup.pk}"
        self.stdout.write(f"Hidden: {sum(cleanup.hidden.values())}. {undo}")

    def show(self, found: Hit) -> None:
        for each in found.found:
            self.stdout.write(f"{'at least ' if each.more else ''}{each.count} {each.kind}")
            for row in each.sample:
                self.stdout.write(f"  {row.author.username}: {row}")
        for maker, posts in found.most:
            self.stdout.write(f"{posts} of them by {maker.username}")


def chosen(options: dict[str, Any]) -> Posts:
    since, until = map(moment, options["posted_between"]) if options["posted_between"] else (None, timezone.now())
    return Posts(
        token=token_named(options["token"]) if options["token"] else None,
        maker=maker_called(options["user"]).pk if options["user"] else None,
        network=network_called(options["network"]) if options["network"] else None,
        since=since,
        until=until,
    )
