"""What is reported of a fault, and what is not. A Sentry of the test's own listens."""

import gzip
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from makerlog.api.reporting import without_what_makers_sent

FAULT = """
import sys
import sentry_sdk
from makerlog.api.reporting import report_to
report_to(sys.argv[1])
try:
    password = "hunter2"
    raise RuntimeError("a fault of ours")
except RuntimeError:
    sentry_sdk.capture_exception()
sentry_sdk.flush(5)
"""


class Inbox(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def inbox() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Inbox)
    server.received = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_fault_is_reported_with_its_traceback_and_without_what_was_in_it(inbox: HTTPServer) -> None:
    dsn = f"http://key@127.0.0.1:{inbox.server_port}/1"
    subprocess.run([sys.executable, "-c", FAULT, dsn], check=True, timeout=60)
    text = b"".join(inbox.received).decode()  # type: ignore[attr-defined]
    assert "a fault of ours" in text
    assert "stacktrace" in text
    assert "hunter2" not in text
    assert '"vars"' not in text


def test_a_request_is_reported_without_its_secrets() -> None:
    event = without_what_makers_sent(
        {
            "request": {
                "method": "POST",
                "url": "https://makerlog.example.com/accounts/email_activate/MQ/" + "s" * 40 + "?token=mkl_secret",
                "headers": {"Authorization": "Token mkl_secret", "Cookie": "sessionid=1", "User-Agent": "app/1"},
                "data": {"password": "hunter2"},
                "cookies": {"sessionid": "1"},
                "query_string": "token=mkl_secret",
            },
            "breadcrumbs": {"values": [{"message": "SELECT secret"}]},
        },
        {},
    )
    assert event == {
        "request": {
            "method": "POST",
            "url": "https://makerlog.example.com/accounts/email_activate/MQ/…",
            "headers": {"User-Agent": "app/1"},
        }
    }
