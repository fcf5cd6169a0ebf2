"""Uploads on S3-compatible storage: the real client against a small server that keeps what it is sent."""

import runpy
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from storages.backends.s3 import S3Storage

SETTINGS = Path(__file__).parents[2] / "makerlog" / "settings.py"
KEPT: dict[str, bytes] = {}


class Bucket(BaseHTTPRequestHandler):
    """PUT, HEAD, GET and DELETE of whole objects, by path."""

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if "aws-chunked" in self.headers.get("Content-Encoding", ""):
            size, _, rest = body.partition(b"\r\n")
            body = rest[: int(size.split(b";")[0], 16)]
        KEPT[self.path] = body
        self.answer(200)

    def do_HEAD(self) -> None:
        self.answer(200 if self.path in KEPT else 404)

    def do_GET(self) -> None:
        self.answer(200, KEPT[self.path])

    def do_DELETE(self) -> None:
        KEPT.pop(self.path, None)
        self.answer(204)

    def answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[str]:
    KEPT.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def storage(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> S3Storage:
    """The default storage as settings.py builds it for a bucket."""
    for name, value in {
        "MEDIA_S3_BUCKET": "uploads",
        "MEDIA_S3_ENDPOINT": endpoint,
        "MEDIA_S3_PUBLIC_URL": "http://media.example.com",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    options = runpy.run_path(str(SETTINGS))["STORAGES"]["default"]
    assert options["BACKEND"] == "storages.backends.s3.S3Storage"
    return S3Storage(**options["OPTIONS"])


def test_an_upload_is_kept_in_the_bucket_read_from_its_public_address_and_deleted(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = storage(endpoint, monkeypatch)
    name = bucket.save("avatars/picture.png", ContentFile(b"pixels"))
    assert KEPT == {"/uploads/avatars/picture.png": b"pixels"}
    assert bucket.url(name) == "http://media.example.com/avatars/picture.png"
    bucket.delete(name)
    assert KEPT == {}
