"""Two application hosts, one PostgreSQL behind pgbouncer, one Valkey, nginx in front: each host in a network namespace of its
own. As root on Linux; part of `make attack`."""

import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
import pytest
import redis
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from deploy.embedded import wait_until
from makerlog.env import embedded_database_url, embedded_redis_url
from tests.attack.machines.load import go_on, load
from tests.attack.machines.network import HERE, Host, network
from tests.deploy.hosts import ROOT, App, Data, ask, data
from tests.deploy.nginx import Nginx, nginx, rendered, variables
from tests.deploy.pgbouncer import make_roles, pooled, url
from tests.deploy.test_supervisor import free_port

HOSTS = ("10.77.0.11", "10.77.0.12")
pytestmark = [pytest.mark.attack, pytest.mark.allow_hosts(["127.0.0.1", "::1", HERE, *HOSTS])]

PORT = 5000
BANNED, NEIGHBOUR = "93.184.216.34", "93.184.216.35"
REACH_S = 1.0
DRAIN_S = 2.0  # between nginx's reload and SIGTERM
MIGRATION = """
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("tasks", "{after}")]
    operations = [migrations.RunSQL("ALTER TABLE tasks_task ADD COLUMN upgraded boolean NOT NULL DEFAULT false")]
"""


@dataclass
class Machines:
    data: Data
    hosts: list[Host]
    settings: dict[str, str]
    nginx: Nginx
    port: int
    token: str
    folder: Path
    code: Path = ROOT
    apps: dict[str, App] = field(default_factory=dict)

    def start(self, host: Host) -> None:
        app = App(self.data, within=host.within, at=host.address, port=PORT, code=self.code, **self.settings)
        self.apps[host.name] = app
        app.wait()

    def send_to(self, hosts: list[Host]) -> None:
        """As a deploy does: a new configuration, and a reload that lets requests under way finish."""
        self.nginx.write(front(self.folder, self.port, hosts))
        self.nginx.reload()


def front(folder: Path, port: int, hosts: list[Host]) -> str:
    web = " ".join(f"{host.address}:{PORT}" for host in hosts)
    return rendered(variables(folder, web, PROXY_PORT_MAP=f"http:{port}:{PORT}"))


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    folder = tmp_path_factory.mktemp("machines")
    own = folder / "dokku" / "makerlog" / "nginx.conf.d"
    own.mkdir(parents=True)
    (own / "cdn.conf").write_text("set_real_ip_from 127.0.0.1;\n")  # so that a test has clients all over the world
    with network(2) as hosts, data() as shared, contextlib.ExitStack() as stack:
        make_roles(shared)
        database = stack.enter_context(pooled(shared, folder, at=HERE))
        port = free_port()
        settings = {
            "DATABASE_URL": url(database, at=HERE),
            "DATABASE_POOLED": "1",
            "REDIS_URL": f"redis://{HERE}:{open_valkey(shared)}/0",
            "TRUSTED_PROXIES": f"{HERE}/32",
            "ALLOWED_HOSTS": "*",
        }
        server = stack.enter_context(nginx(folder, front(folder, port, hosts), [port]))
        made = Machines(shared, hosts, settings, server, port, shared.token(), folder)
        stack.callback(lambda: [app.stop() for app in made.apps.values()])
        for host in hosts:
            made.start(host)
        yield made


def open_valkey(shared: Data) -> int:
    """On the bridge, beside its socket."""
    port = free_port()
    with redis.Redis.from_url(embedded_redis_url(shared.folder)) as client:
        client.config_set("protected-mode", "no")
        client.config_set("bind", HERE)
        client.config_set("port", port)
    return port


def status(at: str, address: str) -> int:
    """Asked at one host, by its proxy."""
    return ask(at, PORT, "/static/nothing", X_Forwarded_For=address).status


def stream(at: str, address: str) -> ClientConnection:
    headers = {"X-Forwarded-For": address, "Host": "makerlog.test"}
    return connect(f"ws://{at}:{PORT}/explore/stream/", additional_headers=headers, proxy=None, ping_interval=None)


def test_a_ban_is_in_force_on_every_host_within_a_second_sockets_included(
    machines: Machines, say: Callable[[str], None]
) -> None:
    """Set where there is neither: by a command on the machine of the database."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(stream(at, BANNED)) for at in HOSTS]
        others = [stack.enter_context(stream(at, NEIGHBOUR)) for at in HOSTS]
        machines.data.manage("ban", BANNED, "--for", "1h")
        began = time.monotonic()
        assert wait_until(lambda: all(status(at, BANNED) == 403 for at in HOSTS), seconds=REACH_S)
        for socket in sockets:
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=max(0.05, began + REACH_S - time.monotonic()))
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4403
        took = time.monotonic() - began
        assert [status(at, NEIGHBOUR) for at in HOSTS] == [404, 404]
        # A write on one host is heard by the neighbours' sockets on both.
        post = {"content": "Heard on both hosts"}
        assert ask(HOSTS[0], PORT, "/tasks/", "POST", post, Authorization=f"Token {machines.token}").status == 201
        for socket in others:
            assert "Heard on both hosts" in socket.recv(timeout=5)
    machines.data.manage("unban", BANNED)
    say(f"a ban on two hosts, sockets closed: {took * 1000:.0f} ms after the command had ended")


def test_a_host_that_dies_under_load_loses_no_accepted_write(machines: Machines, say: Callable[[str], None]) -> None:
    dying = machines.hosts[0]
    with load("127.0.0.1", machines.port, machines.token) as going:
        go_on(going, 60)
        assert not going.failures()
        dying.cut()
        machines.apps[dying.name].kill()
        go_on(going, 150, seconds=60)  # nginx finds out by itself, but for connections that it kept open to nobody
        machines.send_to([each for each in machines.hosts if each is not dying])  # what the runbook says to do
        time.sleep(DRAIN_S)
        taken_out = time.monotonic()
        go_on(going, 100)
    assert not going.failures(since=taken_out), "the host that is left answers all"
    assert stored(machines.data, going.accepted) == len(set(going.accepted)) == len(going.accepted)
    told = f"{going.asked} asked, {len(going.accepted)} writes accepted, all there"
    say(f"a host killed: {told}; failed: {dict(going.failures())}")
    dying.join()
    machines.start(dying)
    machines.send_to(machines.hosts)


def stored(shared: Data, ids: list[int]) -> int:
    url = embedded_database_url(shared.folder)
    with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM tasks_task WHERE id = ANY(%s)", [ids])
        return int(cursor.fetchone()[0])


def test_a_rolling_upgrade_with_a_migration_fails_no_request(machines: Machines, say: Callable[[str], None]) -> None:
    """Migration first, while the old code serves; then host by host: out of nginx, SIGTERM, the new code, back again."""
    machines.code = newer_code(machines.folder)
    with load("127.0.0.1", machines.port, machines.token) as going:
        go_on(going, 40)
        migrate = [sys.executable, "-W", "ignore", "manage.py", "migrate", "--noinput", "-v0"]
        subprocess.run(migrate, cwd=machines.code, env=machines.data.variables, check=True, timeout=60)
        go_on(going, 40)  # old code, new schema
        for host in machines.hosts:
            machines.send_to([each for each in machines.hosts if each is not host])
            time.sleep(DRAIN_S)
            machines.apps[host.name].stop()
            machines.start(host)
            machines.send_to(machines.hosts)
            go_on(going, 40)  # old and new code side by side
        go_on(going, 40)
    assert not going.failures()
    assert stored(machines.data, going.accepted) == len(set(going.accepted))
    say(
        f"a rolling upgrade with a migration: {going.asked} asked, none failed; {len(going.accepted)} writes, all there"
    )


def newer_code(folder: Path) -> Path:
    """A copy of this repository with a migration more."""
    copy = folder / "newer"
    ignored = shutil.ignore_patterns(".venv", ".git", ".data", "__pycache__", ".*_cache", "tests")
    shutil.copytree(ROOT, copy, ignore=ignored, symlinks=True)
    migrations = copy / "tasks" / "migrations"
    last = sorted(path.stem for path in migrations.glob("0*.py"))[-1]
    (migrations / "9000_upgraded.py").write_text(MIGRATION.format(after=last))
    return copy
