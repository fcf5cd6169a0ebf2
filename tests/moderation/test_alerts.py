"""Alerts: each once, then a digest; by one process of many; through whatever is left when all else is away."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from makerlog.api import store
from makerlog.gate.flood import Floods
from makerlog.gate.notes import Notes
from moderation.alerts import AWAY_S, BANS, DIGEST_S, Alerts, Away, Claims, Once, Outbox
from tests.gate.test_flood import one

NOW = 1_800_000_000.0


class Hook:
    """A webhook on this machine."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *args: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()

    def wait(self, seconds: float = 15.0) -> dict[str, Any]:
        ends = time.monotonic() + seconds
        while not self.bodies:
            assert time.monotonic() < ends, f"no alert within {seconds} s"
            time.sleep(0.02)
        return self.bodies[0]


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook()
    yield hook
    hook.server.shutdown()
    hook.server.server_close()


class Kept(Outbox):
    """What would be sent."""

    def __init__(self) -> None:
        super().__init__(["json://nobody"])

    @property
    def sentences(self) -> list[str]:
        return list(self._waiting)


def alerts(away: list[Away] | None = None) -> Alerts:
    return Alerts(Floods(), Notes(), away or [], Kept(), lambda kind: True)


def said(watch: Alerts, now: float) -> list[str]:
    before = len(watch.outbox.sentences)  # type: ignore[attr-defined]
    watch.look(now)
    return watch.outbox.sentences[before:]  # type: ignore[attr-defined,no-any-return]


# --- Once, then a digest ---


def test_a_kind_is_told_once_and_then_as_a_digest() -> None:
    once = Once(lambda kind: True)
    assert once.offer("flood", "It began.", NOW) == ["It began."]
    assert [once.offer("flood", f"Again {number}.", NOW + number) for number in range(1, 6)] == [[]] * 5
    assert once.offer("ban wave", "Bans.", NOW + 6) == ["Bans."]
    assert list(once.digest(NOW + DIGEST_S - 1)) == []
    (digest,) = once.digest(NOW + DIGEST_S)
    assert digest.startswith("5 more of this kind (flood)")
    assert digest.endswith("The last: Again 5.")
    assert list(once.digest(NOW + 3 * DIGEST_S)) == []


def test_who_has_not_claimed_a_kind_keeps_quiet() -> None:
    once = Once(lambda kind: False)
    assert once.offer("flood", "It began.", NOW) == []
    once.offer("flood", "Again.", NOW + 1)
    assert list(once.digest(NOW + DIGEST_S)) == []


@pytest.mark.parametrize("away", [False, True])
def test_of_many_processes_one_speaks_with_or_without_redis(away: bool, tmp_path: Path) -> None:
    found = store.client(f"unix://{tmp_path}/nobody.sock") if away else store.redis_client
    processes = [Claims(found, tmp_path / "claims") for _ in range(4)]
    kind = uuid4().hex  # the store remembers an earlier run
    assert sum(claim(kind) for claim in processes) == 1
    assert sum(claim(f"{kind} too") for claim in processes) == 1
    assert processes[0].answers() != away


# --- What is noticed ---


def test_a_flood_is_told_with_its_top_talker_and_a_link_that_no_log_holds(caplog: pytest.LogCaptureFixture) -> None:
    watch = alerts()
    for second in range(int(NOW) - 5, int(NOW)):
        for _ in range(50):
            watch.floods(one(second + 0.5, "93.184.216.7", "shed"))
    (sentence,) = said(watch, NOW)
    assert "The top talker is 93.184.216.7" in sentence
    assert "/admin/alert/93.184.216.7_32=" in sentence
    assert "/admin/alert/" not in caplog.text
    assert said(watch, NOW) == []


def test_what_is_away_is_told_after_seconds_and_that_it_is_back_too() -> None:
    answers = True
    watch = alerts([Away("Redis", lambda: answers)])
    answers = False
    assert said(watch, NOW) == []
    assert said(watch, NOW + AWAY_S) == ["Redis does not answer."]
    assert said(watch, NOW + AWAY_S + 1) == []
    answers = True
    assert said(watch, NOW + AWAY_S + 2) == ["Redis answers again."]
    answers = False
    said(watch, NOW + 10)
    answers = True
    assert said(watch, NOW + 11) == []


def test_many_bans_at_once_are_a_wave_and_a_few_are_none() -> None:
    watch = alerts()
    watch.hear_of_bans(BANS - 1, NOW)
    assert said(watch, NOW) == []
    watch.hear_of_bans(1, NOW + 90)
    assert said(watch, NOW + 90) == []
    watch.hear_of_bans(BANS, NOW + 91)
    assert [sentence.startswith("A wave of bans") for sentence in said(watch, NOW + 91)] == [True]


def test_an_answer_to_a_banned_address_is_told() -> None:
    watch = alerts()
    watch.notes.slip(7, NOW)
    assert said(watch, NOW) == ["A ban does not bite: 1 answers went to banned addresses so far."]
    assert said(watch, NOW + 1) == []


# --- How it is sent ---


def test_a_message_reaches_a_webhook_and_nobody_waits_for_it(hook: Hook) -> None:
    outbox = Outbox([hook.url])
    outbox.put("A flood began. It is wet.")
    outbox.put("Redis does not answer.")
    began = time.monotonic()
    outbox.work()
    assert time.monotonic() - began < 2
    body = hook.wait()
    assert body["title"] == "Makerlog: A flood began"
    assert body["message"] == "A flood began. It is wet.\n\nRedis does not answer."
    while outbox._child is not None:
        outbox.work()
        time.sleep(0.02)
    assert len(hook.bodies) == 1


def test_a_receiver_that_is_not_there_is_tried_three_times_and_holds_up_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outbox = Outbox(["nonsense://"])
    outbox.put("Is anybody there?")
    ends = time.monotonic() + 40
    outbox.work()
    while outbox._child is not None or outbox._under_way:
        assert time.monotonic() < ends
        outbox.work()
        time.sleep(0.05)
    assert caplog.text.count("tried again") == 2
    assert "could not be sent: Is anybody there?" in caplog.text


def test_a_proxy_that_nobody_trusts_is_told_once_while_it_forwards() -> None:
    watch = alerts()
    assert said(watch, 1_000.0) == []
    watch.notes.forwarded("172.17.0.1", 1_000.5)
    (sentence,) = said(watch, 1_001.0)
    assert sentence.startswith("172.17.0.1 forwards requests, and TRUSTED_PROXIES does not name it.")
    watch.notes.forwarded("172.17.0.1", 1_001.5)
    assert said(watch, 1_002.0) == []
