"""Two application hosts, one PostgreSQL behind pgbouncer, one Valkey, nginx in front: each host in a network namespace of its
own. As root on Linux; part of `make attack`."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from deploy.embedded import wait_until
from makerlog.env import embedded_redis_url
from tests.attack.floods.flood import Plan
from tests.attack.floods.service import flood, flooded
from tests.attack.floods.targets import LISTS
from tests.attack.machines.load import Load, go_on, load
from tests.attack.machines.network import HERE, Host, network
from tests.deploy.hosts import ROOT, App, Data, ask, data
from tests.deploy.nginx import Nginx, nginx, rendered, variables
from tests.deploy.pgbouncer import make_roles, pooled, url
from tests.deploy.upgrade import newer_code, release, written
from tests.ports import free_port

CONTAINERS = ("10.77.0.11", "10.77.0.12", "10.77.0.21", "10.77.0.22")
HOSTS = CONTAINERS[:2]
pytestmark = [pytest.mark.attack, pytest.mark.allow_hosts(["127.0.0.1", "::1", HERE, *CONTAINERS])]

PORT = 5000
BANNED, NEIGHBOUR = "93.184.216.34", "93.184.216.35"
REACH_S = 1.0
DRAIN_S = 2.0  # between nginx's reload and SIGTERM; a minute on Dokku
HOLDERS = 8
FLOOD_RATE = 150.0  # six times what plain DRF answered on the slowest machine that this was written on
FLOOD_S = 240.0  # at the most
PATHS = ["/tasks/?limit=100", "/users/?limit=100", "/products/?limit=100", "/tasks/?search=ship&limit=100"]


@dataclass
class Machines:
    """``apps``: by its host's name, the container that serves there. ``code``: what is deployed next."""

    data: Data
    hosts: list[Host]
    settings: dict[str, str]
    nginx: Nginx
    port: int
    tokens: list[str]
    folder: Path
    code: Path = ROOT
    apps: dict[str, App] = field(default_factory=dict)

    def start(self, host: Host, at: str) -> App:
        """Once it is healthy, it is the host's."""
        bind = {"GUNICORN_CMD_ARGS": f"--bind={at}:{PORT}"}
        app = App(self.data, within=host.within, at=at, port=PORT, code=self.code, **self.settings, **bind)
        app.wait()
        self.apps[host.name] = app
        return app

    def send_to(self, hosts: list[Host]) -> None:
        """As a deploy does: a new configuration, and a reload that lets requests under way finish."""
        self.nginx.write(front(self.folder, self.port, [self.apps[host.name].at for host in hosts]))
        self.nginx.reload()

    def replace(self, host: Host) -> None:
        """As a deploy does: the new container beside the old one, nginx, and then the old one is told to stop."""
        old = self.apps[host.name]
        [beside] = {*host.addresses} - {old.at}
        self.start(host, beside)
        self.send_to(self.hosts)
        time.sleep(DRAIN_S)
        assert old.stop() == 0, old.log.read_text()

    def deploy(self, code: Path, going: Load) -> None:
        """What is accepted meanwhile is written by old and new code side by side."""
        self.code = code
        release(code, self.data)
        go_on(going, 30)
        for host in self.hosts:
            self.replace(host)
            go_on(going, 30)

    @contextlib.contextmanager
    def flooded(self) -> Iterator[list[str]]:
        """What became of the flood stands there afterwards."""
        addresses = [f"45.77.{n}.{n}" for n in range(1, 201)]
        plan = Plan(self.port, 64, FLOOD_S, LISTS, PATHS, addresses, rate=FLOOD_RATE, keep_alive=False)
        told: list[str] = []
        with flood(plan) as tool:
            yield told
            tool.cut_short()
            told.append(str(flooded(tool)))


def front(folder: Path, port: int, containers: list[str]) -> str:
    web = " ".join(f"{at}:{PORT}" for at in containers)
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
        server = stack.enter_context(nginx(folder, front(folder, port, [*HOSTS]), [port]))
        made = Machines(shared, hosts, settings, server, port, shared.tokens(HOLDERS), folder)
        for host in hosts:
            made.start(host, host.addresses[0])
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
        assert ask(HOSTS[0], PORT, "/tasks/", "POST", post, Authorization=f"Token {machines.tokens[0]}").status == 201
        for socket in others:
            assert "Heard on both hosts" in socket.recv(timeout=5)
    machines.data.manage("unban", BANNED)
    say(f"a ban on two hosts, sockets closed: {took * 1000:.0f} ms after the command had ended")


def test_a_host_that_dies_under_load_loses_no_accepted_write(machines: Machines, say: Callable[[str], None]) -> None:
    dying = machines.hosts[0]
    at = machines.apps[dying.name].at
    with load(machines.port, machines.tokens) as going:
        go_on(going, 60)
        assert not going.failures()
        dying.cut()
        machines.apps[dying.name].kill()
        go_on(going, 150)  # nginx finds out by itself, but for connections that it kept open to nobody
        machines.send_to([each for each in machines.hosts if each is not dying])  # what the runbook says to do
        time.sleep(DRAIN_S)
        taken_out = time.monotonic()
        go_on(going, 100)
    assert not going.failures(since=taken_out), "the host that is left answers all"
    assert written(machines.data, going.accepted) == dict.fromkeys(going.accepted, 1)
    told = f"{going.asked} asked, {len(going.accepted)} writes accepted, each there once"
    say(f"a host killed: {told}; failed: {dict(going.failures())}")
    dying.join()
    machines.start(dying, at)
    machines.send_to(machines.hosts)


def test_an_upgrade_with_a_migration_and_the_way_back_fail_no_request_during_a_flood(
    machines: Machines, say: Callable[[str], None]
) -> None:
    """Host by host: the new container beside the old one, nginx, SIGTERM. Back again with the migration still applied."""
    newer = newer_code(machines.folder, machines.data)
    ledgers: dict[str, list[str]] = {}
    with machines.flooded() as told:
        for name, code in (("newer", newer), ("older", ROOT)):
            with load(machines.port, machines.tokens) as going:
                go_on(going, 30)
                machines.deploy(code, going)
                after = len(going.accepted)
                go_on(going, 60)
            assert not going.failures(), name
            assert written(machines.data, going.accepted) == dict.fromkeys(going.accepted, 1)
            assert going.accepted[after:], name
            assert set(written(machines.data, going.accepted[after:], by=True)) == {name}
            ledgers[name] = going.accepted
            say(f"{name} code: {going.asked} asked, none failed; {len(going.accepted)} writes, each there once")
    assert {*written(machines.data, ledgers["newer"], by=True)} == {"older", "newer"}, "old and new served side by side"
    say(f"meanwhile a flood: {told[0]}")
