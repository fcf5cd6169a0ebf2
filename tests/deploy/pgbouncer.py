"""pgbouncer in transaction mode before the data's PostgreSQL; a role for each kind of process, as deploy/roles.sql says."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg2

from deploy.embedded import SYSTEM_USER, let_pass, wait_until
from makerlog.env import embedded_database_url, runtime_dir
from tests.debian import needs
from tests.deploy.hosts import ROOT, Data
from tests.deploy.nginx import listens
from tests.ports import free_port

KINDS = ("web", "ops", "worker")
POOL = 4  # server connections of a role: fewer than the threads of one process

CONFIGURATION = """
[databases]
makerlog = host={sockets} port=5432 dbname=makerlog
[pgbouncer]
listen_addr = {at}
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = {pool}
max_client_conn = 500
query_wait_timeout = 5
"""


def make_roles(data: Data) -> None:
    url = embedded_database_url(data.folder)
    with contextlib.closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        for kind in KINDS:
            cursor.execute(f"CREATE ROLE makerlog_{kind} LOGIN IN ROLE makerlog")
        cursor.execute((ROOT / "deploy" / "roles.sql").read_text())


@contextlib.contextmanager
def pooled(data: Data, folder: Path, at: str = "127.0.0.1") -> Iterator[int]:
    """The port of a pgbouncer that is up."""
    port = free_port()
    let_pass(folder / "pgbouncer.ini")  # pgbouncer reads its files as another user
    folder.chmod(0o755)
    written = folder / "pgbouncer.ini"
    sockets = runtime_dir(data.folder)
    written.write_text(CONFIGURATION.format(sockets=sockets, at=at, port=port, folder=folder, pool=POOL))
    (folder / "users.txt").write_text("".join(f'"makerlog_{kind}" ""\n' for kind in KINDS))
    as_user = ["--user", SYSTEM_USER] if os.geteuid() == 0 else []
    process = subprocess.Popen([needs("pgbouncer"), "--quiet", *as_user, str(written)], stderr=subprocess.PIPE)
    try:
        assert wait_until(lambda: listens(at, port), seconds=10), process.poll()
        yield port
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)


def url(port: int, kind: str = "web", at: str = "127.0.0.1") -> str:
    return f"postgresql://makerlog_{kind}@{at}:{port}/makerlog"
