"""What the door remembers of callers and refusals, and that it does not grow."""

import ipaddress
import logging
import threading
import time

import pytest

from makerlog.gate.banned import BanGuard
from makerlog.gate.bans import BanIndex, Standing
from makerlog.gate.door import FrontDoor
from makerlog.gate.notes import FORWARDED, MINUTES, MOST_BANS, MOST_CALLERS, OTHERS, Notes
from tests.gate.serving import Stuck, mirror, serve, until

NOW = 1_800_000_000.0
THIS_MINUTE = int(NOW) // 60


def test_callers_are_counted_by_minute_and_token_and_taken_once() -> None:
    notes = Notes()
    notes.arrived("93.184.216.7", None, NOW)
    notes.arrived("93.184.216.7", None, NOW)
    notes.arrived("93.184.216.7", "t0k3n", NOW)
    notes.arrived("93.184.216.7", None, NOW + 60)
    first = {"93.184.216.7": 2, "93.184.216.7 t0k3n": 1}
    assert notes.take_callers() == {THIS_MINUTE: first, THIS_MINUTE + 1: {"93.184.216.7": 1}}
    assert notes.take_callers() == {}


def test_beyond_the_most_callers_of_a_minute_requests_are_counted_together_also_after_taking() -> None:
    notes = Notes()
    for number in range(MOST_CALLERS + 5):
        notes.arrived(f"93.184.{number >> 8}.{number & 255}", None, NOW)
    notes.forwarded("93.184.216.9", NOW)
    counts = notes.take_callers()[THIS_MINUTE]
    assert (len(counts), counts[OTHERS], counts[FORWARDED]) == (MOST_CALLERS + 2, 5, 1)
    notes.arrived("94.0.0.1", None, NOW)
    notes.arrived("93.184.0.0", None, NOW)
    assert notes.take_callers() == {THIS_MINUTE: {OTHERS: 1, "93.184.0.0": 1}}


def test_of_a_minute_that_is_over_nothing_is_kept_but_what_is_not_told_yet() -> None:
    notes = Notes()

    def held() -> int:
        return sum(len(minute.known) + len(minute.counts) for minute in notes._minutes.values())

    for minute in range(MINUTES):
        for number in range(100):
            notes.arrived(f"93.184.216.{number}", None, NOW + 60 * minute)
    assert held() == 100 * MINUTES + 100
    assert all(len(callers) == 100 for callers in notes.take_callers().values())
    assert held() == 100


def test_what_could_not_be_told_is_kept_for_as_many_minutes_and_no_longer() -> None:
    notes = Notes()
    notes.arrived("93.184.216.7", None, NOW)
    taken = notes.take_callers()
    notes.arrived("93.184.216.7", None, NOW)
    notes.give_back_callers(taken)
    assert notes.take_callers() == {THIS_MINUTE: {"93.184.216.7": 2}}
    notes.arrived("93.184.216.8", None, NOW + MINUTES * 60)
    notes.give_back_callers(taken)
    assert notes.take_callers() == {THIS_MINUTE + MINUTES: {"93.184.216.8": 1}}


def test_refusals_are_summed_and_bounded() -> None:
    notes = Notes()
    for ban in range(MOST_BANS + 5):
        notes.refused(ban, NOW)
    notes.refused(0, NOW + 1)
    taken = notes.take_refused(2)
    assert taken == {0: (2, NOW + 1), 1: (1, NOW)}
    notes.refused(0, NOW + 2)
    notes.give_back_refused(taken)
    assert notes.take_refused(MOST_BANS)[0] == (3, NOW + 2)
    assert notes.take_refused(MOST_BANS) == {}


def test_forwarded_headers_without_a_trusted_proxy_are_said_loudly_once_a_minute(caplog) -> None:
    door = FrontDoor(mirror)
    with serve(door) as service, caplog.at_level(logging.ERROR, "makerlog.gate"):
        for _ in range(3):
            assert service.get("/", {"X-Forwarded-For": "93.184.216.7"}).status == 200
    said = [record.message for record in caplog.records if "TRUSTED_PROXIES does not name" in record.message]
    assert len(said) == 1
    assert sum(counts[FORWARDED] for counts in door.guard.notes.take_callers().values()) == 3


def test_behind_a_trusted_proxy_nothing_is_said() -> None:
    door = FrontDoor(mirror, trusted=[ipaddress.ip_network("127.0.0.1/32")])
    with serve(door) as service:
        service.get("/", {"X-Forwarded-For": "93.184.216.7"})
    assert [list(counts) for counts in door.guard.notes.take_callers().values()] == [["93.184.216.7"]]


@pytest.mark.parametrize(("age", "slipped"), [(60.0, 1), (0.5, 0)])
def test_an_answer_to_an_address_that_was_banned_before_it_asked_raises_an_alarm(caplog, age, slipped) -> None:
    """The ban reaches this process while the request is under way, and it is older than a ban may take to reach it."""
    app, bans = Stuck(), BanIndex()
    door = FrontDoor(app, guard=BanGuard(bans, Notes()))
    with serve(door) as service, caplog.at_level(logging.ERROR, "makerlog.gate"):
        asking = threading.Thread(target=service.get, args=["/"])
        asking.start()
        until(lambda: app.paths)
        bans.put(Standing(7, ipaddress.ip_network("127.0.0.1/32"), "everything", since=time.time() - age))
        app.go.set()
        asking.join()
        assert service.get("/").status == 403
    assert door.guard.notes.slipped == slipped
    assert sum("ban 7 refuses" in record.message for record in caplog.records) == slipped
    assert door.guard.notes.take_refused(10)[7][0] == 1
