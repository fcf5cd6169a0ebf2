"""`manage.py demo`: adds a made-up community. Works while the service is up."""

import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError
from django.utils import timezone
from tqdm import tqdm

from makerlog.demo.community import MOST, NobodyThere, Wanted, add

STOPPED = 130  # what a shell says of a command that Ctrl-C ended


class Command(BaseCommand):
    help = "Adds made-up makers, tasks, products and discussions to those that are there."

    def add_arguments(self, parser: CommandParser) -> None:
        for name, most in MOST.items():
            parser.add_argument(f"--{name}", default=0, metavar="N", help=f"how many to add, up to {most:,}")
        parser.add_argument("--seed", default=1, metavar="S", help="a number; the same one gives the same community")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = Wanted(**{name: whole(options, name, most) for name, most in MOST.items()})
        seed = whole(options, "seed", 2**63)
        total = sum(vars(wanted).values())
        if not total:
            raise CommandError("Nothing to add; say for example: demo --makers 50 --tasks 1000.")
        started = time.monotonic()
        with tqdm(total=total, file=sys.stderr, disable=None, unit=" rows", leave=False) as bar:
            self.add(wanted, seed, bar)
        self.stdout.write(f"{summary(wanted)} in {time.monotonic() - started:.0f} s.")

    def add(self, wanted: Wanted, seed: int, bar: "tqdm[Any]") -> None:
        try:
            for name, size in add(wanted, seed=seed, now=timezone.now()):
                bar.set_description(f"Adding {name}", refresh=False)
                bar.update(size)
        except NobodyThere as error:
            raise CommandError("There are no demo makers to write anything; add some with --makers N.") from error
        except IntegrityError as error:
            raise CommandError(
                "Somebody took the same name at the same moment; what was added is whole, run it again for the rest."
            ) from error
        except KeyboardInterrupt as error:
            raise CommandError("Stopped; what was added is whole.", returncode=STOPPED) from error


def whole(options: dict[str, Any], name: str, most: int) -> int:
    """A number from 0 to ``most``, or one sentence."""
    try:
        number = int(str(options[name]))
    except ValueError:
        number = -1
    if not 0 <= number <= most:
        raise CommandError(f"--{name} is {options[name]!r}, and must be a whole number from 0 to {most:,}.")
    return number


def summary(wanted: Wanted) -> str:
    return "Added " + ", ".join(f"{count:,} {name}" for name, count in vars(wanted).items() if count)
