"""Making a backup, and restoring one. Both check what they did, or leave things as they were."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connection, transaction
from django.utils import timezone

from makerlog.backups import media, tools
from makerlog.backups.contents import Table, contents, differences, rows, tables
from makerlog.backups.manifest import DUMP, MEDIA, Manifest, checked, sha256_of, some
from makerlog.backups.tools import BackupError

BEFORE = "before_restore"  # the schema that keeps what was there until the restored one has been checked
OTHERS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


def make_backup(*, folder: Path) -> Manifest:
    """Writes the database of this moment and all uploads to ``folder``, which must not exist. The service may go on."""
    draft = folder.with_name(f"{folder.name}.partial")
    if folder.exists():
        raise BackupError(f"{folder} is there already; a backup goes to a folder of its own.")
    try:
        draft.mkdir(mode=0o700, parents=True)
    except FileExistsError as error:
        raise BackupError(f"{draft} is there: another backup is under way, or was cut off. Remove it.") from error
    found = dump(draft / DUMP)
    media_paths = [f"{MEDIA}/{name}" for name in media.copy_to(draft)]
    digests = {path: sha256_of(draft / path) for path in [DUMP, *media_paths]}
    manifest = Manifest(timezone.now().isoformat(), found, digests)
    manifest.write(draft)
    draft.rename(folder)
    return manifest


@transaction.atomic
def dump(path: Path) -> dict[str, Table]:
    """Writes the database to ``path``: what it held, counted in the very snapshot that is written."""
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    snapshot = rows("SELECT pg_export_snapshot()")[0][0]
    tools.run(
        "pg_dump", "--format=custom", "--no-owner", "--no-privileges", "--snapshot", snapshot, "--file", str(path)
    )
    return contents()


def restore_backup(*, folder: Path, replace: bool = False) -> Manifest:
    """Puts a backup into the database and the storage of uploads. ``replace``: also where there is something already.

    Whatever goes wrong, the database is as it was, and so are the uploads that were there: they are touched last, when the
    database has been compared. Uploads that nothing refers to may have come.
    """
    manifest = checked(folder)
    if not replace:
        refuse_to_overwrite(manifest)
    refuse_company()
    with fresh_schema():
        tools.run(
            "pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", str(folder / DUMP)
        )
        wrong = differences(manifest.tables, contents())
        if wrong:
            raise BackupError(f"What was restored is not what was backed up: {some(wrong)}. The database is as it was.")
        media.put_back(folder, manifest)
    return manifest


def refuse_to_overwrite(manifest: Manifest) -> None:
    present, strange = tables(), media.strangers(manifest)
    if present:
        raise BackupError(f"The database is not empty (it has {some(present)}); --replace gives up what is in it.")
    if strange:
        raise BackupError(f"Other uploads lie under names of the backup's ({some(strange)}); --replace gives them up.")


def refuse_company() -> None:
    others = rows(OTHERS)[0][0]
    if others:
        raise BackupError(
            f"{others} others are connected to the database. Stop the service first (`dokku ps:stop`), and start it after."
        )
    if rows(f"SELECT 1 FROM pg_namespace WHERE nspname = '{BEFORE}'"):  # noqa: S608  (our own word)
        raise BackupError(
            f"A restore was cut off: what was there before it lies in the schema {BEFORE}. To have it again:"
            f" `DROP SCHEMA public CASCADE; ALTER SCHEMA {BEFORE} RENAME TO public`;"
            f" to give it up: `DROP SCHEMA {BEFORE} CASCADE`."
        )
    aside = list(media.names(media.ASIDE))
    if aside:
        raise BackupError(
            f"A restore was cut off: uploads that it replaced lie in the storage below {media.ASIDE}/ ({some(aside)})."
            " Move them back to their names, or away."
        )


@contextmanager
def fresh_schema() -> Iterator[None]:
    """An empty ``public``; what was there is dropped when all went well, and back in its place when not."""
    change(f"ALTER SCHEMA public RENAME TO {BEFORE}", "CREATE SCHEMA public")
    try:
        yield
    except BaseException:
        change("DROP SCHEMA public CASCADE", f"ALTER SCHEMA {BEFORE} RENAME TO public")
        raise
    change(f"DROP SCHEMA {BEFORE} CASCADE")


@transaction.atomic
def change(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
