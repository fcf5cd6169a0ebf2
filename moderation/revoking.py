"""What the two commands that revoke tokens share: they show what it would hit, ask, and say what became of it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from moderation import actions
from moderation.arguments import confirm
from moderation.revocation import Chosen


class RevokingCommand(BaseCommand):
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reason", default="", help="told to the owners, by mail")
        parser.add_argument("--dry-run", action="store_true", help="show what it would hit, and stop")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def revoke(self, chosen: Chosen, reason: str, options: dict[str, Any]) -> None:
        self.show(chosen)
        if options["dry_run"]:
            self.stdout.write("Nothing was revoked: this was a dry run.")
            return
        if not chosen.rows:
            raise CommandError("Nothing was revoked: there is no such token, or it has ended.")
        if not options["yes"]:
            confirm("Revoke them?", "Nothing was revoked")
        done = actions.revoke_tokens(chosen=chosen, reason=reason)
        self.stdout.write(f"Revoked {done.tokens}. Told by mail: {done.told} owners; could not be told: {done.untold}.")

    def show(self, chosen: Chosen) -> None:
        """Prefixes and owners, never a text that would work."""
        tokens, makers = len(chosen.rows), len(chosen.makers)
        self.stdout.write(f"{tokens} tokens of {makers} makers; {chosen.used_lately} used in the last ten minutes.")
        for token in chosen.sample:
            used = f"{token.last_used_at:%Y-%m-%d %H:%M} UTC" if token.last_used_at else "never"
            self.stdout.write(f"  {token.prefix}  {token.maker.username}  {token.kind}  last used {used}")
        if chosen.more:
            self.stdout.write("There are more than one act takes: run it again for the rest.")
