"""Revokes every token of ours that a text holds."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from moderation.leaks import MOST_BYTES, TextTooLong, because, leak
from moderation.revoking import RevokingCommand


class Command(RevokingCommand):
    help = (
        "Finds the genuine tokens in a text, whatever stands around them, revokes them and tells their owners by mail."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", default="-", help="default: -, the standard input")
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Whoever pipes a text in cannot be asked: they say --yes."""
        try:
            found = leak(read(options["file"]))
        except TextTooLong as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(
                f"{options['file']!r} cannot be read: {error.strerror}. Give a file, or - and pipe it in."
            ) from error
        self.stdout.write(f"{found.genuine} genuine tokens in the text, {found.over} of which had ended before.")
        self.revoke(found.chosen, because(options["reason"]), options)


def read(name: str) -> bytes:
    """No more than tells that it is too long."""
    if name == "-":
        return sys.stdin.buffer.read(MOST_BYTES + 1)
    with Path(name).open("rb") as file:
        return file.read(MOST_BYTES + 1)
