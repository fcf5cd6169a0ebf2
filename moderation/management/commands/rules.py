"""Shows the automatic rules and what they did, and undoes an act."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from moderation import actions
from moderation.judge import is_dry
from moderation.models import RuleAct
from moderation.moments import moment
from moderation.rule_admin import state
from moderation.rules import table


class Command(BaseCommand):
    help = "Without options: the table of the automatic rules, and the newest acts. RULES_DRY_RUN names those that only log."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--last", type=int, default=20, metavar="N", help="of the acts; default: 20")
        parser.add_argument("--undo", type=int, default=0, metavar="ACT", help="the number of an act")
        parser.add_argument("--reason", default="", help="for the audit log")

    def handle(self, *args: Any, last: int, undo: int, reason: str, **options: Any) -> None:
        if undo:
            made = RuleAct.objects.filter(pk=undo).first()
            if made is None:
                raise CommandError(f"There is no act {undo}; without --undo the newest are listed.")
            actions.undo_rule_act(made=made, reason=reason)
            self.stdout.write(f"Undone: {made.sentence}")
            return
        for rule, does in table():
            dry = " (dry run)" if is_dry(rule.name) else ""
            self.stdout.write(f"{rule.name}{dry}: {rule.threshold} within {rule.window} s; {does}. {rule.about}")
        for made in RuleAct.objects.order_by("-pk")[: max(0, last)]:
            self.stdout.write(f"{made.pk:>6}  {moment(made.at)}  {made.sentence} [{state(made)}]")
