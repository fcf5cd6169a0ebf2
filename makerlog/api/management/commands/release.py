"""`manage.py release`: the migrations of a deploy, while the code before it serves.

A change of a table waits until nobody uses it, and everybody who comes later waits behind the change: during a backup, which
reads every table in one transaction, that would be every request. So nothing here waits for a lock as long as a request may.
"""

import time
from collections.abc import Callable
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connection
from psycopg2.errors import LockNotAvailable

LOCK_MS = 500  # a request waits for 2 s, and fails (settings.TIMEOUTS)
REST_S = 1.0  # in which those who waited behind it pass


class Command(BaseCommand):
    help = "Migrates, and lets pass whoever uses a table meanwhile."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seconds", type=float, default=600, help="how long to try for a lock; default: 600")

    def handle(self, *args: Any, **options: Any) -> None:
        patience = Patience(time.monotonic() + options["seconds"], self.stdout.write)
        with connection.execute_wrapper(patience.execute):
            patience.wait_for(lambda: call_command("migrate", interactive=False, stdout=self.stdout))


class Patience:
    """What cannot have its lock at once is tried again until ``ends`` (monotonic): a statement that stands alone, or a whole
    transaction."""

    def __init__(self, ends: float, say: Callable[[str], object]) -> None:
        self.ends = ends
        self.say = say

    def execute(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        # An index that is made concurrently locks nobody out, and cut short it would stay behind, half made.
        limit(0 if "CONCURRENTLY" in sql else LOCK_MS)
        if connection.in_atomic_block:
            return execute(sql, params, many, context)
        return self.wait_for(lambda: execute(sql, params, many, context))

    def wait_for(self, act: Callable[[], Any]) -> Any:
        while True:
            try:
                return act()
            except OperationalError as error:
                if not isinstance(error.__cause__, LockNotAvailable):
                    raise
                if time.monotonic() > self.ends:
                    raise CommandError(
                        "A table is in use all the time; nothing was changed in it. Deploy again later."
                    ) from error
                self.say(f"A table is in use; once more in {REST_S:.0f} s.")
            time.sleep(REST_S)


def limit(milliseconds: int) -> None:
    """How long the next statement waits for a lock."""
    with connection.connection.cursor() as cursor:  # the driver's own: the statement may be one of a named cursor
        cursor.execute("SET lock_timeout = %s", [milliseconds])
