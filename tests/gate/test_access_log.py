"""One line a request, bounded under a flood, and the numbers add up."""

import json
import logging
import logging.config
from typing import Any

import pytest

from makerlog.gate import access_log
from makerlog.gate.access_log import AccessLog
from makerlog.gate.door import FrontDoor
from makerlog.gate.seen import Seen
from makerlog.settings import LOGGING
from tests.gate.serving import mirror, serve

SEEN = Seen(
    at=1_790_000_000.25,
    address="93.184.216.34",
    client="93.184.216.34",
    token="t0k3n",
    maker=7,
    method="GET",
    path="/tasks/",
    route="tasks/",
    agent="app/1",
    lane="token",
    outcome="served",
    status=200,
    waited=0.001,
    worked=0.0034,
    rows=20,
    queries=2,
    request_id="f" * 32,
)


@pytest.fixture(autouse=True)
def _heard(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="makerlog.access")


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "makerlog.access"]


def test_a_line_says_who_asked_what_and_what_it_cost(caplog: pytest.LogCaptureFixture) -> None:
    log = AccessLog()
    log(SEEN)
    log.write()
    assert lines(caplog) == ["GET /tasks/ 200 in 4.4 ms"]
    formatter = logging.config.DictConfigurator(LOGGING).configure_formatter(dict(LOGGING["formatters"]["JSON"]))  # type: ignore[attr-defined]
    told = json.loads(formatter.format(caplog.records[0]))
    assert {"level", "logger", "message", "at"} <= told.keys()
    assert {name: told[name] for name in ("request_id", "address", "token", "maker", "lane", "outcome", "ms")} == {
        "request_id": "f" * 32,
        "address": "93.184.216.34",
        "token": "t0k3n",
        "maker": 7,
        "lane": "token",
        "outcome": "served",
        "ms": 4.4,
    }
    assert (told["queries"], told["rows"], told["status"]) == (2, 20, 200)


def test_of_refusals_there_is_a_sample_and_the_exact_number_of_the_others(caplog: pytest.LogCaptureFixture) -> None:
    log = AccessLog()
    for outcome, count in {"banned": 1_000, "shed": 7, "served": 50}.items():
        for _ in range(count):
            log(SEEN._replace(outcome=outcome))
    log.write()
    outcomes = [getattr(record, "outcome", "") for record in caplog.records]
    assert [outcomes.count(each) for each in ("banned", "shed", "served", "")] == [5, 5, 50, 1]
    assert lines(caplog)[-1] == "997 requests more have no line of their own"
    assert caplog.records[-1].left_out == {"banned": 995, "shed": 2}


def test_the_next_second_has_a_sample_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    log = AccessLog()
    for _ in range(2):
        for _ in range(6):
            log(SEEN._replace(outcome="banned"))
        log.write()
    assert len(lines(caplog)) == 2 * (5 + 1)


def test_what_nobody_writes_does_not_pile_up(monkeypatch: Any, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(access_log, "MOST_WAITING", 10)
    log = AccessLog()
    for _ in range(100):
        log(SEEN)
    log.write()
    assert len(lines(caplog)) == 11
    assert caplog.records[-1].left_out == {"served": 90}


def test_what_was_answered_last_is_written_before_the_process_ends(caplog: pytest.LogCaptureFixture) -> None:
    log = AccessLog()
    with serve(FrontDoor(mirror, services=[log], observers=[log])) as service:
        service.get("/tasks/?token=secret")
        service.get("/accounts/email_activate/MQ/" + "s" * 40)
    assert [line.partition(" in ")[0] for line in lines(caplog)] == [
        "GET /tasks/ 200",
        "GET /accounts/email_activate/MQ/… 200",
    ]
