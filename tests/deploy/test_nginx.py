"""deploy/nginx.conf.sigil: rendered as Dokku renders it, accepted by a real nginx, and with the service behind it."""

import contextlib
import http.client
import io
import json
import random
import re
import select
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import pytest
from PIL import Image
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from deploy.embedded import wait_until
from makerlog.gate.answers import EXPOSED
from makerlog.gate.limits import Limits
from tests.attack.machines.load import go_on, load
from tests.deploy.hosts import ROOT, App, Data, Reply, ask, ask_on, data
from tests.deploy.http2 import Http2
from tests.deploy.nginx import TEMPLATE, Nginx, certificate, listens, nginx, refusal_of, rendered, sigil, variables
from tests.deploy.upgrade import newer_code, read_meanwhile, release, written
from tests.ports import free_port

BANNED, NEIGHBOUR = "93.184.216.34", "93.184.216.35"
CDN = "127.0.0.77"  # where its requests come from
FLOODER = "127.0.0.9"  # banned at nginx
NEXT = "127.0.0.3"  # of the container that takes over from web
REACH_S = 1.0
DRAIN_S = 2.0  # between nginx's reload and SIGTERM; a minute on Dokku
READ_S = 10.0  # longer than it takes to start a command and than a request waits for a lock
METRICS_TOKEN = "m3trics"

pytestmark = pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2", NEXT, "::1"])  # ops has an address of its own


# --- The template ---


@pytest.fixture(scope="module", autouse=True)
def _renderer() -> None:
    sigil()


CASES = {
    "while it is validated": {"PROXY_PORT_MAP": "http:80:5000"},
    "with TLS": {"PROXY_PORT_MAP": "http:80:5000 https:443:5000", "SSL_INUSE": "true"},
    "with TLS on another port": {
        "PROXY_PORT_MAP": "http:80:5000 https:8443:5000",
        "SSL_INUSE": "true",
        "PROXY_SSL_PORT": "8443",
    },
    "with ops": {"DOKKU_APP_OPS_LISTENERS": "127.0.0.3:5000"},
    "with three web containers and two of ops": {
        "DOKKU_APP_WEB_LISTENERS": "127.0.0.1:5000 127.0.0.2:5000 127.0.0.3:5000",
        "DOKKU_APP_OPS_LISTENERS": "127.0.0.4:5000 127.0.0.5:5000",
    },
    "without a container": {"DOKKU_APP_WEB_LISTENERS": ""},
    "on two ports": {"PROXY_PORT_MAP": "http:80:5000 http:8080:5001", "PROXY_UPSTREAM_PORTS": "5000 5001"},
    "without an access log": {"NGINX_ACCESS_LOG_PATH": "off"},
    "on one address": {"NGINX_BIND_ADDRESS_IP4": "127.0.0.1", "NGINX_BIND_ADDRESS_IP6": "::1"},
    "without a domain": {"NOSSL_SERVER_NAME": ""},
}


@pytest.mark.parametrize("case", CASES)
def test_nginx_accepts_what_is_rendered(case: str, tmp_path: Path) -> None:
    certificate(tmp_path / "tls")
    assert refusal_of(rendered(variables(tmp_path, "127.0.0.1:5000", **CASES[case])), tmp_path) == ""


def test_two_apps_from_one_template_live_in_one_nginx(tmp_path: Path) -> None:
    texts = [
        rendered(variables(tmp_path, "127.0.0.1:5000", APP=app, NOSSL_SERVER_NAME=app))
        for app in ("makerlog", "staging-2")
    ]
    assert refusal_of("\n".join(texts), tmp_path) == ""


def test_newer_nginx_is_told_of_http2_in_its_own_words(tmp_path: Path) -> None:
    tls = CASES["with TLS"]
    newer = rendered(variables(tmp_path, "127.0.0.1:5000", HTTP2_DIRECTIVE_SUPPORTED="true", **tls))
    assert "http2 on;" in newer
    assert "ssl http2" not in newer
    assert "http2 on;" not in rendered(variables(tmp_path, "127.0.0.1:5000", **tls))


def test_the_numbers_are_those_of_the_gate() -> None:
    limits, text = Limits(), TEMPLATE.read_text()
    mib = limits.upload // 1024 // 1024
    for line in (
        f"client_header_timeout {limits.head_seconds:.0f}s;",
        f"large_client_header_buffers 4 {limits.head // 4 // 1024}k;",
        f"client_body_timeout {limits.body_seconds:.0f}s;",
        f"client_max_body_size {mib}m;",
        f"send_timeout {limits.write_seconds:.0f}s;",
        f"connections {limits.connections_per_peer};",
        f"larger than {limits.upload} bytes",
    ):
        assert line in text, line
    assert max(lane.deadline for lane in limits.lanes) <= 20, "see proxy_read_timeout"
    assert f'Expose-Headers "{", ".join(EXPOSED)}"' in text


def test_every_refusal_of_nginx_itself_has_words() -> None:
    text = TEMPLATE.read_text()
    found = re.search(r"\$makerlog_refusal \{(.*?)\}';\s*\}", text, re.DOTALL)
    assert found is not None
    bodies = dict(re.findall(r"^  (\w+) '(.*)';$", found.group(0), re.MULTILINE))
    codes = " ".join(re.findall(r"error_page ([\d ]+) [@/]", text)).split()
    assert set(codes) - {"400"} | {"431"} <= bodies.keys()
    for body in bodies.values():
        assert json.loads(body).keys() == {"detail", "code"}


# --- nginx alone ---


def test_without_a_service_the_answer_is_ours_and_says_when_to_come_back(tmp_path: Path) -> None:
    port = free_port()
    given = variables(tmp_path, "", PROXY_PORT_MAP=f"http:{port}:5000", PROXY_UPSTREAM_PORTS="5000")
    with nginx(tmp_path, rendered(given), [port]):
        for reply in (ask("127.0.0.1", port, "/tasks/"), ask("127.0.0.1", port, "/tasks/", "POST", {"content": "x"})):
            assert (reply.status, reply.json["code"], reply.headers["retry-after"]) == (502, "unavailable", "1")
            assert_is_ours(reply)


def test_one_address_has_so_many_requests_at_once(tmp_path: Path) -> None:
    """Before a service that never answers: so every request that is let through is held."""
    port, request, beyond = free_port(), b"GET /tasks/ HTTP/1.1\r\nHost: makerlog.test\r\n\r\n", 40
    with contextlib.ExitStack() as stack:
        silent = stack.enter_context(socket.create_server(("127.0.0.1", free_port()), backlog=1024))
        behind = silent.getsockname()[1]
        given = variables(tmp_path, f"127.0.0.1:{behind}", PROXY_PORT_MAP=f"http:{port}:{behind}")
        stack.enter_context(nginx(tmp_path, rendered(given), [port]))
        held = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5, source_address=(FLOODER, 0)))
            for _ in range(Limits().connections_per_peer + beyond)
        ]
        for each in held:
            each.sendall(request)
        assert within(10, lambda: len(answered(held)) >= beyond)
        assert said(port, request) == b"", "another waits for the service, as all who were let through"
        refused = answered(held)
        assert len(refused) == beyond
        assert all(each.recv(65536).startswith(b"HTTP/1.1 429 ") for each in refused)


def answered(sockets: list[socket.socket]) -> list[socket.socket]:
    return select.select(sockets, [], [], 0)[0]


def test_what_is_no_tls_yet_is_led_there_with_its_method(tmp_path: Path) -> None:
    certificate(tmp_path / "tls")
    text = rendered(variables(tmp_path, "127.0.0.1:5000", **CASES["with TLS"]))
    first = text.index("listen 80;")
    assert "return 308 https://$host$request_uri;" in text[first : text.index("listen 443")]


def assert_is_ours(reply: Reply) -> None:
    assert reply.json.keys() == {"detail", "code"}
    assert reply.headers["content-type"] == "application/json"
    assert re.fullmatch("[0-9a-f]{32}", reply.headers["x-request-id"])
    assert reply.headers["access-control-allow-origin"] == "*"
    assert reply.headers["cache-control"] == "no-store"


# --- The whole way ---


@dataclass
class Front:
    """The service, its ops process, nginx before them and a CDN before that."""

    data: Data
    token: str
    web: App
    ops: App
    nginx: Nginx
    plain: int  # ports
    tls: int
    cdn: int
    cdn_tls: int
    folder: Path
    given: dict[str, str]  # to the template

    def replace_web(self, newer: App) -> None:
        """As a deploy does: a container beside the old one, nginx, and SIGTERM to the old one."""
        old, self.web = self.web, newer
        self.given["DOKKU_APP_WEB_LISTENERS"] = f"{newer.at}:{newer.port}"
        self.nginx.write(rendered(self.given) + self.edge())
        self.nginx.reload()
        time.sleep(DRAIN_S)
        assert old.stop() == 0, old.log.read_text()

    def edge(self) -> str:
        return edge(self.folder, self.cdn, self.cdn_tls, self.tls)

    def start_ops(self) -> None:
        self.ops = ops_of(self.data, self.ops.port)
        self.ops.wait()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "access.log").read_text().splitlines()]

    def line_of(self, path: str) -> dict[str, Any]:
        """Of a path that was asked for once: of one of two, the other may not be written yet. See ``line_about``."""
        return self._line("path", path)

    def line_about(self, reply: Reply) -> dict[str, Any]:
        return self._line("id", reply.headers["x-request-id"])

    def _line(self, field: str, value: str) -> dict[str, Any]:
        """Once it is written."""
        assert wait_until(lambda: any(line[field] == value for line in self.lines()), seconds=5), value
        return next(line for line in self.lines() if line[field] == value)

    def through_cdn(self, address: str) -> http.client.HTTPConnection:
        """An open connection of a client at ``address``."""
        connection = http.client.HTTPConnection("127.0.0.1", self.cdn, timeout=10)
        connection.sock = proxied(self.cdn, address)
        return connection

    def http2_through_cdn(self, address: str) -> Http2:
        return Http2(self.cdn_tls, preamble=line_of(address))

    def stream_through_cdn(self, address: str) -> ClientConnection:
        sock = proxied(self.cdn, address)
        return connect("ws://makerlog.test/explore/stream/", sock=sock, ping_interval=None, proxy=None, open_timeout=10)


def line_of(address: str) -> bytes:
    """The PROXY protocol: how a test has clients all over the world."""
    return f"PROXY TCP4 {address} 127.0.0.1 40000 80\r\n".encode()


def proxied(port: int, address: str) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=10)
    sock.sendall(line_of(address))
    return sock


EDGE = """
server {{
  listen 127.0.0.1:{cdn} proxy_protocol;
  listen 127.0.0.1:{cdn_tls} ssl http2 proxy_protocol;
  ssl_certificate {folder}/tls/server.crt; ssl_certificate_key {folder}/tls/server.key;
  set_real_ip_from 127.0.0.1; real_ip_header proxy_protocol;
  client_max_body_size 0; proxy_request_buffering off;
  location / {{
    proxy_pass https://127.0.0.1:{tls}; proxy_ssl_verify off; proxy_bind {address};
    proxy_http_version 1.1; proxy_set_header Host makerlog.test;
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $makerlog_connection;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header Forwarded "for=8.8.8.8"; proxy_set_header X-Real-IP "8.8.8.8";
  }}
}}
"""


def edge(folder: Path, cdn: int, cdn_tls: int, tls: int) -> str:
    return EDGE.format(cdn=cdn, cdn_tls=cdn_tls, tls=tls, folder=folder, address=CDN)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("nginx")
    plain, tls, cdn, cdn_tls, port = (free_port() for _ in range(5))
    certificate(folder / "tls")
    own = folder / "dokku" / "makerlog" / "nginx.conf.d"
    own.mkdir(parents=True)
    (own / "cdn.conf").write_text(f"set_real_ip_from {CDN};\n")
    (own / "flooder.conf").write_text(f"deny {FLOODER};\n")
    given = variables(
        folder,
        f"127.0.0.1:{port}",
        DOKKU_APP_OPS_LISTENERS=f"127.0.0.2:{port}",
        PROXY_PORT_MAP=f"http:{plain}:{port} https:{tls}:{port}",
        SSL_INUSE="true",
    )
    with data() as shared, contextlib.ExitStack() as stack:
        web = web_of(shared, port)
        ops = ops_of(shared, port)
        text = rendered(given) + edge(folder, cdn, cdn_tls, tls)
        server = stack.enter_context(nginx(folder, text, [plain, tls, cdn, cdn_tls]))
        token = shared.token()
        web.wait()
        ops.wait()
        made = Front(shared, token, web, ops, server, plain, tls, cdn, cdn_tls, folder, given)
        yield made


def web_of(shared: Data, port: int, at: str = "127.0.0.1", code: Path = ROOT) -> App:
    return App(shared, port=port, at=at, code=code, GUNICORN_CMD_ARGS=f"--bind={at}:{port}")


def ops_of(shared: Data, port: int) -> App:
    """In a container of its own, at the port of web's: so an address of its own."""
    given = {"PROCESS": "ops", "METRICS_TOKEN": METRICS_TOKEN, "GUNICORN_CMD_ARGS": f"--bind=127.0.0.2:{port}"}
    return App(shared, port=port, at="127.0.0.2", **given)


@contextlib.contextmanager
def banned(front: Front, address: str) -> Iterator[float]:
    """When it was set. Afterwards the worker has heard that it is lifted: the next test may ban the same address."""
    front.data.manage("ban", address, "--for", "1h")
    try:
        yield time.monotonic()
    finally:
        front.data.manage("unban", address)
        with contextlib.closing(front.through_cdn(address)) as connection:
            assert within(5, lambda: ask_on(connection, "/static/nothing").status == 404)


def within(seconds: float, true: Callable[[], bool]) -> bool:
    return wait_until(true, seconds=seconds)


def test_reads_and_writes_pass_and_connections_to_the_service_stay_open(front: Front) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", front.plain, timeout=10)
    assert ask_on(connection, "/tasks/?limit=1").status == 200
    written = ask_on(connection, "/tasks/", "POST", {"content": "Through nginx"}, Authorization=f"Token {front.token}")
    assert written.status == 201
    assert written.json["id"]
    before = established(front.web)
    for _ in range(20):
        assert ask_on(connection, "/tasks/?limit=1").status == 200
    assert established(front.web) <= before + 1
    connection.close()


def established(app: App) -> int:
    worker = app.tree()[1]
    return sum(1 for each in worker.net_connections("tcp") if each.raddr and each.laddr.port == app.port)


def test_answers_are_compressed_for_who_takes_it_and_their_etag_still_works(front: Front) -> None:
    reply = ask("127.0.0.1", front.plain, "/tasks/?limit=20", Accept_Encoding="gzip")
    assert reply.headers["content-encoding"] == "gzip"
    again = ask(
        "127.0.0.1", front.plain, "/tasks/?limit=20", Accept_Encoding="gzip", If_None_Match=reply.headers["etag"]
    )
    assert again.status == 304
    assert "content-encoding" not in ask("127.0.0.1", front.plain, "/admin/login/", Accept_Encoding="gzip").headers


def test_no_client_chooses_its_own_address(front: Front) -> None:
    with banned(front, BANNED) as since:
        banned_one = front.through_cdn(BANNED)
        assert within(since + REACH_S - time.monotonic(), lambda: ask_on(banned_one, "/static/nothing").status == 403)
        for forged in ("8.8.8.8", f"{CDN}", f"8.8.8.8, {CDN}", "127.0.0.1", f"{NEIGHBOUR}, {CDN}, {CDN}"):
            headers = {
                "X_Forwarded_For": forged,
                "X_Real_IP": "8.8.8.8",
                "Forwarded": "for=8.8.8.8",
                "CF_Connecting_IP": forged,
            }
            assert ask_on(banned_one, "/static/nothing", **headers).status == 403, forged
        # Past the CDN: who says there that he is the banned one is only himself, and nobody else is hit either.
        reply = ask("127.0.0.1", front.plain, "/static/nothing", X_Forwarded_For=BANNED)
        assert (reply.status, front.line_about(reply)["address"]) == (404, "127.0.0.1")
        banned_one.close()


def test_a_ban_bites_on_open_connections_of_every_kind_and_not_on_neighbours(front: Front) -> None:
    with contextlib.ExitStack() as stack:
        open_ones = {}
        for address in (BANNED, NEIGHBOUR):
            one = stack.enter_context(contextlib.closing(front.through_cdn(address)))
            two = stack.enter_context(front.http2_through_cdn(address))
            stream = stack.enter_context(front.stream_through_cdn(address))
            open_ones[address] = (one, two, stream)
            assert ask_on(one, "/tasks/?limit=1").status == two.get("/tasks/?limit=1") == 200
        with banned(front, BANNED) as since:
            one, two, stream = open_ones[BANNED]
            left = since + REACH_S - time.monotonic()
            assert within(left, lambda: ask_on(one, "/tasks/?limit=1").status == two.get("/tasks/?limit=1") == 403)
            with pytest.raises(ConnectionClosed) as closed:
                stream.recv(timeout=max(0.05, since + REACH_S - time.monotonic()))
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4403
            one, two, stream = open_ones[NEIGHBOUR]
            assert ask_on(one, "/tasks/?limit=1").status == two.get("/tasks/?limit=1") == 200
            post = {"content": "Heard by the neighbour"}
            assert (
                ask("127.0.0.1", front.plain, "/tasks/", "POST", post, Authorization=f"Token {front.token}").status
                == 201
            )
            assert json.loads(stream.recv(timeout=5))["type"] == "task.created"


def test_the_admin_is_served_by_ops_and_by_web_when_ops_is_gone(front: Front) -> None:
    with contextlib.closing(front.through_cdn("93.184.216.40")) as connection:
        for path in ("/admin/login/", "/metrics/", "/metrics", "/health/ready/"):
            reply = ask_on(connection, path, Authorization=f"Bearer {METRICS_TOKEN}")
            assert reply.status == 200
            assert front.line_about(reply)["upstream"].startswith("127.0.0.2:"), path
        reply = ask_on(connection, "/administrators/")
        assert reply.status == 404
        assert front.line_about(reply)["upstream"].startswith(f"{front.web.at}:")
        assert ask_on(connection, "/metrics/").status == 403  # from outside: for who knows the secret
        front.ops.kill()
        try:
            reply = ask_on(connection, "/admin/login/")
            assert reply.status == 200
            assert front.line_about(reply)["upstream"].endswith(f"{front.web.at}:{front.web.port}")
        finally:
            front.start_ops()


def test_a_member_of_the_staff_signs_in_through_the_cdn(front: Front) -> None:
    """Cookies, CSRF and redirects survive two proxies and TLS."""
    password = token_urlsafe()
    front.data.manage(
        *"createsuperuser --noinput --username rosa --email r@example.com".split(), DJANGO_SUPERUSER_PASSWORD=password
    )
    connection = front.through_cdn("93.184.216.41")
    page = ask_on(connection, "/admin/login/")
    secret = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.body.decode())
    assert secret is not None
    form = f"username=rosa&password={password}&csrfmiddlewaretoken={secret.group(1)}&next=/admin/"
    headers = {
        "Content_Type": "application/x-www-form-urlencoded",
        "Cookie": page.headers["set-cookie"].partition(";")[0],
    }
    headers |= {"Referer": "https://makerlog.test/admin/login/"}
    assert ask_on(connection, "/admin/login/", "POST", form.encode(), **headers).status == 302
    connection.close()


def test_an_upload_passes_and_what_is_too_large_is_refused_before_it_is_sent(front: Front) -> None:
    picture = noise()
    assert 1024 * 1024 < len(picture) < 10 * 1024 * 1024
    kind, body = multipart(picture)
    token = {"Authorization": f"Token {front.token}"}
    assert ask("127.0.0.1", front.plain, "/tasks/", "POST", body, Content_Type=kind, **token).status == 201
    # Of who has no token the service refuses it on the headers; of nobody does nginx take more than 10 MiB.
    refused = announced(front.plain, "/tasks/", len(body), kind)
    assert b" 413 " in refused.partition(b"\r\n")[0]
    reply = announced(front.plain, "/tasks/?token=s3cret", 11 * 1024 * 1024, kind)
    assert b" 413 " in reply.partition(b"\r\n")[0]
    assert b'"code": "body_too_large"' in reply
    assert b"Access-Control-Allow-Origin: *" in reply


def noise() -> bytes:
    size = (800, 700)
    image = Image.frombytes("RGB", size, random.Random(1).randbytes(size[0] * size[1] * 3))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def multipart(picture: bytes) -> tuple[str, bytes]:
    parts = b'--edge\r\nContent-Disposition: form-data; name="content"\r\n\r\nA picture\r\n'
    parts += b'--edge\r\nContent-Disposition: form-data; name="attachment"; filename="a.png"\r\n'
    parts += b"Content-Type: image/png\r\n\r\n"
    return "multipart/form-data; boundary=edge", parts + picture + b"\r\n--edge--\r\n"


def announced(port: int, path: str, size: int, kind: str) -> bytes:
    """What is answered to headers alone."""
    head = f"POST {path} HTTP/1.1\r\nHost: makerlog.test\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n\r\n"
    return said(port, head.encode())


def said(port: int, sent: bytes, source: str = "127.0.0.1") -> bytes:
    """What is answered until the other side closes, or is silent for a moment."""
    with socket.create_connection(("127.0.0.1", port), timeout=3, source_address=(source, 0)) as sock:
        sock.sendall(sent)
        got = b""
        with contextlib.suppress(TimeoutError, ConnectionError):
            while piece := sock.recv(65536):
                got += piece
                sock.settimeout(0.5)
        return got


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: makerlog.test\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: makerlog.test\r\nCookie: " + b"a" * 9000 + b"\r\n\r\n", 431),
        (b"TRACE / HTTP/1.1\r\nHost: makerlog.test\r\n\r\n", 405),
    ],
)
def test_what_is_no_request_is_refused_in_our_words(front: Front, sent: bytes, status: int) -> None:
    answer = said(front.plain, sent)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f" {status} ".encode() in head.partition(b"\r\n")[0], answer
    assert json.loads(body).keys() == {"detail", "code"}
    assert b"X-Request-Id: " in head


def test_one_address_that_floods_is_told_to_come_back_and_no_other(front: Front) -> None:
    """FLOODER is refused by nginx itself, so that it is fast enough on any machine."""
    request = b"GET /health HTTP/1.1\r\nHost: makerlog.test\r\n\r\n"
    answers = b"".join(said(front.plain, request * 900, source=FLOODER) for _ in range(5))
    told = answers.count(b"HTTP/1.1 429 ")
    assert told > 1000
    head, _, body = answers[answers.index(b"HTTP/1.1 429 ") :].split(b"HTTP/1.1", 2)[1].partition(b"\r\n\r\n")
    assert b"Retry-After: 1" in head
    assert json.loads(body)["code"] == "throttled"
    assert ask("127.0.0.1", front.plain, "/health").status == 200
    assert sum(line["status"] == "429" for line in front.lines()) < told / 20  # one in a hundred is logged


def test_no_secret_reaches_a_log(front: Front) -> None:
    secret = "s3cret" * 3
    for path in (
        f"/explore/stream/?token={secret}",
        f"/tasks/?limit=1&tok%65n={secret}",
        f"/tasks/?API_KEY={secret}&limit=1",
        f"/accounts/reset/MQ/{secret}/",
        f"/%61ccounts/email_activate/MQ/{secret}/",
        f"//accounts/reset/MQ/{secret}/",
    ):
        ask("127.0.0.1", front.plain, path, X_Secret=secret)
    announced(front.plain, f"/tasks/?token={secret}", 11 * 1024 * 1024, "text/plain")
    assert front.line_of("/explore/stream/?[hidden]")
    assert front.line_of("/accounts/reset/[hidden]")
    assert front.line_of("/accounts/email_activate/[hidden]")
    for log in front.folder.glob("*.log"):
        assert secret not in log.read_text(), log.name


def test_a_line_of_the_log_has_the_id_that_the_client_was_given(front: Front) -> None:
    reply = ask("127.0.0.1", front.plain, "/tasks/?limit=7")
    assert front.line_of("/tasks/?limit=7")["id"] == reply.headers["x-request-id"]


def test_the_bans_that_nginx_is_given_hold_there_too(front: Front) -> None:
    front.data.manage("ban", "93.184.217.9", "--applies-to", "everything")
    written = front.folder / "dokku" / "makerlog" / "nginx.conf.d" / "bans.conf"
    try:
        written.write_text(front.data.manage("bans", "--format", "nginx"))
        front.nginx.reload()

        def refused() -> bool:
            with contextlib.closing(front.through_cdn("93.184.217.9")) as connection:
                reply = ask_on(connection, "/health")  # which the service answers to anybody
                return reply.status == 403 and reply.json["code"] == "banned"

        assert within(10, refused)
    finally:
        written.unlink()
        front.nginx.reload()
        front.data.manage("unban", "93.184.217.9")


def test_a_worker_that_is_replaced_loses_no_post(front: Front) -> None:
    port = front.web.port
    recycling = f"--bind={NEXT}:{port} --max-requests=80 --max-requests-jitter=0 --keep-alive=2"
    app = App(front.data, port=port, at=NEXT, GUNICORN_CMD_ARGS=recycling)
    app.wait()
    front.replace_web(app)
    workers: set[int] = set()
    with load(front.plain, front.data.tokens(8), rate=40) as going:
        for _ in range(40):
            go_on(going, 30)
            workers |= {each.pid for each in app.tree()[1:]}
            if len(workers) > 2:
                break
    try:
        assert len(workers) > 2
        assert not going.failures()
    finally:
        again = web_of(front.data, port)
        again.wait()
        front.replace_web(again)


def test_a_request_on_its_way_to_a_server_that_stops_is_answered(front: Front) -> None:
    """nginx has sent it on a connection that was idle when SIGTERM came."""
    app = App(front.data)
    app.wait()
    used, fresh = (http.client.HTTPConnection("127.0.0.1", app.port, timeout=10) for _ in range(2))
    with contextlib.closing(used), contextlib.closing(fresh):
        assert ask_on(used, "/tasks/?limit=1").headers.get("connection") is None
        fresh.connect()
        time.sleep(0.2)
        worker = app.tree()[1]
        app.process.terminate()
        assert within(10, lambda: not listens("127.0.0.1", app.port))
        for number, connection in enumerate((used, fresh)):
            body = {"content": f"Sent while the server stops, {number}"}
            reply = ask_on(connection, "/tasks/", "POST", body, Authorization=f"Token {front.token}")
            assert (reply.status, reply.headers["connection"]) == (201, "close")
    assert within(10, lambda: not worker.is_running())
    assert app.process.wait(10) == 0


def test_an_upgrade_with_a_migration_fails_no_request(front: Front) -> None:
    """On one machine; on two, under a flood and back again: tests/attack/machines."""
    newer = newer_code(front.folder, front.data)
    with load(front.plain, front.data.tokens(4)) as going:
        go_on(going, 10)
        with read_meanwhile(front.data, READ_S):
            assert "A table is in use" in release(newer, front.data)
        go_on(going, 10)  # old code, new schema
        app = web_of(front.data, front.web.port, NEXT, newer)
        app.wait()
        front.replace_web(app)
        after = len(going.accepted)
        go_on(going, 20)
    assert not going.failures()
    assert written(front.data, going.accepted) == dict.fromkeys(going.accepted, 1)
    assert written(front.data, going.accepted, by=True).keys() == {"older", "newer"}
    assert written(front.data, going.accepted[after:], by=True).keys() == {"newer"}
