"""Making a backup, and restoring one. Both check what they did, or leave things as they were."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from makerlog.backups import media
from makerlog.backups.contents import (
    Table,
    contents,
    differences,
    execute,
    left_out,
    next_numbers,
    rows,
    table_columns,
)
from makerlog.backups.copies import copy_in, copy_out
from makerlog.backups.manifest import MEDIA, BackupError, Manifest, checked, sha256_of, some
from makerlog.backups.schema import (
    STAGING,
    Migration,
    applied_migrations,
    migrate_to,
    migrate_to_this_code,
    refuse_other_code,
    refuse_other_state,
    staging,
    tables_of,
)

# Ours, those of PostgreSQL, of the disk, and of S3.
FAULTS = (BackupError, DatabaseError, OSError, EOFError, BotoCoreError, ClientError, SuspiciousFileOperation)
FILLED_BY_MIGRATIONS = {"django_migrations", "django_content_type", "auth_permission"}
# Of another role's session PostgreSQL may hide the kind: then those count whose role may act as ours.
OTHERS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND usesysid IS NOT NULL
        AND coalesce(backend_type = 'client backend', pg_has_role(usesysid, current_user, 'MEMBER'))
"""


def make_backup(*, folder: Path) -> Manifest:
    """Write the database of this moment and all uploads to ``folder``, which must not exist. The service may go on. What
    fails leaves nothing behind.
    """
    draft = folder.with_name(f"{folder.name}.partial")
    if folder.exists():
        raise BackupError(f"{folder} is there already; a backup goes to a folder of its own.")
    try:
        draft.mkdir(mode=0o700, parents=True)
    except FileExistsError as error:
        raise BackupError(f"{draft} is there: another backup is under way, or was cut off. Remove it.") from error
    try:
        manifest = write_backup(draft)
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return manifest


def write_backup(folder: Path) -> Manifest:
    database = copy_database(folder)
    paths = database.pop("paths") + [f"{MEDIA}/{name}" for name in media.copy_to(folder)]
    digests = {path: sha256_of(folder / path) for path in paths}
    manifest = Manifest(timezone.now().isoformat(), settings.CODE_VERSION, files=digests, **database)
    manifest.write(folder)
    return manifest


@transaction.atomic
def copy_database(folder: Path) -> dict[str, Any]:
    """Write the tables to ``folder``. Returns what the manifest says of them, counted in the snapshot that was written."""
    execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    migrations = sorted(map(list, applied_migrations()))
    if not migrations:
        raise BackupError("The database holds no Makerlog (no migration was ever applied): is DATABASE_URL right?")
    columns = table_columns()
    paths = copy_out(folder, columns)
    return {
        "paths": paths,
        "migrations": migrations,
        "columns": columns,
        "tables": contents(columns),
        "sequences": next_numbers(),
        "left_out": left_out(),
    }


def restore_backup(*, folder: Path, replace: bool = False, say: Callable[[str], object]) -> Manifest:
    """Put a backup into the database and the storage of uploads. ``replace``: also where there is something already.

    The rows go to a schema of their own first, are compared there and brought to the migrations of this code. Whatever goes
    wrong, the database is as it was (an empty one may have empty tables), and so are the uploads that were there: they are
    touched last. Uploads that nothing refers to may have come.
    """
    manifest = checked(folder)
    recorded = {(app, name) for app, name in manifest.migrations}
    refuse_other_code(recorded, manifest.version)
    refuse_pooler()
    refuse_company()
    media.refuse_leftovers()
    refuse_other_state(applied_migrations())
    if not replace:
        refuse_to_overwrite(manifest)
    tell_what_stays_out(manifest, recorded, say)
    with staging():
        staged = fill_staging(folder, manifest, recorded)
        execute("RESET search_path")
        if not applied_migrations():
            migrate_to_this_code()
        take_over(staged, lambda: media.put_back(folder, manifest))
    return manifest


def refuse_pooler() -> None:
    if settings.DATABASE_POOLED:
        raise BackupError("DATABASE_URL is a pgbouncer; commands go past it, to PostgreSQL itself (deploy/README.md).")


def refuse_company() -> None:
    others = rows(OTHERS)[0][0]
    if others:
        raise BackupError(
            f"{others} others are connected to the database. Stop the service first (`dokku ps:stop`), and start it after."
        )


def refuse_to_overwrite(manifest: Manifest) -> None:
    """Raise BackupError where a restore would give up rows or uploads."""
    names = set(connection.introspection.django_table_names(only_existing=True)) - FILLED_BY_MIGRATIONS
    quote = connection.ops.quote_name
    filled = [name for name in sorted(names) if rows(f"SELECT 1 FROM {quote(name)} LIMIT 1")]  # noqa: S608  (our own names)
    strange = media.strangers(manifest)
    if filled:
        raise BackupError(f"The database is not empty (rows in {some(filled)}); --replace gives up what is in it.")
    if strange:
        raise BackupError(f"Other uploads lie under names of the backup's ({some(strange)}); --replace gives them up.")


def tell_what_stays_out(manifest: Manifest, recorded: set[Migration], say: Callable[[str], object]) -> None:
    strange = sorted(set(manifest.tables) - tables_of(recorded))
    if strange:
        say(f"Not restored, since no migration makes them (their rows are in the backup): {', '.join(strange)}.")
    if manifest.left_out:
        say(
            f"Not in the backup: {', '.join(manifest.left_out)}."
            " What the database has of these stays; what it has not, make yourself."
        )


def fill_staging(folder: Path, manifest: Manifest, recorded: set[Migration]) -> dict[str, Table]:
    """Make the backup's tables in the schema STAGING, and bring them to this code's migrations. Returns what they hold."""
    migrate_to(recorded)
    columns = table_columns(STAGING)
    refuse_other_columns(columns, manifest.columns, "The backup")
    copy_in(folder, columns, STAGING)
    wrong = differences({name: manifest.tables[name] for name in columns}, contents(columns, STAGING))
    if wrong:
        raise BackupError(f"What was restored is not what was backed up: {some(wrong)}. The database is as it was.")
    set_sequences(manifest.sequences, STAGING)
    migrate_to_this_code()
    return contents(table_columns(STAGING), STAGING)


@transaction.atomic
def take_over(staged: dict[str, Table], put_uploads_back: Callable[[], None]) -> None:
    """Have the tables hold what those of STAGING do. They stay the same tables, and so the rights of other roles stay."""
    columns = table_columns(STAGING)
    refuse_other_columns(columns, table_columns(), "The database")
    execute(f"TRUNCATE {', '.join(f'public.{table}' for table in columns)}")
    for table, names in columns.items():
        listed = ", ".join(names)
        execute(f"INSERT INTO public.{table} ({listed}) SELECT {listed} FROM {STAGING}.{table}")  # noqa: S608  (quoted)
    set_sequences(next_numbers(STAGING), "public")
    execute("SET CONSTRAINTS ALL IMMEDIATE")  # what is wrong is known before uploads are touched
    wrong = differences(staged, contents(columns))
    if wrong:
        raise BackupError(f"The database took other rows than it was given: {some(wrong)}. It is as it was.")
    put_uploads_back()


def refuse_other_columns(wanted: dict[str, list[str]], present: dict[str, list[str]], whose: str) -> None:
    wrong = sorted(name for name in wanted if wanted[name] != present.get(name))
    if wrong:
        raise BackupError(
            f"{whose} lacks tables that the migrations make, or has other columns: {some(wrong)}. Nothing was touched;"
            " an empty database takes any whole backup."
        )


def set_sequences(numbers: dict[str, int], schema: str) -> None:
    """Each gives at least this number next. Not a lower one: a number that was given since the backup is not given again."""
    for name, now in next_numbers(schema).items():
        execute(f"ALTER SEQUENCE {schema}.{name} RESTART WITH {max(now, int(numbers.get(name, 1)))}")
