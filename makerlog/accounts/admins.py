"""The last admin stays: without one nobody can lift a suspension, set a role, or force a ban."""

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from makerlog.accounts.models import Maker
from makerlog.api.exceptions import Conflict

LOCK = 0x6D6B6C03  # any constant that no other advisory lock of this database has
LAST_ADMIN = "This is the last admin who can sign in: make somebody else an admin first."


def keep_an_admin(maker: Maker) -> None:
    """Raises Conflict where ``maker`` is the only admin left. Call it in the transaction that suspends, closes, demotes or
    deletes ``maker``, before any row is locked: two admins who do it to each other at once take turns, so one stays."""
    if not Maker.objects.filter(pk=maker.pk, is_superuser=True).exists():
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    not_suspended = Q(suspended="") | Q(suspended_until__lte=timezone.now())
    admins = Maker.objects.filter(not_suspended, is_superuser=True, is_active=True)
    if list(admins.values_list("pk", flat=True)[:2]) == [maker.pk]:
        raise Conflict(LAST_ADMIN, "last_admin")
