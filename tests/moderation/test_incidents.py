"""The record of an incident: when it begins and ends, what stands in it, what is forgotten."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from makerlog.gate.bans import network_of
from makerlog.gate.flood import Floods
from makerlog.gate.notes import Notes
from moderation import actions, purges
from moderation.alerts import Alerts, Outbox
from moderation.incidents import QUIET, REFUSED, Recorder, add, markdown
from moderation.models import Incident, IncidentNote, IncidentRefused
from tests.gate.test_flood import one
from tests.makers import make_maker

pytestmark = pytest.mark.django_db
NIGHT = datetime(2030, 11, 22, 3, tzinfo=UTC)


@pytest.fixture
def clock(time_machine: Any) -> Any:
    time_machine.move_to(NIGHT, tick=False)
    return time_machine


def recorder() -> Recorder:
    floods = Floods()
    return Recorder(floods, Alerts(floods, Notes(), [], Outbox([]), lambda kind: True))


def flood(process: Recorder, until: datetime) -> None:
    for second in range(int(until.timestamp()) - 6, int(until.timestamp())):
        for number in range(30):
            process.floods(one(second, "93.184.216.7" if number % 3 else f"5.0.0.{number}", "shed"))
        process.floods(one(second, "8.8.8.8", "served"))


def told() -> str:
    printed = StringIO()
    call_command("incident", stdout=printed)
    return printed.getvalue()


def test_from_the_first_alert_to_the_all_clear(clock: Any) -> None:
    first, second = recorder(), recorder()
    first.record()
    assert not Incident.objects.exists()
    for process in (first, second):
        clock.move_to(NIGHT + timedelta(minutes=1), tick=False)
        flood(process, NIGHT + timedelta(minutes=1))
        process.alerts.look((NIGHT + timedelta(minutes=1)).timestamp())
        process.record()
    made = actions.ban(network=network_of("93.184.216.7"), reason="it floods")
    clock.move_to(NIGHT + QUIET, tick=False)
    first.record()
    incident = Incident.objects.get()
    assert incident.ended_at is None
    clock.move_to(NIGHT + QUIET + timedelta(minutes=2), tick=False)
    first.record()
    second.record()
    incident.refresh_from_db()
    assert incident.ended_at == NIGHT + QUIET + timedelta(minutes=2)
    assert next(first.alerts.noticed(NIGHT.timestamp()))[0] == "all clear"
    actions.lift(bans=[made.pk])  # after it: none of its acts
    lines = told().splitlines()
    assert lines[0] == f"# Incident {incident.pk}: 2030-11-22 03:01:00 UTC to 2030-11-22 03:12:00 UTC"
    assert sum("A flood began." in line for line in lines) == 2
    assert sum(f"ban ban:{made.pk}" in line for line in lines) == 1
    assert not any("lift" in line for line in lines)
    assert "| 03:01:00 | 372 | 12 | 360 | 0 | 0 | 0 |" in lines
    assert "* 93.184.216.7: 240" in lines


def test_there_is_one_at_a_time() -> None:
    Incident.objects.create()
    with pytest.raises(IntegrityError), transaction.atomic():
        Incident.objects.create()


def test_who_was_refused_is_bounded_and_forgotten(clock: Any) -> None:
    incident, process = Incident.objects.create(), recorder()
    for round_ in range(15):
        for number in range(40):
            process.floods(one(NIGHT.timestamp(), f"5.{round_}.0.{number}", "banned"))
        add(incident, process.floods.take(), NIGHT)
    assert REFUSED <= IncidentRefused.objects.count() < REFUSED + 20
    IncidentNote.objects.create(incident=incident, at=NIGHT, sentence="A flood began. The top talker is 5.0.0.1.")
    assert purges.purge_incidents() == 0
    clock.move_to(NIGHT + timedelta(days=31), tick=False)
    purges.purge_incidents()
    assert not IncidentRefused.objects.exists()
    assert "5.0.0.1" not in markdown(incident)
    assert markdown(incident).count("it is forgotten") == 2
    clock.move_to(NIGHT + timedelta(days=366), tick=False)
    assert purges.purge_incidents() == 1
    assert not Incident.objects.exists()


def test_the_admin_shows_it_and_exports_it() -> None:
    incident = Incident.objects.create()
    client = Client()
    client.force_login(make_maker("helga", is_staff=True))
    page = client.get(reverse("admin:moderation_incident_change", args=[incident.pk])).content.decode()
    export = reverse("admin:moderation_incident_export", args=[incident.pk])
    assert f"# Incident {incident.pk}" in page
    assert export in page
    assert client.get(export).content.decode() == markdown(incident)
    assert Client().get(export).status_code == 302


def test_the_command_says_where_there_is_none() -> None:
    with pytest.raises(CommandError, match="There has been no incident"):
        told()
