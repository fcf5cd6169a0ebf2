"""PostgreSQL on loopback that speaks TLS: Debian's own, and the wheel's behind a small server that takes the TLS off."""

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

import psycopg2

from deploy.embedded import identity, let_pass, own_directory, wait_until
from tests.debian import needs
from tests.ports import free_port

DEBIAN = "/usr/lib/postgresql/15/bin/postgres"
TLS_PLEASE = (8).to_bytes(4) + (80877103).to_bytes(4)  # SSLRequest, before a client's first message


@dataclass(frozen=True)
class Server:
    major: int
    port: int
    certificate: Path

    def url(self, name: str) -> str:
        return (
            f"postgresql://makerlog:secret@127.0.0.1:{self.port}/{name}"
            f"?sslmode=verify-full&sslrootcert={self.certificate}&gssencmode=disable"
        )

    def answers(self) -> bool:
        try:
            psycopg2.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg2.Error:
            return False
        return True


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that vouches for itself, and its key."""
    certificate, key = folder / "server.crt", folder / "server.key"
    command = [needs("openssl"), "req", "-new", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


@contextlib.contextmanager
def debian_server(folder: Path) -> Iterator[Server]:
    """Refuses whoever comes without TLS."""
    program = Path(needs(DEBIAN))
    port, data, password = free_port(), folder / "data", folder / "password"
    certificate, key = make_certificate(folder)
    password.write_text("secret\n")
    own_directory(folder)
    initdb = [program.with_name("initdb"), "-D", data, "--username=makerlog", "--auth=scram-sha-256", "--no-sync"]
    initdb += ["--encoding=UTF8", "--locale=C", f"--pwfile={password}"]
    subprocess.run(list(map(str, initdb)), check=True, capture_output=True, **identity())
    (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
    options = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "fsync": "off"}
    options |= {"ssl": "on", "ssl_cert_file": certificate, "ssl_key_file": key}
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    server = Server(15, port, certificate)
    process = subprocess.Popen(
        [str(program), "-D", str(data), *settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **identity()
    )
    try:
        assert wait_until(server.answers, seconds=60), process.poll()
        yield server
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def wheel_server(folder: Path, sockets: Path) -> Iterator[Server]:
    """The PostgreSQL of the tests, which was built without TLS."""
    let_pass(folder)
    certificate, key = make_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            if self.request.recv(8, socket.MSG_WAITALL) != TLS_PLEASE:
                return
            self.request.sendall(b"S")
            with (
                context.wrap_socket(self.request, server_side=True) as outside,
                socket.socket(socket.AF_UNIX) as inside,
            ):
                inside.connect(str(sockets / ".s.PGSQL.5432"))
                back = threading.Thread(target=pass_on, args=[inside, outside], daemon=True)
                back.start()
                pass_on(outside, inside)
                back.join()

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as listener:
        listener.daemon_threads = True
        thread = threading.Thread(target=listener.serve_forever, args=[0.05])
        thread.start()
        try:
            yield Server(18, listener.server_address[1], certificate)
        finally:
            listener.shutdown()
            thread.join()


def pass_on(source: socket.socket, target: socket.socket) -> None:
    """All that ``source`` sends, and that it ended."""
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
