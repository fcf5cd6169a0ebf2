"""`manage.py check_migrations`: whether the code that serves now could go on while the new migrations run."""

from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db.migrations.loader import MigrationLoader

from makerlog.api.upgrades import objections

# The last of each app that was written before there was this check. What came later is judged.
BEFORE = {
    "accounts": 5,
    "api": 2,
    "changes": 3,
    "discussions": 3,
    "jobs": 1,
    "moderation": 7,
    "products": 3,
    "tasks": 4,
}


class Command(BaseCommand):
    help = "Refuses migrations that lock a table or break the code that still serves while they run."

    def handle(self, *args: Any, **options: Any) -> None:
        told = list(refused(MigrationLoader(None)))
        if told:
            raise CommandError("\n".join([*told, "deploy/README.md says how: Migrations."]))
        self.stdout.write("Every new migration may run while the old code serves.")


def refused(loader: MigrationLoader) -> list[str]:
    """A line for each objection."""
    told = []
    for app, name in sorted(loader.graph.nodes):
        if is_ours(app) and not was_before(app, name):
            before = loader.project_state((app, name), at_end=False)
            told += [f"{app}.{name}: {why}" for why in objections(loader.graph.nodes[app, name], before)]
    return told


def is_ours(app: str) -> bool:
    home = Path(apps.get_app_config(app).path)
    return home.is_relative_to(settings.BASE_DIR) and ".venv" not in home.parts


def was_before(app: str, name: str) -> bool:
    return int(name.partition("_")[0]) <= BEFORE.get(app, 0)
