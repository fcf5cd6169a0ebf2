"""Undoes a clean-up: what it hid is shown again, as it is by now."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from moderation import actions
from moderation.cleanups import work
from moderation.models import Cleanup


class Command(BaseCommand):
    help = "Shows again what a clean-up hid, within 30 days. The admin lists the clean-ups, as does hide_posts name its own."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("cleanup", type=int, metavar="ID")
        parser.add_argument("--reason", default="", help="for the audit log")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            cleanup = actions.unhide_posts(cleanup=options["cleanup"], reason=options["reason"])
        except Cleanup.DoesNotExist as error:
            raise CommandError(f"There is no clean-up {options['cleanup']}.") from error
        except actions.TooLate as error:
            raise CommandError(str(error)) from error
        total = sum(cleanup.hidden.values())
        with tqdm(total=total, file=sys.stderr, disable=None, unit=" posts", leave=False) as bar:
            for changed in work(cleanup.pk):
                bar.update(changed)
        cleanup.refresh_from_db()
        self.stdout.write(f"Shown again: {sum(cleanup.shown.values())}.")
