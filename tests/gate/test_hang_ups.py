"""A flood of clients that do not wait for their answer leaves one line in the log."""

import logging
import socket
import struct

import pytest

from makerlog.gate.door import FrontDoor
from makerlog.gate.limits import Limits
from tests.gate.serving import Service, Stuck, one_lane, says, serve, until

HEAD = b"GET /list HTTP/1.1\r\nHost: x\r\n"
KINDS = {
    "in the middle of the headers": HEAD,  # never a request, so not counted
    "waiting or running": HEAD + b"\r\n",
    "in the middle of a body": b"POST /tasks/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
    "in the middle of a chunk": b"POST /tasks/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{",
}
EACH = 250


def hang_up(service: Service, sent: bytes, *, reset: bool) -> None:
    connection = service.dial()
    if reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.sendall(sent)
    connection.close()


def test_a_thousand_clients_that_hang_up_leave_one_line_and_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    stuck = Stuck()
    limits = Limits(one_lane(2, 1000, longest_wait=30.0))
    with serve(FrontDoor(stuck, limits=limits)) as service:
        for number in range(EACH):
            for sent in KINDS.values():
                hang_up(service, sent, reset=number % 2 == 0)
        assert service.get("/health").status == 200
        stuck.go.set()
        until(lambda: service.door.hang_ups.total == 3 * EACH)
        until(lambda: service.door.pool.running == 0)
        assert service.get("/after").status == 200
    assert [record.getMessage() for record in caplog.records if record.name == "makerlog.gate"] == [
        f"{3 * EACH} clients hung up before their answer."
    ]
    assert [record for record in caplog.records if record.exc_info or record.levelno >= logging.WARNING] == []


def test_the_line_comes_by_itself_and_only_when_there_is_something_to_tell(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "makerlog.gate")
    with serve(FrontDoor(Stuck(), limits=Limits(hang_ups_told=0.05))) as service:
        for _ in range(2):
            caplog.clear()
            hang_up(service, KINDS["in the middle of a body"], reset=False)
            until(
                lambda: [record.getMessage() for record in caplog.records] == ["1 clients hung up before their answer."]
            )


def test_who_stays_is_not_taken_for_gone() -> None:
    with serve(FrontDoor(says("200 OK", [], b"done"))) as service:
        assert service.get("/").body == b"done"
        assert service.ask("POST", "/", b"body").body == b"done"
        assert service.ask("POST", "/", iter([b"in ", b"chunks"]), encode_chunked=True).body == b"done"
        assert service.door.hang_ups.total == 0
