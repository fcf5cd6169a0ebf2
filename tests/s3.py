"""A small server that speaks as much S3 as uploads need, and keeps what it is sent: PUT, HEAD, GET, DELETE and lists."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

SETTINGS = {
    "MEDIA_S3_BUCKET": "uploads",
    "MEDIA_S3_PUBLIC_URL": "http://media.example.com",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}
LIST = '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>{more}</IsTruncated>{rest}</ListBucketResult>'
PAGE = 2  # keys in one answer, so that whoever lists must go on


class Bucket(ThreadingHTTPServer):
    """``kept``: every object by its path, ``/bucket/key``."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.kept: dict[str, bytes] = {}
        self.refuses = ""  # the end of a path that cannot be written

    @property
    def settings(self) -> dict[str, str]:
        return {**SETTINGS, "MEDIA_S3_ENDPOINT": f"http://127.0.0.1:{self.server_port}"}


@contextmanager
def running_bucket() -> Iterator[Bucket]:
    bucket = Bucket()
    thread = threading.Thread(target=bucket.serve_forever, args=[0.01])
    thread.start()
    try:
        yield bucket
    finally:
        bucket.shutdown()
        thread.join()
        bucket.server_close()


class Handler(BaseHTTPRequestHandler):
    server: Bucket

    @property
    def name(self) -> str:
        return unquote(urlsplit(self.path).path)

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if "aws-chunked" in self.headers.get("Content-Encoding", ""):
            body = unchunked(body)
        refused = bool(self.server.refuses) and self.name.endswith(self.server.refuses)
        if not refused:
            self.server.kept[self.name] = body
        self.answer(403 if refused else 200)

    def do_HEAD(self) -> None:
        self.answer(200 if self.name in self.server.kept else 404)

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        if "delimiter" in asked:
            self.answer(200, self.listed({name: values[0] for name, values in asked.items()}))
        else:
            self.answer(200 if self.name in self.server.kept else 404, self.server.kept.get(self.name, b""))

    def do_DELETE(self) -> None:
        self.server.kept.pop(self.name, None)
        self.answer(204)

    def listed(self, asked: dict[str, str]) -> bytes:
        """One page of the keys below a prefix; what lies deeper is told as folders."""
        prefix, begin = asked.get("prefix", ""), f"{self.name.rstrip('/')}/"
        keys = [path.removeprefix(begin) for path in self.server.kept if path.startswith(begin + prefix)]
        rests = {key.removeprefix(prefix) for key in keys}
        found = sorted({prefix + rest.split("/")[0] + ("/" if "/" in rest else "") for rest in rests})
        after = [name for name in found if name > asked.get("marker", "")]
        page, more = after[:PAGE], len(after) > PAGE
        told = [entry(name) for name in page]
        if more:
            told.append(f"<NextMarker>{escape(page[-1])}</NextMarker>")
        return LIST.format(more=str(more).lower(), rest="".join(told)).encode()

    def answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def entry(name: str) -> str:
    if name.endswith("/"):
        return f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>"
    return f"<Contents><Key>{escape(name)}</Key></Contents>"


def unchunked(body: bytes) -> bytes:
    """The body of an upload that boto3 sends in signed pieces."""
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        whole += body[:length]
        body = body[length + 2 :] if length else b""
    return whole
