"""The real service under `ulimit -n 1024`, and the tools that are let loose on it. Nothing of it outlives the run."""

import contextlib
import ctypes
import http.client
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import psycopg2

from deploy.embedded import Postgres, Valkey, end, gone, wait_until
from makerlog.env import embedded_database_url, runtime_dir
from tests.attack.floods.bounds import Probe, Probes
from tests.attack.floods.flood import Flooded
from tests.attack.floods.flood import Plan as FloodPlan
from tests.attack.floods.world import World
from tests.debian import install, path_of
from tests.deploy.nginx import Nginx, rendered, variables
from tests.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent.parent
DESCRIPTORS = 1024
WORKERS = 2
PROXIES = "127.0.0.0/29"
UNSET = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "PUBLIC_URL", "PROCESS", "WEB_THREADS")
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'makerlog' AND pid <> pg_backend_pid()"
PR_SET_PDEATHSIG = 1


class AttackError(Exception):
    """The attack itself cannot go on. The message is one sentence."""


def as_a_service(descriptors: int = DESCRIPTORS) -> None:
    """In the child, before it becomes the service: few descriptors, and an end when whoever attacks it is killed."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def answers(port: int, path: str, token: str = "", seconds: float = 5.0) -> int:
    """The status; 0 for none."""
    return asks(port, "GET", path, None, {"Authorization": f"Token {token}"} if token else {}, seconds)


def posts(port: int, path: str, body: object, token: str) -> int:
    headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
    return asks(port, "POST", path, json.dumps(body), headers, 10.0)


def asks(port: int, method: str, path: str, body: str | None, headers: dict[str, str], seconds: float) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request(method, path, body, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


class Workers:
    """gunicorn's, as the system sees them."""

    def __init__(self, master: Callable[[], psutil.Process | None]) -> None:
        self.master = master

    def all(self) -> list[psutil.Process]:
        master = self.master()
        with contextlib.suppress(psutil.NoSuchProcess):
            return [] if master is None else master.children()
        return []

    def memory(self) -> int:
        """Bytes in memory, of all together."""
        return sum(worker.memory_info().rss for worker in self.all())

    def threads(self) -> int:
        return sum(worker.num_threads() for worker in self.all())

    def kill(self) -> None:
        for worker in self.all():
            worker.kill()


class Service:
    """`make run`, on data of its own."""

    def __init__(self, folder: Path, descriptors: int) -> None:
        self.data_dir = folder / "data"
        self.data_dir.mkdir()
        self.port = free_port()
        self.log = folder / "service.log"
        inherited = {name: value for name, value in os.environ.items() if name not in UNSET}
        self.variables = {
            **inherited,
            "DATA_DIR": str(self.data_dir),
            "PORT": str(self.port),
            "WEB_CONCURRENCY": str(WORKERS),
            "TRUSTED_PROXIES": PROXIES,
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deploy.supervisor"],
                cwd=ROOT,
                env=self.variables,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=partial(as_a_service, descriptors),
            )
        self.workers = Workers(self.master)

    def wait(self) -> None:
        up = wait_until(lambda: "Ctrl-C stops" in self.output() or self.process.poll() is not None, seconds=120)
        if not up or self.process.poll() is not None:
            raise AttackError(f"The service did not start:\n{self.output()}")
        self.password = (self.data_dir / "secrets" / "admin_password").read_text()
        self.world = World(**json.loads(self.run("-m", "tests.attack.floods.world")))

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def run(self, *arguments: str) -> str:
        """A command on the service's own data: its output."""
        command = [sys.executable, "-W", "ignore", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.variables, capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise AttackError(f"{' '.join(arguments)} failed: {done.stderr[-2000:]}")
        return done.stdout

    def query(self, sql: str) -> Any:
        """The first value that the service's database answers."""
        with contextlib.closing(psycopg2.connect(embedded_database_url(self.data_dir))) as connection:
            cursor = connection.cursor()
            cursor.execute(sql)
            row = cursor.fetchone()
            return row[0] if row else None

    def master(self) -> psutil.Process | None:
        record = self.data_dir / "run" / "web.json"
        with contextlib.suppress(FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return psutil.Process(json.loads(record.read_text())["session"])
        return None

    def stop(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            processes = [self.process_tree, *self.process_tree.children(recursive=True)]
            self.process.terminate()
            if not wait_until(lambda: self.process.poll() is not None, seconds=20):
                self.process.send_signal(signal.SIGTERM)  # requests in flight have had their time
                wait_until(lambda: self.process.poll() is not None, seconds=10)
            end([each for each in processes if not gone(each)], signal.SIGKILL, 5)
        self.process.wait(5)
        left = [*Postgres(self.data_dir, False).processes(), *Valkey(self.data_dir, False).processes()]
        end(left, signal.SIGKILL, 5)
        shutil.rmtree(runtime_dir(self.data_dir), ignore_errors=True)

    @property
    def process_tree(self) -> psutil.Process:
        return psutil.Process(self.process.pid)


def behind_nginx(service: Service, folder: Path) -> Nginx:
    """nginx as Dokku sets it up, in front of ``service``, which is then asked at nginx's port."""
    if not (path_of("nginx") or install("nginx")) or not (path_of("go") or install("go")):
        raise AttackError("THROUGH=nginx needs nginx and go (Debian: apt-get install nginx-light golang-go).")
    port = free_port()
    own = folder / "dokku" / "makerlog" / "nginx.conf.d"
    own.mkdir(parents=True)
    (own / "cdn.conf").write_text(f"set_real_ip_from {PROXIES};\n")
    listens = {"PROXY_PORT_MAP": f"http:{port}:{service.port}", "NOSSL_SERVER_NAME": ""}
    started = Nginx(folder, rendered(variables(folder, f"127.0.0.1:{service.port}", **listens)), [port])
    started.wait()
    service.port = port
    return started


@contextlib.contextmanager
def serving(descriptors: int = DESCRIPTORS, *, through: str = "") -> Iterator[Service]:
    """``through``: "nginx", or "" for nothing in between."""
    with (
        tempfile.TemporaryDirectory(prefix="attack-", ignore_cleanup_errors=True) as folder,
        contextlib.ExitStack() as stack,
    ):
        service = Service(Path(folder), descriptors)
        try:
            service.wait()
            if through == "nginx":
                stack.callback(behind_nginx(service, Path(folder)).stop)
            yield service
        finally:
            service.stop()


class Tool:
    """A process of the attacker's or of those who are attacked; its result is one line of JSON."""

    def __init__(self, module: str, plan: Any) -> None:
        command = [sys.executable, "-m", f"tests.attack.floods.{module}", json.dumps(asdict(plan))]
        self.module, self.seconds = module, plan.seconds
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )

    def line(self) -> str:
        """What it says next; for a tool that says something before its result."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode().strip()

    def enough(self) -> None:
        """For a tool that goes on until its input ends."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.stdin = None

    def cut_short(self) -> None:
        """For a flood: it tells what became of it so far."""
        self.process.terminate()

    def result(self) -> Any:
        output, _ = self.process.communicate(timeout=self.seconds + 60)
        if self.process.returncode:
            raise AttackError(f"The {self.module} ended with {self.process.returncode}.")
        return json.loads(output)

    def __enter__(self) -> "Tool":
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.communicate()


def flooded(tool: Tool) -> Flooded:
    return Flooded(**tool.result())


def probed(tool: Tool) -> Probes:
    told = tool.result()
    return Probes([Probe(*values) for values in told["probes"]], told["began"])


def flood(plan: FloodPlan) -> Tool:
    return Tool("flood", plan)


class Sessions(threading.Thread):
    """Asks PostgreSQL all the while how many sessions there are. ``most``: seen at once."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(daemon=True)
        self.url = embedded_database_url(data_dir)
        self.most = self.asked = 0
        self.over = threading.Event()

    def run(self) -> None:
        with contextlib.closing(psycopg2.connect(self.url)) as connection:
            connection.autocommit = True
            while not self.over.wait(0.1):
                self.look(connection)

    def look(self, connection: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(SESSIONS)
            self.most = max(self.most, cursor.fetchone()[0])
            self.asked += 1

    def __enter__(self) -> "Sessions":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        self.join(5)


def until(true: Callable[[], bool], seconds: float) -> float:
    """How many seconds it took; infinity where it never came true."""
    began = time.monotonic()
    return time.monotonic() - began if wait_until(true, seconds=seconds) else float("inf")
