"""What a client writes on its socket: counted before it is parsed, and nothing is parsed after the end."""

import contextlib
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from websockets.sync.client import connect

from tests.attack.floods.chatter import FRAMES, frame
from tests.gate.serving import DEADLINE_S, Service, until
from tests.live.serving import Live, live
from tests.makers import caller

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
)
FLOOD_BYTES = 3_000_000  # to parse so many empty frames takes seconds
PROMPT_S = 1.0  # a turn of the loop is some milliseconds; machines are slow at times
ENDED_S = 4.0


def dial(service: Live, path: str = "/explore/stream/", headers: str = "") -> socket.socket:
    dialled = service.stack.enter_context(socket.create_connection(("127.0.0.1", service.port), DEADLINE_S))
    dialled.sendall(HANDSHAKE.format(path=path, headers=headers).encode("latin-1"))
    return dialled


def opened(service: Live, path: str = "/explore/stream/", headers: str = "") -> socket.socket:
    dialled = dial(service, path, headers)
    assert answer(dialled).startswith(b"HTTP/1.1 101")
    return dialled


def answer(dialled: socket.socket) -> bytes:
    """The head of what is answered."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = dialled.recv(1)
        assert piece, "cut off without an answer"
        received += piece
    return received


def close_code(dialled: socket.socket) -> int:
    """Of the close frame that comes, behind whatever else; 0 where the socket is cut off."""
    received = b""
    with contextlib.suppress(OSError):
        while piece := dialled.recv(65_536):
            received += piece
    at = received.rfind(b"\x88")  # nothing else that is sent here holds this byte
    return int.from_bytes(received[at + 2 : at + 4]) if at >= 0 else 0


def write(dialled: socket.socket, frames: bytes, size: int = FLOOD_BYTES) -> None:
    with contextlib.suppress(OSError):
        dialled.sendall(frames * (size // len(frames) + 1))


@contextlib.contextmanager
def others_are_answered(service: Live) -> Iterator[None]:
    """All the while somebody else asks, and is answered at once."""
    over, waits = threading.Event(), [0.0]

    def ask() -> None:
        while not over.is_set():
            began = time.monotonic()
            Service(service.door, service.port).get("/health")
            waits.append(time.monotonic() - began)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        over.set()
        asking.join(DEADLINE_S)
    assert not asking.is_alive()
    assert max(waits) < PROMPT_S


@pytest.mark.parametrize("kind", FRAMES)
def test_whoever_writes_frames_without_end_is_cut_off_and_nobody_else_waits(service: Live, kind: str) -> None:
    with others_are_answered(service):
        dialled = opened(service)
        began = time.monotonic()
        write(dialled, FRAMES[kind])
        until(lambda: not service.door.sockets, ENDED_S)
        assert time.monotonic() - began < ENDED_S


@pytest.mark.parametrize("kind", ["pongs", "pings", "texts", "fragments", "long pings"])
def test_what_is_written_after_a_refusal_is_not_parsed(service: Live, kind: str) -> None:
    with others_are_answered(service):
        dialled = opened(service, "/users/nobody/stream/")
        write(dialled, FRAMES[kind])
        until(lambda: not service.door.connections.upgraded, ENDED_S)


def test_what_is_written_before_the_handshake_is_answered_is_not_parsed_either(service: Live) -> None:
    with others_are_answered(service):
        for _ in range(2):
            write(dial(service), FRAMES["pongs"])
            write(dial(service, "/users/nobody/stream/"), FRAMES["pings"])
        until(lambda: not service.door.connections.upgraded, ENDED_S)


def test_whoever_asks_before_the_handshake_is_answered_is_answered_after_it(service: Live) -> None:
    asked = frame(0x1, b'{"type": "task.sync", "payload": {}}')
    dialled = dial(service, "/users/alice/stream/", f"Authorization: Token {caller('alice').token}\r\n")
    dialled.sendall(asked)
    assert answer(dialled).startswith(b"HTTP/1.1 101")
    first, size = dialled.recv(2)
    assert first == 0x81
    assert json.loads(dialled.recv(size))["type"] == "task.sync"


def test_bytes_that_come_one_by_one_are_counted_too(service: Live) -> None:
    dialled = opened(service)
    dialled.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with contextlib.suppress(OSError):
        for _ in range(5_000):
            dialled.send(b"\x81")
            time.sleep(0.0005)
    until(lambda: not service.door.sockets, ENDED_S)


def test_one_large_message_after_the_other_is_counted_by_its_bytes(service: Live) -> None:
    dialled = opened(service)
    for _ in range(12):
        dialled.sendall(frame(0x1, b" " * 4_000))
    assert close_code(dialled) == 4429


def test_an_app_that_pings_each_second_and_asks_now_and_then_is_never_closed(service: Live) -> None:
    dialled = opened(service)
    for _ in range(10):
        dialled.sendall(frame(0x9, b"still there?") + frame(0xA))
    dialled.sendall(frame(0x1, b"{", fin=False) + frame(0x0, b"}"))
    pongs = b""
    while len(pongs) < 10 * 14:
        pongs += dialled.recv(1_000)
    assert pongs == (b"\x8a\x0c" + b"still there?") * 10
    assert len(service.door.sockets) == 1


def test_a_frame_is_counted_once_in_whatever_pieces_it_comes(transactional_db: None) -> None:
    with live() as service:
        dialled = opened(service)
        dialled.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in frame(0x9, b"x" * 125) + frame(0x1, b'{"type": "?"}') + frame(0x9, b"y"):
            dialled.send(bytes([byte]))
        pongs = b""
        while len(pongs) < 127 + 3:
            pongs += dialled.recv(1_000)
        assert pongs == b"\x8a\x7d" + b"x" * 125 + b"\x8a\x01y"


def test_a_close_is_answered_at_once_and_the_socket_is_gone(service: Live) -> None:
    dialled = opened(service)
    began = time.monotonic()
    dialled.sendall(frame(0x8, (1000).to_bytes(2)))
    assert close_code(dialled) == 1000
    assert time.monotonic() - began < service.door.limits.close_seconds


def test_whoever_answers_our_close_need_not_wait_for_the_end(service: Live) -> None:
    dialled = opened(service, "/users/nobody/stream/")
    began = time.monotonic()
    dialled.sendall(frame(0xA) + frame(0x8, (4404).to_bytes(2)))
    assert close_code(dialled) == 4404
    assert time.monotonic() - began < service.door.limits.close_seconds


def test_compression_is_not_agreed_to_so_nothing_can_be_inflated(service: Live) -> None:
    with connect(f"ws://127.0.0.1:{service.port}/explore/stream/", compression="deflate", proxy=None) as client:
        assert client.response is not None
        assert "Sec-WebSocket-Extensions" not in client.response.headers
    compressed = opened(service)
    compressed.sendall(b"\xc1\x80\0\0\0\0")  # RSV1: "this is compressed"
    assert close_code(compressed) == 1002


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/explore/stream/?" + "x" * 9_000, ""),
        ("/explore/stream/", "X-Long: " + "x" * 9_000 + "\r\n"),
        ("/explore/stream/\xff", ""),
        ("/explore/stream/?\xff", ""),
    ],
)
def test_a_handshake_that_cannot_be_read_is_a_400_and_holds_nothing(service: Live, path: str, headers: str) -> None:
    dialled = dial(service, path, headers)
    assert answer(dialled).startswith(b"HTTP/1.1 400")
    until(lambda: not service.door.connections.upgraded and not len(service.door.connections))


def test_no_socket_leaves_a_traceback(service: Live, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        asked = frame(0x1, b'{"type": "task.sync"}')
        for frames in [*FRAMES.values(), asked * 40, asked * 3 + frame(0x8), frame(0x1, b"\xff"), frame(0x8, b"x")]:
            for path in ("/explore/stream/", "/users/nobody/stream/"):
                dialled = opened(service, path)
                write(dialled, frames, 200_000)
                dialled.close()
                write(dial(service, path), frames, 200_000)
        until(lambda: not service.door.connections.upgraded, ENDED_S)
    assert [
        record.getMessage() for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR
    ] == []
