"""Compares what is kept in rows with the facts that it follows from."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from discussions import facts as discussions
from makerlog.accounts import facts as accounts
from makerlog.api.recounting import Comparison, Difference, compare, size_of
from products import facts as products
from tasks import facts as tasks

# In this order: a mend is a fact to those that come later.
COMPARISONS: list[Comparison] = [*accounts.KEPT, *products.KEPT, *tasks.KEPT, *discussions.KEPT]
PRINTED = 100  # differences of each kind


class Command(BaseCommand):
    help = (
        "Compares every kept counter with the facts: praise, comments, replies, followers, days, runs of days, what is"
        " listed and where. Prints what differs, and ends with 1 if something does. Works while the service is up."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--mend", action="store_true", help="set what differs right, batch by batch")

    def handle(self, *args: Any, **options: Any) -> None:
        found = left = 0
        for comparison in COMPARISONS:
            differ, remain = self.compared(comparison, mend=options["mend"])
            found, left = found + differ, left + remain
        if left:
            raise CommandError(f"{said(left)}{'' if options['mend'] else '; recount --mend sets it right'}.")
        self.stdout.write(f"{said(found)}, all mended." if found else "0 differences.")

    def compared(self, comparison: Comparison, *, mend: bool) -> tuple[int, int]:
        """How many differed, and how many still do."""
        found = left = 0
        total = size_of(comparison.table)
        with tqdm(total=total, desc=comparison.name, file=sys.stderr, disable=None, unit=" rows", leave=False) as bar:
            for batch in compare(comparison, mend=mend):
                bar.update(batch.size)
                for each in batch.differences[: max(0, PRINTED - found)]:
                    self.stdout.write(line(comparison, each))
                found, left = found + len(batch.differences), left + len(batch.left)
        if found > PRINTED:
            self.stdout.write(f"... and {found - PRINTED:,} more: {comparison.name}.")
        return found, left


def said(differences: int) -> str:
    return "1 difference" if differences == 1 else f"{differences:,} differences"


def line(comparison: Comparison, each: Difference) -> str:
    return f"{comparison.name} {each.pk}{each.where}: kept {each.kept}, in fact {each.fact}"
