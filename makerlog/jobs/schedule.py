"""What is done again and again, without cron: the worker makes a job of each chore when it is due."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django_tasks import task

from discussions.models import DiscussionRemoval
from makerlog.accounts import purges as accounts
from makerlog.accounts.models import Maker
from makerlog.api.folded import fill, folded_fields
from makerlog.api.idempotency import purge_keys
from makerlog.api.purging import ROUND
from makerlog.api.removals import purge_removals
from makerlog.changes import watch
from makerlog.exports.purges import purge_exports
from makerlog.jobs import heartbeat
from makerlog.jobs import purges as jobs
from makerlog.jobs.models import DueChore
from moderation import purges as moderation
from products.models import ProductRemoval, Project
from products.purges import purge_invitations
from tasks.models import TaskRemoval
from tasks.purges import purge_tombstones


def fill_folded() -> int:
    """What code that knows of no such columns wrote while it still served, or was put back: see folded.py."""
    return sum(fill(field) for model in (Maker, Project) for field in folded_fields(model))


def purge_all_removals() -> int:
    return sum(map(purge_removals, (TaskRemoval, ProductRemoval, DiscussionRemoval)))


@dataclass(frozen=True)
class Chore:
    """``what`` tells how many rows it deleted; at least ``ROUND`` of them: there are more."""

    name: str
    every: timedelta
    what: Callable[[], int]


SCHEDULE = [
    Chore("idempotency keys", timedelta(minutes=10), purge_keys),  # older than 24 h
    Chore("tombstones", timedelta(hours=1), purge_tombstones),  # of tasks deleted 30 days ago
    Chore("removals", timedelta(hours=1), purge_all_removals),  # from the public, 30 days ago
    Chore("tokens", timedelta(hours=1), accounts.purge_tokens),  # that ended 30 days ago
    Chore("registrations", timedelta(hours=1), accounts.purge_registrations),  # that nobody activated in three days
    Chore("usernames", timedelta(hours=1), accounts.purge_freed_usernames),  # given up 90 days ago
    Chore("sessions", timedelta(hours=1), accounts.purge_sessions),  # of the admin, expired
    Chore("sign-in failures", timedelta(hours=1), moderation.purge_sign_in_failures),  # of staff, 30 days ago
    Chore(
        "incidents", timedelta(hours=1), moderation.purge_incidents
    ),  # who and what 30 days ago, the rest after a year
    Chore("rule acts", timedelta(hours=1), moderation.purge_rule_acts),  # 30 days ago
    Chore("changes", timedelta(hours=1), watch.purge),  # that every process has heard two days ago
    Chore("addresses", timedelta(hours=1), moderation.purge_addresses),  # of what was posted 30 days ago
    Chore("exports", timedelta(minutes=10), purge_exports),  # asked for three days ago
    Chore("folded names", timedelta(minutes=1), fill_folded),  # of rows that the release before wrote
    Chore("invitations", timedelta(hours=1), purge_invitations),  # open or declined for 30 days
    Chore("jobs", timedelta(minutes=10), jobs.purge_jobs),  # done since a day, given up since 30
]
if settings.HEARTBEAT_URL:
    SCHEDULE.append(Chore("heartbeat", timedelta(minutes=1), heartbeat.beat))
CHORES = {chore.name: chore for chore in SCHEDULE}


def know_all() -> None:
    """Chores that are new are due at once."""
    now = timezone.now()
    DueChore.objects.bulk_create([DueChore(name=name, at=now) for name in CHORES], ignore_conflicts=True)


@transaction.atomic
def enqueue_due() -> None:
    """Makes a job of each chore that is due, once however many workers ask. One that is due in more than a period was put
    off while a clock was ahead: it is due now."""
    now = timezone.now()
    for chore in DueChore.objects.select_for_update(skip_locked=True).filter(name__in=CHORES):
        every = CHORES[chore.name].every
        if now < chore.at <= now + every:
            continue
        do_chore.enqueue(chore.name)
        chore.at = now + every
        chore.save(update_fields=["at"])


@task()
def do_chore(name: str) -> None:
    """One round of a chore. What is left goes on in another job, behind those that wait already."""
    if CHORES[name].what() >= ROUND:
        do_chore.enqueue(name)
