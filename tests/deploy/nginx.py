"""nginx as Dokku sets it up: deploy/nginx.conf.sigil, rendered by Go, in an http block."""

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.embedded import wait_until
from tests.debian import needs
from tests.deploy.hosts import ROOT

TEMPLATE = ROOT / "deploy" / "nginx.conf.sigil"
SIGIL = Path(__file__).parent / "sigil" / "main.go"

# What nginx's own nginx.conf says around us; with every path in a folder of the test's.
AROUND = """
daemon off; master_process on; worker_processes 2; pid {folder}/nginx.pid; error_log {folder}/main-error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; server_names_hash_bucket_size 128;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  {inside}
}}
"""


def sigil() -> Path:
    """The renderer, built once for each version of its source."""
    digest = hashlib.sha256(SIGIL.read_bytes()).hexdigest()[:12]
    built = Path(tempfile.gettempdir()) / f"makerlog-sigil-{os.getuid()}-{digest}"
    if not built.exists():
        draft = built.with_suffix(f".{os.getpid()}")
        subprocess.run([needs("go"), "build", "-o", str(draft), str(SIGIL)], check=True, cwd=SIGIL.parent)
        draft.rename(built)
    return built


def variables(folder: Path, web: str, **more: str) -> dict[str, str]:
    """What Dokku hands to the template of an app "makerlog"; ``web``: its listeners, "127.0.0.1:5000"."""
    port = web.split(" ")[0].rpartition(":")[2]
    given = {
        "APP": "makerlog",
        "DOKKU_ROOT": str(folder / "dokku"),
        "DOKKU_LIB_ROOT": "/var/lib/dokku",
        "NOSSL_SERVER_NAME": "makerlog.test",
        "SSL_SERVER_NAME": "",
        "SSL_INUSE": "",
        "APP_SSL_PATH": str(folder / "tls"),
        "DOKKU_APP_WEB_LISTENERS": web,
        "PROXY_PORT_MAP": f"http:80:{port}",
        "PROXY_UPSTREAM_PORTS": port,
        "PROXY_PORT": "80",
        "PROXY_SSL_PORT": "443",
        "NGINX_BIND_ADDRESS_IP4": "",
        "NGINX_BIND_ADDRESS_IP6": "::",
        "NGINX_ACCESS_LOG_PATH": str(folder / "access.log"),
        "NGINX_ERROR_LOG_PATH": str(folder / "error.log"),
        "NGINX_ACCESS_LOG_FORMAT": "",
        "PROXY_X_FORWARDED_FOR": "$remote_addr",
    }
    return given | more


def rendered(given: dict[str, str]) -> str:
    command = [str(sigil()), "-f", str(TEMPLATE), *(f"{name}={value}" for name, value in given.items())]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def refusal_of(inside: str, folder: Path) -> str:
    """What `nginx -t` says against a configuration; "" when it is accepted."""
    written = folder / "checked.conf"
    written.write_text(AROUND.format(folder=folder, inside=inside))
    done = subprocess.run([needs("nginx"), "-t", "-q", "-c", str(written)], capture_output=True, text=True)
    return done.stderr if done.returncode or "warn" in done.stderr else ""


def certificate(folder: Path) -> None:
    """A self-signed one, as server.crt and server.key."""
    folder.mkdir(parents=True, exist_ok=True)
    made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=makerlog.test".split()
    files = ["-keyout", str(folder / "server.key"), "-out", str(folder / "server.crt")]
    subprocess.run([needs("openssl"), *made, *files], check=True, capture_output=True)


class Nginx:
    """One nginx in ``folder``, on ``ports``. ``within``: what its command begins with, to run on another host."""

    def __init__(self, folder: Path, inside: str, ports: list[int], within: tuple[str, ...] = ()) -> None:
        self.folder, self.ports = folder, ports
        self.written = folder / "nginx.conf"
        self.write(inside)
        program = needs("nginx")
        self.process = subprocess.Popen(
            [*within, program, "-e", str(folder / "main-error.log"), "-c", str(self.written)], stderr=subprocess.PIPE
        )

    def write(self, inside: str) -> None:
        self.written.write_text(AROUND.format(folder=self.folder, inside=inside))

    def wait(self, at: str = "127.0.0.1") -> None:
        assert wait_until(lambda: all(listens(at, port) for port in self.ports), seconds=10), self.errors()

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def errors(self) -> str:
        return (self.folder / "main-error.log").read_text()

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=10)


def listens(at: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((at, port)) == 0


@contextmanager
def nginx(folder: Path, inside: str, ports: list[int]) -> Iterator[Nginx]:
    started = Nginx(folder, inside, ports)
    try:
        started.wait()
        yield started
    finally:
        started.stop()
        shutil.rmtree(folder / "proxy", ignore_errors=True)
