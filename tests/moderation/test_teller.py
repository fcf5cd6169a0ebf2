"""What the door has noticed reaches PostgreSQL and Redis, or waits."""

import threading
import time
from datetime import UTC, datetime

import pytest
import redis
from django.db import DatabaseError, connection, transaction

from makerlog.api.store import client
from makerlog.gate.bans import network_of
from makerlog.gate.notes import Notes
from moderation import actions, traffic
from moderation.models import Ban
from moderation.teller import MOST_BANS, Teller, count
from tests.makers import caller

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture
def told_nothing():
    for key in traffic.store.scan_iter("traffic:*"):
        traffic.store.delete(key)


def ban(text: str) -> Ban:
    return actions.ban(network=network_of(text))


@pytest.mark.django_db
def test_refusals_are_counted_on_the_ban() -> None:
    first, second = ban("93.184.216.7"), ban("93.184.216.8")
    notes = Notes()
    for now in (1_800_000_000.0, 1_800_000_002.0):
        notes.refused(first.pk, now)
        Teller(notes).tell_refused()
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.refused, first.last_refused_at) == (2, datetime.fromtimestamp(1_800_000_002, UTC))
    assert (second.refused, second.last_refused_at) == (0, None)


@pytest.mark.django_db
def test_a_thousand_bans_are_counted_by_three_queries(django_assert_num_queries) -> None:
    notes = Notes()
    made = ban("93.184.216.7")
    for number in range(MOST_BANS + 1):
        notes.refused(made.pk + number, 1_800_000_000.0)
    with django_assert_num_queries(5):  # and the two of a savepoint
        Teller(notes).tell_refused()
    assert len(notes.take_refused(10)) == 1


@pytest.mark.django_db(transaction=True)
def test_a_ban_that_is_being_changed_is_counted_next_time_and_nobody_waits() -> None:
    first, second = ban("93.184.216.7"), ban("93.184.216.8")
    held, go = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Ban.objects.select_for_update().get(pk=first.pk)
            held.set()
            go.wait(5)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(5)
    done = count({first.pk: (3, 1.0), second.pk: (4, 1.0)})
    go.set()
    holder.join()
    assert done == [second.pk]
    assert list(Ban.objects.order_by("pk").values_list("refused", flat=True)) == [0, 4]


@pytest.mark.django_db
@pytest.mark.usefixtures("told_nothing")
def test_whom_a_ban_would_have_hit_is_known_of_all_processes() -> None:
    alice = caller("alice")
    token = alice.token.split("_")[1]
    now = time.time()
    for _ in range(2):
        notes = Notes()
        notes.arrived("93.184.216.7", None, now)
        notes.arrived("93.184.216.7", token, now)
        notes.arrived("93.184.216.8", None, now - 300)
        notes.arrived("93.184.217.1", None, now)
        notes.arrived("2a00:1450:4001:81b::7", None, now)
        notes.forwarded("93.184.216.9", now)
        Teller(notes).tell_callers()
    everything = traffic.would_hit(network_of("93.184.216.0/24"), "everything")
    assert everything == traffic.Hit(requests=6, addresses=2, makers=("alice",), tokens=1, others=0)
    assert traffic.forwarded() == 2
    assert str(everything) == (
        "In the last ten minutes it would have hit at least 6 requests from 2 addresses; genuine tokens: 1 (of alice)."
    )
    anonymous = traffic.would_hit(network_of("93.184.216.0/24"), "anonymous")
    assert anonymous is not None
    assert (anonymous.requests, anonymous.makers) == (4, ())
    one = traffic.would_hit(network_of("2a00:1450:4001:81b:ffff::"), "everything")
    assert one is not None
    assert one.requests == 2


@pytest.mark.usefixtures("told_nothing")
def test_minutes_are_forgotten_by_themselves() -> None:
    minute = int(time.time()) // 60
    traffic.tell({minute: {"93.184.216.7": 1}})
    assert 600 < traffic.store.ttl(traffic.key_of(minute)) <= traffic.KEPT_S


@pytest.mark.usefixtures("told_nothing")
def test_with_redis_away_nobody_knows_and_nothing_is_lost(monkeypatch) -> None:
    notes = Notes()
    notes.arrived("93.184.216.7", None, time.time())
    with monkeypatch.context() as away:
        away.setattr(traffic, "store", client(NOWHERE))
        assert traffic.would_hit(network_of("93.184.216.7"), "anonymous") is None
        with pytest.raises(redis.RedisError):
            Teller(notes).tell_callers()
    Teller(notes).tell_callers()
    hit = traffic.would_hit(network_of("93.184.216.7"), "anonymous")
    assert hit is not None
    assert hit.requests == 1


@pytest.mark.django_db
def test_refusals_that_the_database_does_not_take_wait() -> None:
    made, notes = ban("93.184.216.7"), Notes()
    more_than_it_holds = {made.pk: (2**70, 1_800_000_000.0)}
    notes.give_back_refused(more_than_it_holds)
    with pytest.raises(DatabaseError):
        Teller(notes).tell_refused()
    assert notes.take_refused(10) == more_than_it_holds
