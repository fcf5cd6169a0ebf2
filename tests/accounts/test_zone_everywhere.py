"""A time zone that was just set holds for the next request, whichever process answers it."""

import json
from datetime import UTC, datetime

import pytest

from tests.makers import caller
from tests.moderation.workers import Worker, Workers
from tests.tasks.logs import log

# Real workers see committed rows only.
pytestmark = pytest.mark.django_db(transaction=True)

LATE = datetime(2026, 5, 20, 22, tzinfo=UTC)  # the next day in Tokyo
DAYS = {"Asia/Tokyo": "2026-05-21", "UTC": "2026-05-20"}


def ask(worker: Worker, method: str, path: str, token: str, body: str | None = None) -> dict[str, object]:
    headers = {"X-Forwarded-For": "93.184.216.7", "Authorization": f"Token {token}", "Content-Type": "application/json"}
    worker.http.request(method, path, body, headers)
    answer = worker.http.getresponse()
    assert answer.status == 200
    return json.loads(answer.read())


def test_a_zone_that_i_just_set_holds_for_my_next_request_in_every_process() -> None:
    alice = caller("alice")
    log(alice.maker, "late", created_at=LATE)
    with Workers() as workers:
        one, other = workers.each
        for number in range(10):
            zone = ("Asia/Tokyo", "UTC")[number % 2]
            ask(one, "POST", "/me/set_timezone", alice.token, json.dumps({"timezone": zone}))
            for worker in (other, one):
                page = ask(worker, "GET", f"/tasks/?created_at={DAYS[zone]}", alice.token)
                assert page["results"], (number, worker is one)
            one, other = other, one
