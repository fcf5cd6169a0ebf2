"""The service as it is deployed is flooded: a webhook hears of it within 15 s, once, with who floods."""

import contextlib
import http.client
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.moderation.test_alerts import Hook
from tests.moderation.workers import Workers

pytestmark = pytest.mark.django_db(transaction=True)
WITHIN_S = 15.0
LOUD = "93.184.216.7"


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook()
    yield hook
    hook.server.shutdown()
    hook.server.server_close()


@pytest.fixture
def workers(hook: Hook, django_db_setup: None) -> Iterator[Workers]:
    with Workers(ALERT_URLS=hook.url) as service:
        yield service


def ask_on(port: int, address: str, over: threading.Event, pause: float) -> None:
    """Until it is over, and never longer than a minute; new connections now and then, so that each worker gets some."""
    ends = time.monotonic() + 60
    while not over.is_set() and time.monotonic() < ends:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with contextlib.suppress(OSError, http.client.HTTPException):
            for _ in range(50):
                connection.request("GET", "/tasks/?limit=100", headers={"X-Forwarded-For": address})
                connection.getresponse().read()
                time.sleep(pause)
        connection.close()


def test_a_flood_is_told_to_a_webhook_within_15_seconds_with_its_top_talker(workers: Workers, hook: Hook) -> None:
    over = threading.Event()
    crowd: list[Any] = [(LOUD, 0.002)] * 8 + [(f"93.184.217.{number}", 0.1) for number in range(4)]
    threads = [threading.Thread(target=ask_on, args=(workers.port, who, over, pause)) for who, pause in crowd]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    try:
        body = hook.wait(WITHIN_S + 5)
        assert time.monotonic() - began < WITHIN_S
        assert f"The top talker is {LOUD}," in body["message"]
        assert f"/admin/alert/{LOUD}_32=" in body["message"]
        time.sleep(3)
        assert len(hook.bodies) == 1
    finally:
        over.set()
        for thread in threads:
            thread.join()
