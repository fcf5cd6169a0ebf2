"""The record of an incident: from the first alert to the all-clear, figures, what was noticed, what was done, who was
refused. Written every ten seconds by every process, in the teller's thread; bounded in everything."""

from collections import Counter, deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from time import time

from django.db import connection, transaction
from django.db.models import Max

from makerlog.gate.flood import Figures, Floods
from moderation.alerts import Alerts
from moderation.models import AuditEntry, Incident, IncidentNote

EVERY_S = 10
QUIET = timedelta(minutes=10)  # without a reason for an incident: all clear
LONGEST = timedelta(hours=6)  # then it ends, and what goes on is another one
OPENS = {"flood", "ban wave", "ban not biting", "PostgreSQL away", "Redis away"}
NOTES, REFUSED, NAMED, ACTS = 200, 200, 20, 500  # the most: of one incident; NAMED of one process and interval
INTERVALS = LONGEST // timedelta(seconds=EVERY_S) + 1
OUTCOMES = ("served", "shed", "throttled", "banned", "failed")

ADD_FIGURES = """
INSERT INTO moderation_incidentfigures AS kept (incident_id, at, requests, served, shed, throttled, banned, failed)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (incident_id, at) DO UPDATE SET
    requests = kept.requests + EXCLUDED.requests, served = kept.served + EXCLUDED.served,
    shed = kept.shed + EXCLUDED.shed, throttled = kept.throttled + EXCLUDED.throttled,
    banned = kept.banned + EXCLUDED.banned, failed = kept.failed + EXCLUDED.failed
"""
ADD_REFUSED = """
INSERT INTO moderation_incidentrefused AS kept (incident_id, client, count, at)
SELECT %s, client, count, %s FROM unnest(%s::text[], %s::bigint[]) AS told (client, count)
WHERE (SELECT count(*) FROM moderation_incidentrefused WHERE incident_id = %s) < %s
ON CONFLICT (incident_id, client) DO UPDATE SET count = kept.count + EXCLUDED.count, at = EXCLUDED.at
"""


class Recorder:
    """Of one process. ``note`` may be called from any thread; ``record`` may raise what the database's absence raises: what
    was noticed is kept then."""

    def __init__(self, floods: Floods, alerts: Alerts) -> None:
        self.floods = floods
        self.alerts = alerts
        self._noticed: deque[tuple[str, str, float]] = deque(maxlen=NOTES)
        self._next = 0.0
        alerts.listeners.append(self.note)

    def note(self, kind: str, sentence: str, at: float) -> None:
        self._noticed.append((kind, sentence, at))

    def record(self) -> None:
        now = time()
        if now < self._next:
            return
        trouble = self.floods.on(int(now)) or any(kind in OPENS for kind, _, _ in self._noticed)
        incident = Incident.objects.filter(ended_at=None).first() or (begin(now) if trouble else None)
        figures = self.floods.take()
        self._next = now + EVERY_S
        if incident is not None:
            self.write(incident, figures, trouble=trouble, now=datetime.fromtimestamp(now, UTC))

    @transaction.atomic
    def write(self, incident: Incident, figures: Figures, *, trouble: bool, now: datetime) -> None:
        if trouble:
            Incident.objects.filter(pk=incident.pk).update(troubled_at=now)
        elif now - incident.troubled_at > QUIET:
            self.end(incident, now)
            return
        if now - incident.began_at > LONGEST:
            self.end(incident, now)
        add(incident, figures, now)
        self.write_notes(incident)

    def write_notes(self, incident: Incident) -> None:
        noticed = list(self._noticed)
        room = max(0, NOTES - incident.notes.count())
        IncidentNote.objects.bulk_create(
            IncidentNote(incident=incident, at=datetime.fromtimestamp(at, UTC), sentence=sentence[:500])
            for _, sentence, at in noticed[:room]
        )
        for _ in noticed:
            self._noticed.popleft()

    def end(self, incident: Incident, now: datetime) -> None:
        """Once, however many processes come to it."""
        ended = Incident.objects.filter(pk=incident.pk, ended_at=None)
        if ended.update(ended_at=now, audit_to=newest_act()):
            self.alerts.hear(
                "all clear", f"All clear: incident {incident.pk} is over. manage.py incident {incident.pk} tells it."
            )


def begin(now: float) -> Incident:
    """One at a time: whoever is second finds the first one's."""
    at = datetime.fromtimestamp(now, UTC)
    Incident.objects.bulk_create(
        [Incident(began_at=at, troubled_at=at, audit_from=newest_act())], ignore_conflicts=True
    )
    return Incident.objects.get(ended_at=None)


def newest_act() -> int:
    return AuditEntry.objects.aggregate(newest=Max("pk"))["newest"] or 0


def add(incident: Incident, figures: Figures, now: datetime) -> None:
    slot = now.replace(second=now.second // EVERY_S * EVERY_S, microsecond=0)
    refused = sorted(figures.refused.counts.items(), key=lambda each: -each[1])[:NAMED]
    refused.sort()  # the same order in every process: none waits for another's rows the other way round
    clients, counts = [client for client, _ in refused], [count for _, count in refused]
    with connection.cursor() as cursor:
        counted = figures.outcomes + Counter(served=figures.outcomes["shared"])
        outcomes = [counted[each] for each in OUTCOMES]
        cursor.execute(ADD_FIGURES, [incident.pk, slot, figures.requests, *outcomes])
        cursor.execute(ADD_REFUSED, [incident.pk, now, clients, counts, incident.pk, REFUSED])


# --- Told ---


def markdown(incident: Incident) -> str:
    return "\n".join(lines(incident)) + "\n"


def lines(incident: Incident) -> Iterator[str]:
    until = f"{incident.ended_at:%Y-%m-%d %H:%M:%S} UTC" if incident.ended_at else "now; it goes on"
    yield f"# Incident {incident.pk}: {incident.began_at:%Y-%m-%d %H:%M:%S} UTC to {until}"
    yield "\n## What happened, and what was done\n"
    events = [*noticed(incident), *done(incident)]
    yield from (
        (f"* {at:%H:%M:%S} {sentence}" for at, sentence in sorted(events))
        if events
        else ["Nothing was noted, or it is forgotten."]
    )
    yield f"\n## Requests, every {EVERY_S} seconds\n"
    yield "| from (UTC) | requests | " + " | ".join(OUTCOMES) + " |"
    yield "|---" * (len(OUTCOMES) + 2) + "|"
    for row in incident.figures.order_by("at")[:INTERVALS]:
        yield (
            f"| {row.at:%H:%M:%S} | {row.requests} | " + " | ".join(str(getattr(row, name)) for name in OUTCOMES) + " |"
        )
    yield "\n## Who was refused most, at least\n"
    refused = [f"* {row.client}: {row.count:,}" for row in incident.refused.order_by("-count", "client")[:REFUSED]]
    yield from refused or ["Nobody; or it is forgotten, as addresses are after 30 days."]


def noticed(incident: Incident) -> Iterator[tuple[datetime, str]]:
    for note in incident.notes.order_by("at")[:NOTES]:
        yield note.at, note.sentence


def done(incident: Incident) -> Iterator[tuple[datetime, str]]:
    acts = AuditEntry.objects.filter(pk__gt=incident.audit_from).order_by("pk")
    if incident.audit_to is not None:
        acts = acts.filter(pk__lte=incident.audit_to)
    for act in acts[:ACTS]:
        by = f"maker:{act.actor_id}" if act.actor_id else "a command, a rule or a link"
        yield act.at, f"{act.act} {act.subject}, by {by}{f': {act.reason}' if act.reason else ''}"
