"""`manage.py restore DIR`: puts a backup back, and checks what it put back."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from makerlog.backups.actions import restore_backup
from makerlog.backups.media import FAULTS


class Command(BaseCommand):
    help = "Restores a backup into an empty database, and compares every table and upload. Stop the service first."
    requires_system_checks = ()  # they may ask the database, which may be empty

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="what `manage.py backup` wrote")
        parser.add_argument("--replace", action="store_true", help="give up what is in the database now")

    def handle(self, *args: Any, **options: Any) -> None:
        folder = options["folder"].absolute()
        try:
            manifest = restore_backup(folder=folder, replace=options["replace"])
        except FAULTS as error:
            raise CommandError(str(error)) from error
        count = sum(table.rows for table in manifest.tables.values())
        self.stdout.write(
            f"Restored, and all alike: {count:,} rows of {len(manifest.tables)} tables, {len(manifest.media):,} uploads,"
            f" as of {manifest.made_at}. Now `manage.py migrate`, then start the service."
        )
