"""Shows the lockdown level, or declares one."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from moderation import actions
from moderation.arguments import end_of
from moderation.durations import DEFAULT, FOR_GOOD
from moderation.lockdown import LEVELS, declared_now, sentence
from moderation.models import Lockdown

LONGEST_NOTICE = Lockdown._meta.get_field("notice").max_length or 0


class Command(BaseCommand):
    help = "Without a level: shows the one that holds. With one: declares it, in every process within a second."

    def add_arguments(self, parser: CommandParser) -> None:
        levels = "; ".join(f"{level}: {about}" for level, about in LEVELS.items())
        parser.add_argument("level", nargs="?", choices=Lockdown.Level.values, metavar="LEVEL", help=levels)
        parser.add_argument(
            "--for",
            dest="span",
            default="",
            metavar="1h",
            help=f"then normal; {FOR_GOOD}: until changed; default: {DEFAULT}",
        )
        parser.add_argument("--notice", default="", help="told to everybody, at /status/")
        parser.add_argument("--reason", default="", help="for the staff")

    def handle(self, *args: Any, level: str | None, span: str, notice: str, reason: str, **options: Any) -> None:
        if level is None:
            if span or notice or reason:
                raise CommandError(f"Say which level: {', '.join(Lockdown.Level.values)}.")
            self.stdout.write(sentence(declared_now()))
            return
        if level == Lockdown.Level.NORMAL and span:
            raise CommandError("Normal has no end; leave --for out.")
        if len(notice) > LONGEST_NOTICE:
            raise CommandError(f"--notice is {len(notice)} characters long; at most {LONGEST_NOTICE} are kept.")
        end = None if level == Lockdown.Level.NORMAL else end_of(span or DEFAULT)
        declared = actions.lock_down(level=level, notice=notice, expires_at=end, reason=reason)
        self.stdout.write(f"{sentence(declared)} In force in every process within a second.")
