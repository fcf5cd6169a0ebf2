"""Tells what the door has noticed: refusals to PostgreSQL, callers and talkers to Redis; and has the rules judge it. In a
thread of its own, so that neither, when it is slow or frozen, holds up the watcher or a request; what cannot be told is
kept, within bounds, and told later."""

import logging
from collections.abc import Callable

import redis
from django.db import DatabaseError, InterfaceError, connection, transaction

from makerlog.api.refusals import tell
from makerlog.changes.repeating import Repeating
from makerlog.gate.notes import Notes, Refused
from makerlog.gate.refusals import refusals
from makerlog.gate.talkers import Talkers
from moderation import talkers, traffic
from moderation.models import Ban

logger = logging.getLogger("makerlog.moderation")

EVERY_S = 1.0
MOST_BANS = 1_000  # whose counters are written at once

COUNT = """
UPDATE moderation_ban AS ban
SET refused = ban.refused + told.count, last_refused_at = greatest(ban.last_refused_at, to_timestamp(told.last))
FROM unnest(%s::bigint[], %s::bigint[], %s::float8[]) AS told(id, count, last)
WHERE ban.id = told.id
"""


class Teller(Repeating):
    name = "teller"
    every = EVERY_S

    def __init__(self, notes: Notes, talkers: Talkers | None = None) -> None:
        super().__init__()
        self.notes = notes
        self.talkers = talkers or Talkers()
        self.judge: Callable[[], None] = lambda: None  # by the rules; the composition root says how
        self.records: list[Callable[[], None]] = []  # what else is written to PostgreSQL, in this thread
        self._failing: set[str] = set()

    def work(self) -> None:
        self._attempt("PostgreSQL", self.tell_refused)
        for record in self.records:
            self._attempt("PostgreSQL", record)
        self._attempt("Redis", self.tell_callers)
        self._attempt("Redis", self.tell_refusals)
        self._attempt("PostgreSQL", self.judge)

    def ended(self) -> None:
        self.work()

    def tell_refused(self) -> None:
        """Raises DatabaseError or InterfaceError; then nothing is lost."""
        taken = self.notes.take_refused(MOST_BANS)
        try:
            for ban in count(taken) if taken else ():
                del taken[ban]
        finally:
            self.notes.give_back_refused(taken)

    def tell_callers(self) -> None:
        """Raises redis.RedisError; then nothing is lost."""
        talkers.tell(self.talkers)
        taken = self.notes.take_callers()
        try:
            traffic.tell(taken)
        finally:
            self.notes.give_back_callers(taken)

    def tell_refusals(self) -> None:
        """Raises redis.RedisError; then other processes do not hear of some."""
        if taken := refusals.take():
            tell(taken)

    def _attempt(self, whom: str, tell: Callable[[], None]) -> None:
        """Says so once each time that the one told goes away or comes back."""
        try:
            tell()
        except (DatabaseError, InterfaceError, redis.RedisError) as error:
            if whom not in self._failing:
                logger.warning("%s does not answer; what it was to be told waits: %s", whom, error)
            self._failing.add(whom)
            if whom == "PostgreSQL":
                connection.close()
        except Exception:  # the thread must not end over anything
            logger.exception("The teller stumbled; it goes on.")
        else:
            self._failing.discard(whom)


@transaction.atomic
def count(refused: Refused) -> list[int]:
    """Adds to the counters of bans: which ones are done with. One that somebody is changing just now is for the next time,
    so nobody waits for a counter, and no two processes for each other."""
    there = set(Ban.objects.filter(pk__in=refused).values_list("pk", flat=True))
    free = Ban.objects.select_for_update(skip_locked=True, no_key=True).filter(pk__in=there)
    ids = sorted(free.values_list("pk", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [ids, [refused[each][0] for each in ids], [refused[each][1] for each in ids]])
    return [*ids, *(refused.keys() - there)]
