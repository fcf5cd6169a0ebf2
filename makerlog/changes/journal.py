"""How a change is announced: in the transaction that makes it, as its last statement."""

from collections.abc import Iterable

from django.db import connection
from django.db.models import Max
from django.db.transaction import TransactionManagementError

from makerlog.changes.models import Change

# Any constant that no other advisory lock of this database uses.
LOCK = 0x6D6B6C01


def announce(topic: str, keys: Iterable[object]) -> None:
    """Tells every process, within a second of the commit, that what ``keys`` name in ``topic`` has changed.

    Announcers wait for each other from here to their commit, so that numbers become visible in rising order and whoever
    has read up to one has missed none. Call it last: whatever comes after it holds up everybody's bans.
    """
    if not connection.in_atomic_block:
        raise TransactionManagementError("announce() belongs into the transaction that makes the change.")
    rows = [Change(topic=topic, key=str(key)) for key in keys]
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    Change.objects.bulk_create(rows, batch_size=5_000)


def latest() -> int:
    """The number of the newest change, 0 where there is none."""
    return Change.objects.aggregate(newest=Max("number"))["newest"] or 0
