"""Files that makers upload: each counts for its maker's quota from the moment it is stored until it is deleted."""

import contextlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, transaction

from makerlog.accounts.models import Maker
from makerlog.api.exceptions import Busy, OverQuota
from makerlog.api.files import forget_files
from makerlog.gate.limits import MIB

LEAST_BYTES = 4096  # that a file counts for: what a disk keeps it in

# Nothing where the quota does not let it in.
COUNT = """
    WITH stored AS (INSERT INTO accounts_storedfile (name, maker_id, bytes) VALUES (%(name)s, %(maker)s, %(bytes)s))
    UPDATE accounts_maker SET media_bytes = media_bytes + %(bytes)s
    WHERE id = %(maker)s AND media_bytes + %(bytes)s <= %(quota)s RETURNING media_bytes
"""
FORGET = """
    WITH gone AS (DELETE FROM accounts_storedfile WHERE name = ANY(%s) RETURNING maker_id, bytes),
    freed AS (SELECT maker_id, sum(bytes) AS bytes FROM gone GROUP BY maker_id)
    UPDATE accounts_maker SET media_bytes = greatest(media_bytes - freed.bytes, 0) FROM freed
    WHERE accounts_maker.id = freed.maker_id
"""

_written: ContextVar[list[str]] = ContextVar("written")


@contextmanager
def atomic() -> Iterator[None]:
    """``transaction.atomic`` for what stores files: where it fails, those that it stored are deleted."""
    names: list[str] = []
    token = _written.set(names)
    try:
        with transaction.atomic():
            yield
    except BaseException:
        for name in names:
            with contextlib.suppress(OSError, BotoCoreError, ClientError):
                default_storage.delete(name)
        raise
    finally:
        _written.reset(token)


def with_file(values: dict[str, Any], field: Any, *, maker: Maker, old: str = "") -> dict[str, Any]:
    """``values`` of a row, of which the file under ``field`` (a model's), if there is one, is stored and named. ``old``: the
    name of the file that it takes the place of. ``maker``, whose quota it counts for, is locked, and the caller ``atomic``.
    Raises OverQuota, DiskFull, or Busy where the storage does not answer."""
    if field.name not in values:
        return values
    forget([old])
    new = values[field.name]
    return {**values, field.name: store(new, field, maker) if new else ""}


def store(file: ContentFile, field: Any, maker: Maker) -> str:
    """The name that it has in the storage."""
    name = field.generate_filename(None, file.name)
    count(name, max(file.size, LEAST_BYTES), maker)
    _written.get().append(name)
    try:
        return field.storage.save(name, file)
    except (BotoCoreError, ClientError) as error:
        raise Busy("Files cannot be stored just now. Try again in a moment.", "files_unavailable") from error


def count(name: str, size: int, maker: Maker) -> None:
    quota = settings.MEDIA_QUOTA_MB * MIB
    with connection.cursor() as cursor:
        cursor.execute(COUNT, {"name": name, "maker": maker.pk, "bytes": size, "quota": quota})
        row = cursor.fetchone()
    if row is None:
        raise OverQuota(f"Your images may take {quota} bytes together, and this one would not fit. Delete some first.")
    maker.media_bytes = row[0]


def forget(names: Iterable[str]) -> None:
    """Deletes files once the transaction has committed, and gives their bytes back. Their makers are locked."""
    wanted = [name for name in names if name]
    if not wanted:
        return
    with connection.cursor() as cursor:
        cursor.execute(FORGET, [wanted])
    forget_files(wanted)
