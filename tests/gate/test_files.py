import contextlib
import logging
import threading
from ipaddress import ip_network

import pytest

from makerlog.gate.door import FrontDoor
from makerlog.gate.files import MediaFolder, PrivateFolder, StaticFolder
from makerlog.gate.limits import Limits
from tests.gate.serving import is_refusal, one_lane, says, serve, until

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"


GOOD = {"Authorization": "Token good"}


def door_over(root, **limits):
    folders = {
        "/static/": StaticFolder(root / "static"),
        "/media/": MediaFolder(root / "media"),
        "/exports/": PrivateFolder(root / "exports", lambda name, token: token == f"for {name}"),
    }
    return FrontDoor(
        says("299 Django", [], b"django"),
        folders=folders,
        limits=Limits(**limits),
        trusted=[ip_network("127.0.0.1/32")],
        recognise=lambda header: "good" if header == b"Token good" else None,
    )


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    root = tmp_path_factory.mktemp("files")
    for name, content in {
        "secret.txt": b"secret",
        "static/admin/base.css": b"plain",
        "static/admin/base.5af66c1b1797.css": b"hashed",
        "exports/one.zip": b"PK private",
        "media/icons/a.png": PNG,
        "media/icons/a.WEBP": b"webp",
        "media/evil.html": b"<script>alert(1)</script>",
        "media/evil.svg": b"<svg onload=alert(1)>",
        "media/ünï.png": PNG,
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    (root / "media/link.txt").symlink_to(root / "secret.txt")
    with serve(door_over(root)) as service:
        yield service
    assert service.door.files.sending == 0


def test_a_hashed_static_file_is_kept_for_ever(service):
    reply = service.get("/static/admin/base.5af66c1b1797.css")
    assert (reply.status, reply.body) == (200, b"hashed")
    assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert reply.headers["content-type"].startswith("text/css")
    assert reply.headers["access-control-allow-origin"] == "*"
    assert len(reply.headers["x-request-id"]) == 32


def test_a_private_file_is_for_whoever_has_its_link(service):
    reply = service.get("/exports/one.zip?token=for%20one.zip")
    assert (reply.status, reply.body, reply.headers["cache-control"]) == (200, b"PK private", "no-store")
    assert reply.headers["content-disposition"] == "attachment"
    for query in ("", "?token=", "?token=for%20two.zip", "?token=x&token=for%20one.zip"):
        is_refusal(service.get(f"/exports/one.zip{query}"), 403, "bad_link")
    is_refusal(service.get("/exports/two.zip?token=for%20two.zip"), 404, "not_found")
    is_refusal(service.get("/exports/../secret.txt?token=for%20..%2Fsecret.txt"), 404, "not_found")


def test_another_static_file_is_kept_briefly(service):
    assert service.get("/static/admin/base.css").headers["cache-control"] == "public, max-age=60"


@pytest.mark.parametrize(("name", "kind"), [("icons/a.png", "image/png"), ("icons/a.WEBP", "image/webp")])
def test_an_image_is_shown_but_can_run_nothing(service, name, kind):
    reply = service.get(f"/media/{name}")
    assert reply.status == 200
    assert reply.headers["content-type"] == kind
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "content-disposition" not in reply.headers


@pytest.mark.parametrize("name", ["evil.html", "evil.svg"])
def test_anything_else_is_a_download_of_no_type(service, name):
    reply = service.get(f"/media/{name}")
    assert reply.headers["content-disposition"] == "attachment"
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_a_name_beyond_ascii_is_found(service):
    assert service.get("/media/%C3%BCn%C3%AF.png").body == PNG


@pytest.mark.parametrize(
    "path",
    [
        "/media/absent.png",
        "/media/",
        "/media/icons",
        "/media/../secret.txt",
        "/media/%2e%2e/secret.txt",
        "/media/..%2fsecret.txt",
        "/media/icons/../../secret.txt",
        "/media/..%5csecret.txt",
        "/media//etc/passwd",
        "/media/%2fetc%2fpasswd",
        "/media/link.txt",
        "/media/icons/a.png/x",
        "/media/nul%00.png",
        "/media/" + "x" * 3000,
        "/static/../media/evil.html",
    ],
)
def test_what_is_not_in_the_folder_is_a_404(service, path):
    is_refusal(service.get(path), 404, "not_found")


def test_a_folder_may_not_exist_yet(tmp_path):
    with serve(door_over(tmp_path)) as service:
        is_refusal(service.get("/static/x.css"), 404, "not_found")
        (tmp_path / "static").mkdir()
        (tmp_path / "static/x.css").write_bytes(b"new")
        assert service.get("/static/x.css").body == b"new"


def test_files_are_read_only(service):
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        reply = service.ask(method, "/media/icons/a.png", b"body")
        is_refusal(reply, 405, "method_not_allowed")
        assert reply.headers["allow"] == "GET, HEAD"


def test_head_of_a_file_has_no_body(service):
    reply = service.ask("HEAD", "/media/icons/a.png")
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["content-length"] == str(len(PNG))


def test_a_range_is_a_part(service):
    reply = service.get("/media/icons/a.png", {"Range": "bytes=1-3"})
    assert (reply.status, reply.body) == (206, b"PNG")
    assert reply.headers["content-range"] == f"bytes 1-3/{len(PNG)}"
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_a_range_beyond_the_end_is_refused_in_our_shape(service):
    reply = service.get("/media/icons/a.png", {"Range": "bytes=500-"})
    is_refusal(reply, 416, "bad_range")
    assert reply.headers["content-range"] == f"bytes */{len(PNG)}"
    is_refusal(service.get("/media/icons/a.png", {"Range": "nonsense"}), 400, "bad_range")


def test_what_the_client_has_already_is_a_304(service):
    first = service.get("/media/icons/a.png")
    again = service.get("/media/icons/a.png", {"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert again.headers["cache-control"] == first.headers["cache-control"]


def test_other_paths_go_to_django(service):
    assert [service.get(path).status for path in ("/static", "/mediate/x", "/x/media/y")] == [299] * 3


def test_slow_readers_hold_no_thread_and_are_few(tmp_path):
    (tmp_path / "media").mkdir()
    (tmp_path / "media/large.bin").write_bytes(bytes(20_000_000))
    with serve(door_over(tmp_path, lanes=one_lane(1), files_at_once=3, file_threads=2)) as service:
        readers = [slow_reader(service) for _ in range(3)]
        until(lambda: service.door.files.sending == 3)
        is_refusal(service.get("/media/large.bin"), 503, "busy")
        assert service.get("/api").status == 299
        assert service.door.pool.running == 0
        for reader in readers:
            reader.close()
        until(lambda: service.door.files.sending == 0)
        assert len(service.get("/media/large.bin").body) == 20_000_000


def test_a_reader_that_never_reads_is_dropped(tmp_path, caplog):
    (tmp_path / "media").mkdir()
    (tmp_path / "media/large.bin").write_bytes(bytes(20_000_000))
    with serve(door_over(tmp_path, file_seconds=0.2)) as service:
        reader = slow_reader(service)
        until(lambda: service.door.files.sending == 1)
        until(lambda: service.door.files.sending == 0)
        reader.close()
    assert [record for record in caplog.records if record.exc_info] == []


def test_a_reader_hanging_up_in_the_middle_leaves_no_trace(tmp_path, caplog):
    (tmp_path / "media").mkdir()
    (tmp_path / "media/large.bin").write_bytes(bytes(20_000_000))
    with serve(door_over(tmp_path)) as service:
        for _ in range(10):
            slow_reader(service).close()
        until(lambda: service.door.files.sending == 0)
        assert service.get("/health").status == 200
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_disk_threads_are_few(tmp_path):
    (tmp_path / "static").mkdir()
    (tmp_path / "static/a.css").write_bytes(b"x" * 300_000)
    before = set(threading.enumerate())
    with serve(door_over(tmp_path, file_threads=2)) as service:
        askers = [threading.Thread(target=service.get, args=["/static/a.css"]) for _ in range(20)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
        new = set(threading.enumerate()) - before
        assert len([thread for thread in new if "AnyIO" in thread.name]) <= 2


def slow_reader(service, address="127.0.0.1", more=""):
    """Asks, takes the first bytes and then no more."""
    connection = service.dial()
    connection.sendall(f"GET /media/large.bin HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {address}\r\n{more}\r\n".encode())
    assert connection.recv(12) == b"HTTP/1.1 200"
    return connection


# --- Who has how many places ---


@pytest.fixture
def root(tmp_path):
    for name, content in {
        "media/large.bin": bytes(20_000_000),
        "media/avatar.png": PNG * 1_000,
        "static/admin/base.css": b"css",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_slow_readers_of_one_address_leave_places_to_tokens_staff_and_neighbours(root):
    """300 of them had all 128 places, and every avatar, and the styles of the admin, were a 503."""
    with serve(door_over(root, file_reads=1_000_000)) as service, contextlib.ExitStack() as stack:
        answers = []
        for _ in range(150):
            connection = stack.enter_context(service.dial())
            connection.sendall(b"GET /media/large.bin HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 93.184.216.7\r\n\r\n")
            answers.append(connection.recv(12)[9:])
        assert answers.count(b"200") == service.door.limits.files_per_client
        assert set(answers) == {b"200", b"503"}
        for number in range(48):
            assert service.get("/media/avatar.png", GOOD).status == 200
            assert service.get("/static/admin/base.css", {"X-Forwarded-For": f"93.184.217.{number}"}).status == 200
            assert service.get("/media/avatar.png", {"X-Forwarded-For": f"93.184.218.{number}"}).status == 200
        is_refusal(service.get("/media/avatar.png", {"X-Forwarded-For": "93.184.216.7"}), 503, "too_many_at_once")


def test_slow_readers_of_many_addresses_leave_places_to_tokens_and_staff(root):
    limits = {"files_at_once": 16, "files_of_anybody": 12, "files_per_client": 4}
    with serve(door_over(root, **limits)) as service, contextlib.ExitStack() as stack:
        for number in range(12):
            stack.enter_context(slow_reader(service, f"93.184.216.{number}"))
        until(lambda: service.door.files.sending == 12)
        is_refusal(service.get("/media/avatar.png", {"X-Forwarded-For": "93.184.217.1"}), 503, "busy")
        assert service.get("/static/admin/base.css", {"X-Forwarded-For": "93.184.217.1"}).status == 200
        tokens = "Authorization: Token good\r\n"
        for _ in range(4):
            stack.enter_context(slow_reader(service, more=tokens))
        assert service.door.files.sending == 16
        assert service.get("/static/admin/base.css", {"X-Forwarded-For": "93.184.217.1"}).status == 200
        until(lambda: service.door.files.sending == 15)
        assert service.door.files.places.dropped == 1, "somebody without a token made way"


def test_where_all_places_are_taken_a_newcomer_takes_one_of_the_client_that_has_most(root):
    limits = {"files_of_anybody": 6, "files_per_client": 5}
    with serve(door_over(root, **limits)) as service, contextlib.ExitStack() as stack:
        one = stack.enter_context(slow_reader(service, "93.184.216.1"))
        for _ in range(5):
            stack.enter_context(slow_reader(service, "93.184.216.2"))
        assert service.get("/media/avatar.png", {"X-Forwarded-For": "93.184.216.3"}).status == 200
        until(lambda: service.door.files.sending == 5)
        until(lambda: service.door.files.places.dropped == 1)
        received = 0
        while received < 20_000_000 and (piece := one.recv(1_000_000)):
            received += len(piece)
        assert received >= 20_000_000, "who has one keeps it"


def test_who_has_been_slow_for_long_makes_way(root, caplog):
    limits = {"files_of_anybody": 2, "file_is_slow_after": 0.2}
    with serve(door_over(root, **limits)) as service, contextlib.ExitStack() as stack:
        for number in range(2):
            stack.enter_context(slow_reader(service, f"93.184.216.{number}"))
        is_refusal(service.get("/media/avatar.png", {"X-Forwarded-For": "93.184.217.1"}), 503, "busy")
        until(lambda: service.get("/media/avatar.png", {"X-Forwarded-For": "93.184.217.1"}).status == 200)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_who_asks_for_files_that_are_not_there_or_not_theirs_earns_strikes(root):
    stranger, neighbour = {"X-Forwarded-For": "93.184.216.7"}, {"X-Forwarded-For": "93.184.216.8"}
    with serve(door_over(root, strikes=6, strikes_back=0.01, spared_files=3)) as service:
        for _ in range(3):
            is_refusal(service.get("/media/absent.png", stranger), 404, "not_found")
            is_refusal(service.get("/exports/one.zip?token=guess", stranger), 403, "bad_link")
        for path in ("/media/avatar.png", "/media/absent.png", "/exports/one.zip", "/api"):
            is_refusal(service.get(path, stranger), 429, "too_many_refusals")
        assert [service.get("/static/admin/base.css", stranger).status for _ in range(4)] == [200, 200, 200, 429]
        assert service.get("/media/avatar.png", neighbour).status == 200
        for _ in range(10):
            is_refusal(service.get("/media/absent.png", GOOD), 404, "not_found")
        assert service.get("/media/avatar.png", GOOD).status == 200


def test_what_files_a_client_takes_is_charged_by_the_byte(root):
    one, other = {"X-Forwarded-For": "93.184.216.7"}, {"X-Forwarded-For": "93.184.216.8"}
    with serve(door_over(root, file_reads=1_000, file_reads_back=10.0)) as service:
        assert len(service.get("/media/large.bin", one).body) == 20_000_000
        refused = service.get("/media/avatar.png", one)
        is_refusal(refused, 429, "throttled")
        assert 1 <= int(refused.headers["retry-after"]) <= 100
        assert refused.headers["ratelimit"].startswith('"files";r=0;')
        assert service.get("/api", one).status == 299
        part = {"Range": "bytes=0-99"}
        assert {service.get("/media/large.bin", {**other, **part}).status for _ in range(50)} == {206}
        assert service.get("/media/large.bin", GOOD).status == 200
        is_refusal(service.get("/media/avatar.png", GOOD), 429, "throttled")


def test_what_was_not_taken_of_a_file_is_not_charged(root):
    with serve(door_over(root, file_reads=1_000, file_reads_back=0.001)) as service:
        for _ in range(3):
            slow_reader(service).close()
            until(lambda: service.door.files.sending == 0)
        assert service.get("/media/avatar.png", {"X-Forwarded-For": "127.0.0.1"}).status == 200
