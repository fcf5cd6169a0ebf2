"""`manage.py backup DIR`: the database and all uploads, while the service is up."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from makerlog.backups.actions import FAULTS, make_backup


class Command(BaseCommand):
    help = "Writes the database and all uploads to a new folder. The service may go on meanwhile."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="a folder that does not exist yet")

    def handle(self, *args: Any, **options: Any) -> None:
        folder = options["folder"].absolute()
        try:
            manifest = make_backup(folder=folder)
        except FAULTS as error:
            raise CommandError(str(error)) from error
        count = sum(table.rows for table in manifest.tables.values())
        self.stdout.write(
            f"{folder}: {count:,} rows of {len(manifest.tables)} tables, {len(manifest.media):,} uploads."
        )
        if manifest.left_out:
            self.stdout.write(f"Not in it: {', '.join(manifest.left_out)}.")
