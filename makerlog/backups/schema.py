"""The schema of a backup: made by the migrations that the backup names, in a place of its own."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.core.management import call_command
from django.db import InterfaceError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from makerlog.backups.contents import execute
from makerlog.backups.manifest import BackupError, some

STAGING = "makerlog_restoring"  # the schema that a backup is restored into before the database takes it over

Migration = tuple[str, str]  # app, name


def applied_migrations() -> set[Migration]:
    return set(MigrationRecorder(connection).applied_migrations())


def refuse_other_code(recorded: set[Migration], version: str) -> None:
    """Raise BackupError where a backup was made by code that is newer than this."""
    unknown = sorted(recorded - set(MigrationLoader(None).disk_migrations or ()))
    if unknown:
        raise BackupError(
            f"The backup was made by newer code (version {version or 'unknown'}), whose migrations this code has not:"
            f" {some('.'.join(each) for each in unknown)}. Deploy that code first. Nothing was touched."
        )


def refuse_other_state(present: set[Migration]) -> None:
    """Raise BackupError where the database is neither empty nor at the state of this code."""
    loader = MigrationLoader(connection)
    wrong = {*(set(loader.graph.nodes) - present), *(present - set(loader.disk_migrations or ()))}
    if present and wrong:
        raise BackupError(
            f"The database is not at the migrations of this code: {some('.'.join(each) for each in sorted(wrong))}."
            " Run `manage.py migrate`, deploy the code that the database is at, or restore into an empty database."
            " Nothing was touched."
        )


def tables_of(recorded: set[Migration]) -> set[str]:
    """The tables that these migrations make."""
    loader = MigrationLoader(None)
    apps = loader.project_state(sorted(recorded & set(loader.graph.nodes))).apps
    names = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    return {*names, MigrationRecorder.Migration._meta.db_table}


@contextmanager
def staging() -> Iterator[None]:
    """An empty schema that every statement goes to unless it says otherwise; it is gone afterwards."""
    execute(f"DROP SCHEMA IF EXISTS {STAGING} CASCADE", f"CREATE SCHEMA {STAGING}", f"SET search_path TO {STAGING}")
    try:
        yield
    finally:
        with suppress(InterfaceError, OperationalError):  # no connection: the next restore drops it
            execute("RESET search_path", f"DROP SCHEMA IF EXISTS {STAGING} CASCADE")


def migrate_to(recorded: set[Migration]) -> None:
    """Make the tables as they were when these migrations, and no others, had run."""
    executor = MigrationExecutor(connection)
    leaves = executor.loader.graph.leaf_nodes()
    plan = [step for step in executor.migration_plan(leaves) if (step[0].app_label, step[0].name) in recorded]
    executor.migrate(leaves, plan=plan)


def migrate_to_this_code() -> None:
    call_command("migrate", interactive=False, verbosity=0)
