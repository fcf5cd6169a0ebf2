"""`manage.py restore DIR`: puts a backup back, and checks what it put back."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from makerlog.backups.actions import FAULTS, restore_backup


class Command(BaseCommand):
    help = "Restores a backup into an empty database, and compares every table and upload. Stop the service first."
    requires_system_checks = ()  # they may ask the database, which may be empty

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="what `manage.py backup` wrote")
        parser.add_argument("--replace", action="store_true", help="give up what is in the database now")
        parser.add_argument(
            "--database",
            metavar="VARIABLE",
            help="a drill: the variable that holds the address of another database, in place of DATABASE_URL; uploads"
            " go to a folder that is deleted afterwards",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        folder = options["folder"].absolute()
        if options["database"]:
            drill(folder, options["database"], options["replace"])
        else:
            self.restore(folder, options["replace"])

    def restore(self, folder: Path, replace: bool) -> None:
        try:
            manifest = restore_backup(folder=folder, replace=replace, say=self.say)
        except FAULTS as error:
            raise CommandError(str(error)) from error
        count = sum(table.rows for table in manifest.tables.values())
        self.stdout.write(
            f"Restored, and all alike: {count:,} rows of {len(manifest.tables)} tables, {len(manifest.media):,} uploads,"
            f" as of {manifest.made_at}. Start the service."
        )

    def say(self, sentence: str) -> None:
        self.stdout.write(sentence)
        self.stdout.flush()


def drill(folder: Path, variable: str, replace: bool) -> None:
    """The same in a process of its own, since settings follow from the address: nothing of the service's is touched."""
    address = os.environ.get(variable, "").strip()
    if not address or address == settings.DATABASE_URL:
        raise CommandError(f"{variable} must hold the address of another database than DATABASE_URL.")
    command = [sys.executable, sys.argv[0], "restore", str(folder), *(["--replace"] if replace else [])]
    with TemporaryDirectory() as data:
        variables = {**os.environ, "DATABASE_URL": address, "DATA_DIR": data, "MEDIA_S3_BUCKET": ""}
        for name in ("DATABASE_URL_FILE", "MEDIA_S3_BUCKET_FILE", "DATABASE_POOLED"):
            variables.pop(name, None)
        status = subprocess.run(command, env=variables).returncode  # noqa: S603
    if status:
        raise CommandError("The drill failed; see above.", returncode=status)
