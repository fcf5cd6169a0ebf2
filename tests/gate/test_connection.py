"""What clients leave unfinished, over real sockets."""

import contextlib
import socket
import time
from collections.abc import Iterator
from http.client import HTTPResponse
from ipaddress import ip_network
from typing import Any

import pytest
from prometheus_client import REGISTRY

from makerlog.gate.banned import BanGuard
from makerlog.gate.bans import BanIndex, Standing
from makerlog.gate.connection import Connections
from makerlog.gate.door import FrontDoor
from makerlog.gate.limits import Limits
from makerlog.gate.networks import SITE_CLIENTS
from makerlog.gate.notes import Notes
from tests.gate.serving import Reply, Service, Stuck, _reply, is_refusal, mirror, one_lane, says, serve, until

QUICK = Limits(head=2_000, head_seconds=0.3, write_seconds=0.5, linger=0.2)
GET = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def service() -> Iterator[Service]:
    with serve(FrontDoor(mirror, limits=QUICK)) as service:
        yield service


@pytest.fixture
def banned() -> Iterator[Service]:
    bans = BanIndex()
    bans.put(Standing(1, ip_network("127.0.0.1/32"), "everything", time.time()))
    guard = BanGuard(bans, Notes())
    with serve(FrontDoor(mirror, limits=QUICK, guard=guard)) as service:
        yield service


def count(lane: str, outcome: str) -> float:
    return REGISTRY.get_sample_value("makerlog_requests_total", {"lane": lane, "outcome": outcome}) or 0.0


def everything_on(connection: socket.socket) -> bytes:
    """Until the service closes it."""
    return b"".join(iter(lambda: connection.recv(65_536), b""))


def ask_on_and_on(connection: socket.socket) -> None:
    """One request a packet, so far as the system sends them so; no answer is read."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(100_000):
        connection.sendall(GET)


def answer_on(connection: socket.socket) -> Reply:
    response = HTTPResponse(connection)
    response.begin()
    return _reply(response)


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_half_sent_head_is_answered_408_in_time(service: Service) -> None:
    began = time.monotonic()
    with service.dial() as connection:
        connection.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\nX-More: ")
        is_refusal(answer_on(connection), 408, "request_timeout")
        assert is_closed(connection)
    assert 0.2 < time.monotonic() - began < 2


def test_a_head_that_drips_is_not_spared(service: Service) -> None:
    with service.dial() as connection:
        with contextlib.suppress(OSError):
            for byte in GET:
                connection.sendall(bytes([byte]))
                time.sleep(0.02)
        assert answer_on(connection).status == 408


def test_a_silent_socket_is_closed(service: Service) -> None:
    with service.dial() as connection:
        assert answer_on(connection).status == 408
    until(lambda: len(service.door.connections) == 0)


def test_the_next_request_of_a_connection_has_its_deadline_too(service: Service) -> None:
    with service.dial() as connection:
        connection.sendall(GET)
        assert answer_on(connection).status == 200
        time.sleep(0.5)  # idle between two requests: that is what keep-alive is for
        connection.sendall(b"GET /y HTTP/1.1\r\n")
        assert answer_on(connection).status == 408


@pytest.mark.parametrize(
    "head",
    [
        b"GET /x HTTP/1.1\r\nX: " + b"a" * 3_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 3_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /x HTTP/1.1\r\n" + b"X: a\r\n" * 600 + b"\r\n",
        b"POST /x HTTP/1.1\r\nX: " + b"a" * 3_000 + b"\r\nContent-Length: 4\r\n\r\nbody",
    ],
    ids=["one header", "path", "many headers", "with a body"],
)
def test_a_head_that_is_too_large_is_answered_431(service: Service, head: bytes) -> None:
    is_refusal(service.raw(head), 431, "headers_too_large")


def test_a_header_without_an_end_is_not_waited_for(service: Service) -> None:
    with service.dial() as connection:
        connection.sendall(b"GET /x HTTP/1.1\r\nX: a")
        time.sleep(0.05)
        connection.sendall(b"a" * 3_000)
        is_refusal(answer_on(connection), 431, "headers_too_large")


CHUNKED = b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"


def test_trailers_are_bounded_as_headers_are(service: Service) -> None:
    with service.dial() as connection:
        connection.sendall(CHUNKED + b"\r\n1\r\na\r\n0\r\n")
        time.sleep(0.05)
        connection.sendall(b"X-T: a")
        time.sleep(0.05)
        connection.sendall(b"a" * 3_000)
        is_refusal(answer_on(connection), 431, "headers_too_large")
        assert is_closed(connection)


@pytest.mark.parametrize(
    ("trailer", "key"),
    [
        (b"Authorization: Token mkl_x", "HTTP_AUTHORIZATION"),
        (b"X-Forwarded-For: 93.184.216.7", "REMOTE_ADDR"),
        (b"Idempotency-Key: one", "HTTP_IDEMPOTENCY_KEY"),
        (b"Content-Type: application/json", "CONTENT_TYPE"),
        (b"Host: other", "HTTP_HOST"),
        (b"Cookie: a=b", "HTTP_COOKIE"),
    ],
)
def test_what_is_sent_behind_the_body_is_no_header_of_the_request(trailer: bytes, key: str) -> None:
    door = FrontDoor(mirror, trusted=[ip_network("127.0.0.1/32")])
    with serve(door) as service:
        asked = [service.raw(CHUNKED + b"\r\n1\r\na\r\n0\r\n" + each) for each in (b"\r\n", trailer + b"\r\n\r\n")]
    without, with_it = (each.json()["environ"] for each in asked)
    assert with_it.get(key) == without.get(key)


def test_a_token_behind_the_body_admits_no_upload_and_is_not_taken_for_the_next_request(service: Service) -> None:
    with service.dial() as connection:
        connection.sendall(CHUNKED + b"\r\n1\r\na\r\n0\r\nAuthorization: Token mkl_x\r\n\r\n" + GET)
        for _ in range(2):
            assert "HTTP_AUTHORIZATION" not in answer_on(connection).json()["environ"]


def test_a_body_in_chunks_of_one_byte_ends_early_and_is_told_why(service: Service) -> None:
    with service.dial() as connection:
        connection.sendall(CHUNKED + b"\r\n" + b"1\r\na\r\n" * 10_000)
        is_refusal(answer_on(connection), 400, "too_many_chunks")


@pytest.mark.parametrize(("pieces", "size"), [(900, 1), (3_000, 100), (200, 4_096)])
def test_a_body_in_ordinary_chunks_is_read(service: Service, pieces: int, size: int) -> None:
    chunk = b"%x\r\n%b\r\n" % (size, b"a" * size)
    reply = service.raw(CHUNKED + b"\r\n" + chunk * pieces + b"0\r\n\r\n")
    assert (reply.status, reply.json()["size"]) == (200, pieces * size)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /x HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: x\r\nAuthorization: Token\r\n mkl_x\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: x\r\nAuthorization : Token mkl_x\r\n\r\n",
    ],
    ids=["two hosts", "one host twice", "one length twice", "two lengths", "both", "not chunked", "folded", "a space"],
)
def test_a_head_that_can_be_read_in_two_ways_is_refused(service: Service, head: bytes) -> None:
    with service.dial() as connection:
        connection.sendall(head)
        is_refusal(answer_on(connection), 400, "bad_request")
        assert is_closed(connection)


def test_two_authorization_headers_are_none_of_ours() -> None:
    door = FrontDoor(mirror, recognise=lambda header: "known" if header == b"Token good" else None)
    with serve(door) as service:
        before = count("token", "served"), count("anonymous", "served")
        head = b"GET /x HTTP/1.1\r\nHost: x\r\nAuthorization: Token good\r\nAuthorization: Token bad\r\n\r\n"
        assert service.raw(head).json()["environ"]["HTTP_AUTHORIZATION"] == "Token good,Token bad"
        assert (count("token", "served"), count("anonymous", "served")) == (before[0], before[1] + 1)


def test_what_is_not_http_is_answered_in_our_shape_and_logged_nowhere(service: Service, caplog) -> None:
    is_refusal(service.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"), 400, "bad_request")
    assert caplog.records == []


def test_a_head_within_bounds_is_served(service: Service) -> None:
    assert service.raw(b"GET /x HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 1_500 + b"\r\n\r\n").status == 200


def test_one_peer_has_so_many_connections_and_gets_them_back() -> None:
    with serve(FrontDoor(mirror, limits=Limits(connections_per_peer=3))) as service:
        held = [service.dial() for _ in range(3)]
        until(lambda: len(service.door.connections) == 3)
        with service.dial() as connection:
            assert is_closed(connection)
        held.pop().close()
        until(lambda: len(service.door.connections) == 2)
        assert service.get("/x").status == 200
        for connection in held:
            connection.close()


def test_a_trusted_proxy_has_no_such_cap() -> None:
    limits = Limits(connections_per_peer=3)
    with serve(FrontDoor(mirror, trusted=[ip_network("127.0.0.1/32")], limits=limits)) as service:
        held = [service.dial() for _ in range(10)]
        until(lambda: len(service.door.connections) == 10)
        assert service.get("/x").status == 200
        for connection in held:
            connection.close()


def test_where_sockets_run_short_the_longest_idle_goes_and_requests_are_served() -> None:
    with serve(FrontDoor(mirror, limits=Limits(connections=20))) as service:
        held = [service.dial() for _ in range(60)]
        until(lambda: service.door.connections.dropped >= 40)
        assert len(service.door.connections) <= 20
        for _ in range(30):
            assert service.get("/x").status == 200
        assert all(is_closed(connection) for connection in held[:40])
        for connection in held:
            connection.close()


def test_a_request_under_way_is_never_dropped_for_room() -> None:
    with serve(FrontDoor(mirror, limits=Limits(connections=16))) as service, service.dial() as busy:
        busy.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo")
        until(lambda: service.door.connections._idle == {} and len(service.door.connections) == 1)
        held = [service.dial() for _ in range(40)]
        until(lambda: service.door.connections.dropped >= 20)
        busy.sendall(b"dy")
        assert answer_on(busy).json()["body"] == "body"
        for connection in held:
            connection.close()


def test_a_reader_that_takes_nothing_is_cut_off() -> None:
    app = says("200 OK", [], b"x" * 6_000_000)
    with serve(FrontDoor(app, limits=QUICK)) as service, socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        reader.connect(("127.0.0.1", service.port))
        reader.sendall(GET)
        until(lambda: len(service.door.connections) == 1)
        until(lambda: len(service.door.connections) == 0)


def test_a_reader_that_is_merely_slow_gets_all_of_it() -> None:
    app = says("200 OK", [], b"x" * 1_000_000)
    with serve(FrontDoor(app, limits=QUICK)) as service, service.dial() as reader:
        reader.sendall(GET)
        got = 0
        while got < 1_000_000:
            got += len(reader.recv(20_000))
            time.sleep(0.02)


def test_a_ban_closes_connections_that_are_open_already() -> None:
    bans = BanIndex()
    door = FrontDoor(mirror, guard=BanGuard(bans, Notes()))
    with serve(door) as service, service.dial() as idle:
        idle.sendall(GET)
        assert answer_on(idle).status == 200
        bans.put(Standing(1, ip_network("127.0.0.1/32"), "everything", time.time()))
        door.bans_changed()
        assert is_closed(idle)


def test_a_ban_closes_no_connection_of_a_trusted_proxy() -> None:
    bans = BanIndex()
    door = FrontDoor(mirror, trusted=[ip_network("127.0.0.1/32")], guard=BanGuard(bans, Notes()))
    with serve(door) as service, service.dial() as proxy:
        bans.put(Standing(1, ip_network("127.0.0.0/24"), "everything", time.time()))
        door.bans_changed()
        proxy.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 93.184.216.7\r\n\r\n")
        assert answer_on(proxy).status == 200


def test_a_head_of_many_tiny_headers_is_answered_431(service: Service) -> None:
    with service.dial() as connection:
        connection.sendall(b"GET /x HTTP/1.1\r\n" + b"a:\r\n" * 110)
        is_refusal(answer_on(connection), 431, "headers_too_large")
        assert is_closed(connection)


def test_requests_sent_ahead_are_answered_in_turn(service: Service) -> None:
    with service.dial() as connection:
        connection.sendall(GET * 15 + b"GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert everything_on(connection).count(b"HTTP/1.1 200 OK") == 16


def test_refusals_of_requests_sent_ahead_come_in_turn_and_are_each_counted(banned: Service) -> None:
    before = count("door", "banned")
    with banned.dial() as connection:
        connection.sendall(GET + b"HEAD" + GET[3:] + GET[:-2] + b"Connection: close\r\n\r\n")
        answers = everything_on(connection)
    assert answers.count(b"HTTP/1.1 403 Forbidden\r\n") == answers.count(b"\r\ndate: ") == 3
    assert answers.count(b'"code":"banned"') == 2
    assert answers.count(b"connection: close") == 1
    assert count("door", "banned") == before + 3


def test_a_small_body_of_what_is_refused_is_passed_over_and_the_connection_stays(banned: Service) -> None:
    with banned.dial() as connection:
        for pieces in ([b"0123456789"], [b"", b"01234", b"56789"]):
            connection.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n" + pieces[0])
            assert answer_on(connection).status == 403
            for piece in pieces[1:]:
                connection.sendall(piece)
        connection.sendall(GET)
        assert answer_on(connection).status == 403


def test_a_body_that_is_passed_over_has_to_come_in_time(banned: Service) -> None:
    with banned.dial() as connection:
        connection.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")
        assert answer_on(connection).status == 403
        connection.sendall(b"0")
        assert b" 408 " in everything_on(connection)


@pytest.mark.parametrize("more", [b"Connection: close", b"Expect: 100-continue"])
def test_who_closes_or_asks_before_sending_is_refused_and_closed(banned: Service, more: bytes) -> None:
    with banned.dial() as connection:
        connection.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n" + more + b"\r\n\r\n0123456789")
        assert b"HTTP/1.1 403 " in everything_on(connection)


def test_a_flood_of_what_is_refused_at_once_in_one_packet_is_cut_off(banned: Service) -> None:
    before = count("door", "banned")
    with banned.dial() as connection:
        connection.sendall(GET * 1_000)
        with contextlib.suppress(ConnectionResetError):
            everything_on(connection)
    assert count("door", "banned") == before + QUICK.pipelined


def test_who_takes_none_of_their_refusals_is_cut_off(banned: Service) -> None:
    with banned.dial() as connection, pytest.raises((ConnectionResetError, BrokenPipeError)):
        ask_on_and_on(connection)


def test_a_flood_in_one_packet_is_cut_off(caplog) -> None:
    stuck = Stuck()
    with serve(FrontDoor(stuck, limits=QUICK)) as service, service.dial() as connection:
        connection.sendall(GET * 1_000)
        assert is_closed(connection)
        stuck.go.set()
        assert service.get("/after").status == 200
        assert len(stuck.paths) == 2
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize(
    "sent", [b"POST /x HTTP/1.1\r\nContent-Length: 3\r\n", b"GET /x HTTP/1.1\r\nContent-Length: 9\r\n"]
)
def test_a_socket_that_is_asked_for_with_a_body_is_refused_and_not_waited_for(service: Service, sent: bytes) -> None:
    upgrade = b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n"
    with service.dial() as connection:
        connection.sendall(sent + upgrade + b"\r\nabc")
        is_refusal(answer_on(connection), 400, "bad_request")
        assert is_closed(connection)


# --- Answers that nobody reads ---

MIB = 1_048_576


def leave_unread(service: Service, head: bytes = GET) -> socket.socket:
    """Asks for a large answer and takes none of it."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    reader.connect(("127.0.0.1", service.port))
    reader.sendall(head)
    return reader


@contextlib.contextmanager
def large_answers(**limits: Any) -> Iterator[Service]:
    """Of seven megabytes each, which no system keeps for whoever does not read."""
    app = says("200 OK", [], b"x" * 7 * MIB)
    door = FrontDoor(
        app,
        limits=Limits(**{"lanes": one_lane(4), **limits}),
        trusted=[ip_network("127.0.0.1/32")],
        recognise=lambda header: header.decode() or None,
    )
    with serve(door) as service:
        yield service


def asked_by(address: str, more: str = "") -> bytes:
    return f"GET /x HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {address}\r\n{more}\r\n".encode()


def test_who_leaves_many_answers_unread_is_refused_more_until_they_were_read() -> None:
    with large_answers(unread_answers_per_client=8 * MIB) as service, contextlib.ExitStack() as stack:
        readers = [stack.enter_context(leave_unread(service, asked_by("93.184.216.7"))) for _ in range(2)]
        until(lambda: service.door.backlog.held > 8 * MIB)
        refused = service.get("/x", {"X-Forwarded-For": "93.184.216.7"})
        is_refusal(refused, 503, "too_many_at_once")
        assert service.get("/health", {"X-Forwarded-For": "93.184.216.7"}).status == 200
        assert service.get("/x", {"X-Forwarded-For": "93.184.216.8"}).status == 200, "a neighbour"
        for reader in readers:
            assert len(everything_on_until(reader, 7 * MIB)) >= 7 * MIB
        until(lambda: service.door.backlog.held == 0)
        assert service.get("/x", {"X-Forwarded-For": "93.184.216.7"}).status == 200


def everything_on_until(connection: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size and (piece := connection.recv(262_144)):
        received += piece
    return bytes(received)


def test_many_clients_that_read_nothing_fill_no_more_than_their_half_of_the_memory() -> None:
    with large_answers(unread_answers=32 * MIB) as service, contextlib.ExitStack() as stack:
        held = service.door.backlog
        patient = stack.enter_context(leave_unread(service, asked_by("93.184.216.7", "Authorization: good\r\n")))
        until(lambda: held.held > 0)
        for number in range(12):
            for _ in range(2):
                stack.enter_context(leave_unread(service, asked_by(f"93.184.217.{number}")))
        until(lambda: held.dropped >= 18)
        until(lambda: service.door.pool.running == 0)
        assert held.held < 24 * MIB
        assert len(everything_on_until(patient, 7 * MIB)) >= 7 * MIB, "whoever has a token has a half of their own"


def test_where_the_memory_is_full_the_client_that_holds_most_is_cut_off() -> None:
    with large_answers(unread_answers=32 * MIB) as service, contextlib.ExitStack() as stack:
        one = stack.enter_context(leave_unread(service, asked_by("93.184.216.7")))
        greedy = [stack.enter_context(leave_unread(service, asked_by("93.184.216.8"))) for _ in range(6)]
        until(lambda: service.door.backlog.dropped >= 4)
        assert len(everything_on_until(one, 7 * MIB)) >= 7 * MIB
        cut = 0
        for reader in greedy:
            with contextlib.suppress(ConnectionResetError):
                cut += len(everything_on_until(reader, 7 * MIB)) < 7 * MIB
                continue
            cut += 1
        assert cut >= 4


def test_answers_ahead_on_one_connection_wait_in_the_same_memory() -> None:
    """The second is made while the first is unread: it must not be held beside what is counted."""
    with large_answers() as service, leave_unread(service, asked_by("93.184.216.7") * 3) as reader:
        until(lambda: service.door.backlog.held > 3 * MIB)
        assert service.door.backlog.held < 8 * MIB
        assert len(everything_on_until(reader, 21 * MIB)) >= 21 * MIB
        until(lambda: service.door.backlog.held == 0)


def test_small_answers_that_nobody_reads_are_counted_too() -> None:
    app = says("200 OK", [], b"x" * 60_000)
    limits = Limits(lanes=one_lane(4), unread_answers=4 * MIB, unread_answers_per_client=30_000)
    with serve(FrontDoor(app, limits=limits)) as service, leave_unread(service) as reader:
        for _ in range(20):  # what the system takes comes first
            reader.sendall(GET * 8)
            time.sleep(0.02)
        until(lambda: service.door.backlog.held > 30_000)
        is_refusal(service.get("/x"), 503, "too_many_at_once")


def test_nothing_is_held_for_connections_that_are_gone() -> None:
    with large_answers() as service:
        for _ in range(3):
            with leave_unread(service):
                until(lambda: service.door.backlog.held > 0)
            until(lambda: service.door.backlog.held == 0)


def test_staff_behind_an_address_that_reads_nothing_are_served() -> None:
    door = FrontDoor(
        says("200 OK", [], b"x" * 7 * MIB),
        limits=Limits(unread_answers_per_client=MIB),
        ticket=lambda cookies: cookies == b"staff",
    )
    with serve(door) as service, leave_unread(service):
        until(lambda: service.door.backlog.held > MIB)
        is_refusal(service.get("/admin/"), 503, "too_many_at_once")
        assert service.get("/admin/", {"Cookie": "staff"}).status == 200


def test_the_owner_of_a_48_holds_eight_times_as_many_connections_as_one_address() -> None:
    connections = Connections(Limits(connections_per_peer=2))
    held: list[Any] = [object() for _ in range(40)]
    addresses = [f"2a00:1450:4001:{number // 2:x}::1" for number in range(40)]
    let_in = [each for each, address in zip(held, addresses, strict=True) if connections.add(each, address)]
    assert len(let_in) == 2 * SITE_CLIENTS
    assert connections.add(held[-1], "2a00:1450:4002::1")
    connections.remove(let_in[0])
    assert connections.add(held[-2], "2a00:1450:4001:ffff::1")
