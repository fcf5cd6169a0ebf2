"""How events travel: from process to process, without Redis, to slow readers, in a crowd of them."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import connection
from websockets.sync.client import connect

from makerlog.api.store import Breaker, client
from makerlog.gate.limits import Limits
from makerlog.gate.socket import text_frame
from makerlog.live.events import EVERY_STREAM, MOST_OWED, Event, Publisher, packed, publisher, unpack_events
from makerlog.live.hub import MOST_AT_ONCE, hub
from tests.gate.serving import until
from tests.limits.conftest import OwnRedis
from tests.live.serving import Live, Reader, live
from tests.makers import caller
from tests.ports import free_port
from tests.tasks.logs import log

ROOT = Path(__file__).parents[2]


@pytest.fixture
def own_redis(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnRedis]:
    """One that the hub and whoever publishes speak to, and that may be stopped and frozen."""
    redis = OwnRedis(tmp_path_factory.mktemp("redis"))
    redis.start()
    monkeypatch.setattr(hub, "url", redis.url)
    monkeypatch.setattr(publisher, "connection", client(redis.url, connect=0.025, answer=0.025))
    monkeypatch.setattr(publisher, "breaker", Breaker("writing"))
    yield redis
    with contextlib.suppress(Exception):
        redis.thaw()
    redis.stop()


def serve_elsewhere(port: int, log_file: Path) -> "subprocess.Popen[bytes]":
    """The service in a process of its own, on the tests' database."""
    values = connection.settings_dict
    url = f"postgresql://{values['USER']}:{values['PASSWORD']}@/{values['NAME']}?host={values['HOST']}&port={values['PORT']}"
    given = {"DATABASE_URL": url, "REDIS_URL": settings.REDIS_URL, "PROCESS": "web", "DEBUG": "1"}
    secrets = {"SECRET_KEY": settings.SECRET_KEY, "TOKEN_PEPPERS": settings.TOKEN_PEPPERS}
    protocols = ["--http", "makerlog.gate.connection:Connection", "--ws", "makerlog.gate.socket:Socket"]
    command = [sys.executable, "-m", "uvicorn", "makerlog.asgi:application", "--port", str(port), "--no-proxy-headers"]
    with log_file.open("wb") as log_to:
        return subprocess.Popen(
            [*command, *protocols], cwd=ROOT, env={**os.environ, **given, **secrets}, stdout=log_to, stderr=log_to
        )


def test_a_task_posted_in_one_process_reaches_a_socket_of_another_within_a_second(
    transactional_db: None, tmp_path: Path
) -> None:
    alice, port = caller("alice"), free_port()
    process = serve_elsewhere(port, tmp_path / "log")
    try:
        until(lambda: b"running on" in (tmp_path / "log").read_bytes(), seconds=30)
        with connect(f"ws://127.0.0.1:{port}/explore/stream/", proxy=None) as own:
            reader = Reader(own)
            reader.say("task.sync")
            assert reader.frame()["payload"] == []
            began = time.monotonic()
            posted = alice.post("/tasks/", {"content": "From afar"}).json()
            assert reader.frame() == {"type": "task.created", "payload": posted}
            assert time.monotonic() - began < 1
            process.send_signal(signal.SIGTERM)
            assert reader.closed(seconds=10)[0] == 1001
        process.wait(10)
    finally:
        process.kill()
        process.wait(5)
    assert b"Traceback" not in (tmp_path / "log").read_bytes()


def test_sockets_outlive_redis_and_hear_again(own_redis: OwnRedis, transactional_db: None) -> None:
    with live() as service:
        alice = caller("alice")
        reader = service.follows("/explore/stream/")
        own_redis.stop()
        until(lambda: not hub.connected)
        log(alice.maker, "Lost")
        reader.say("task.sync")
        assert [task["content"] for task in reader.frame()["payload"]] == ["Lost"]
        own_redis.start()
        until(lambda: hub.connected)
        until(publisher.breaker.may_probe)
        publisher.breaker.close()
        log(alice.maker, "Heard")
        frames = {frame["type"]: frame["payload"] for frame in (reader.frame(), reader.frame())}
        assert frames["task.created"]["content"] == "Heard"
        assert frames["resync"] == {"read": ["/tasks/"]}


def test_what_redis_did_not_take_is_said_with_the_next_event(own_redis: OwnRedis, transactional_db: None) -> None:
    """Redis was away for a writer, and never for those who listen."""
    with live() as service:
        alice = caller("alice").maker
        explore, elsewhere = service.follows("/explore/stream/"), service.follows("/discussions/")
        publisher.breaker.open(redis.TimeoutError("for a moment"))
        log(alice, "Lost")
        assert explore.hears_nothing()
        publisher.breaker.close()
        log(alice, "Heard")
        assert explore.frame()["payload"]["content"] == "Heard"
        assert explore.frame() == {"type": "resync", "payload": {"read": ["/tasks/"]}}
        assert elsewhere.hears_nothing()


def test_the_streams_that_wait_for_redis_are_bounded() -> None:
    away = Publisher(client("redis://127.0.0.1:1/0", connect=0.025, answer=0.025), "nobody")
    for number in range(2 * MOST_OWED):
        away.send(packed([Event("a", {}, (f"maker:{number}",))]))
    assert away._owed == {EVERY_STREAM}


@pytest.mark.parametrize("state", ["dead", "frozen"])
def test_redis_away_costs_a_writer_a_moment_once(own_redis: OwnRedis, state: str) -> None:
    publisher.send(packed([Event("task.deleted", {"id": 1}, ("tasks",))]))
    own_redis.stop() if state == "dead" else own_redis.freeze()
    assert timed(b"[]\n{}") < 0.1
    assert sum(timed(b"[]\n{}") for _ in range(100)) < 0.05


def timed(message: bytes) -> float:
    began = time.monotonic()
    publisher.send(message)
    return time.monotonic() - began


def test_what_is_packed_is_unpacked() -> None:
    told = [Event("task.deleted", {"id": 1}, ("tasks", "maker:1"), 7), Event("a", {"text": "two\nlines"}, ("tasks",))]
    assert list(unpack_events(packed(told))) == [
        (["tasks", "maker:1"], "from:7", b'{"type":"task.deleted","payload":{"id":1}}'),
        (["tasks"], "", b'{"type":"a","payload":{"text":"two\\nlines"}}'),
    ]


def on_loop(service: Live, work: Any) -> None:
    assert service.door.loop is not None
    service.door.loop.call_soon_threadsafe(work)


def test_a_slow_reader_is_cut_off_and_the_others_hear_on(service: Live) -> None:
    quick = service.follows("/explore/stream/")
    slow = dial_and_never_read(service)
    until(lambda: service.following == 2)
    data = text_frame(b"x" * 200_000)
    loads = 0
    while service.door.sockets.dropped == 0:
        on_loop(service, lambda: [each.deliver(data) for each in list(service.door.sockets._all)])
        assert len(quick.socket.recv(5)) == 200_000
        loads += 1
        assert loads < 100, "20 MB were kept for somebody who does not read"
    until(lambda: len(service.door.sockets) == 1)
    slow.close()


def dial_and_never_read(service: Live) -> socket.socket:
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect(("127.0.0.1", service.port))
    slow.sendall(
        b"GET /explore/stream/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    return slow


def test_more_than_anybody_can_read_is_not_written(service: Live) -> None:
    reader = service.follows("/explore/stream/")
    told = [Event("task.created", {"id": number, "content": "x" * 1_000}, ("tasks",)) for number in range(1_000)]
    lost = hub.lost
    on_loop(service, lambda: hub.hear(packed(told)))
    until(lambda: hub.lost > lost)
    heard = 0
    while reader.frame()["type"] != "resync":
        heard += 1
    assert 0 < heard <= MOST_AT_ONCE // 1_000 + 1
    assert heard + hub.lost - lost + 1 >= 1_000


def test_makers_who_post_long_tasks_lose_their_own_events_and_nobody_elses(service: Live) -> None:
    reader = service.follows("/explore/stream/")
    long = [
        Event("task.created", {"id": number, "content": "x" * 7_000}, ("tasks",), source=1 + number % 6)
        for number in range(60)
    ]
    short = [Event("task.created", {"id": 1_000 + maker}, ("tasks",), source=maker) for maker in range(100, 120)]
    mixed = [event for at, event in enumerate(long) for event in (event, *short[at : at + 1])]
    on_loop(service, lambda: hub.hear(packed(mixed)))
    heard = []
    while (frame := reader.frame())["type"] != "resync":
        heard.append(frame["payload"]["id"])
    assert {event.payload["id"] for event in short} <= set(heard)
    assert 0 < len(set(heard) & set(range(60))) < 60
    assert frame["payload"] == {"read": ["/tasks/"]}


def test_sockets_take_no_database_connection_of_their_own(transactional_db: None) -> None:
    with live(limits=Limits(sockets_per_client=100, connects=200)) as service:
        caller("alice")
        for _ in range(50):
            service.follows("/users/alice/stream/")
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
            assert cursor.fetchone()[0] <= 8 + 2  # the threads, the watcher and this test


def test_open_sockets_count_among_the_connections(service: Live) -> None:
    before = service.door.connections.upgraded
    reader = service.follows("/explore/stream/")
    assert service.door.connections.upgraded == before + 1
    reader.socket.close()
    until(lambda: service.door.connections.upgraded == before)


def test_publishers_to_nowhere_give_up_quickly() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts and never answers
        port = silent.getsockname()[1]
        nowhere = Publisher(client(f"redis://127.0.0.1:{port}", connect=0.025, answer=0.025), "channel")
        began = time.monotonic()
        nowhere.send(b"[]\n{}")
        assert time.monotonic() - began < 0.1
        assert not nowhere.breaker.closed
