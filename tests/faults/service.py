"""The real service on a PostgreSQL of its own, which may be frozen, killed and started again. Never the suite's."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg2

from deploy.embedded import Embedded, Postgres, Valkey, end, gone, wait_until
from makerlog.env import embedded_database_url, runtime_dir
from tests.deploy.template import lay
from tests.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
THREADS = 8
UNSET = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "PUBLIC_URL", "PROCESS")
SESSIONS = "SELECT state FROM pg_stat_activity WHERE datname = 'makerlog' AND pid <> pg_backend_pid()"


@dataclass
class Reply:
    """``status`` 0: no answer."""

    status: int
    body: Any
    seconds: float

    @property
    def code(self) -> str:
        return self.body.get("code", "") if isinstance(self.body, dict) else ""


class Service:
    """One gunicorn worker of eight threads."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.log = data_dir / "service.log"
        inherited = {name: value for name, value in os.environ.items() if name not in UNSET}
        given = {"DATA_DIR": str(data_dir), "PORT": str(self.port), "WEB_CONCURRENCY": "1", "WEB_THREADS": str(THREADS)}
        self.variables = inherited | given
        self.token = re.findall(r"mkl_\S+", self.manage("create_token", "demo", "--name", "test"))[0]
        command = [sys.executable, "-m", "deploy.serve"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=self.variables, stdout=log, stderr=log)
        assert wait_until(lambda: self.get("/health").status == 200, seconds=30), self.output()

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "-W", "ignore", "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.variables, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def output(self) -> str:
        return self.log.read_text()

    def stop(self) -> None:
        if self.process.poll() is not None:
            return
        processes = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children()]
        self.process.terminate()
        try:
            self.process.wait(40)
        finally:
            end([each for each in processes if not gone(each)], signal.SIGKILL, 5)
            self.process.wait(5)

    def get(self, path: str, *, token: bool = False) -> Reply:
        return self.ask("GET", path, token=token)

    def ask(self, method: str, path: str, body: Any = None, *, token: bool = False, **headers: str) -> Reply:
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        headers |= {"Authorization": f"Token {self.token}"} if token else {}
        headers |= {"Content-Type": "application/json"} if body is not None else {}
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            raw = answer.read()
            return Reply(answer.status, json.loads(raw) if raw.startswith(b"{") else raw, time.monotonic() - began)
        except (OSError, http.client.HTTPException):
            return Reply(0, None, time.monotonic() - began)
        finally:
            connection.close()

    def all_at_once(self, count: int, path: str = "/tasks/") -> list["Asked"]:
        return [Asked(self, path) for _ in range(count)]


class Asked(threading.Thread):
    """A token holder's request in flight."""

    def __init__(self, service: Service, path: str) -> None:
        super().__init__(daemon=True)
        self.service, self.path = service, path
        self._reply: Reply | None = None
        self.start()

    def run(self) -> None:
        self._reply = self.service.get(self.path, token=True)

    @property
    def reply(self) -> Reply:
        self.join(40)
        assert self._reply is not None, "no answer"
        return self._reply


class Database:
    """The PostgreSQL under the service."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        lay(data_dir)
        self.servers = Embedded(data_dir, fast=True)
        self.servers.start()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """A backend may be forked between a listing and the signals: until a listing has nothing new."""
        postgres, stopped = Postgres(self.data_dir, True), set[psutil.Process]()
        try:
            while running := set(postgres.processes()) - stopped:
                for process in running:
                    process.send_signal(signal.SIGSTOP)
                stopped |= running
            yield
        finally:
            for process in postgres.processes():
                process.send_signal(signal.SIGCONT)

    @contextlib.contextmanager
    def session(self) -> Iterator[Any]:
        with contextlib.closing(psycopg2.connect(embedded_database_url(self.data_dir))) as connection:
            connection.autocommit = True
            yield connection.cursor()

    def sessions(self) -> list[str]:
        """The states of all sessions but this one."""
        with self.session() as cursor:
            cursor.execute(SESSIONS)
            return [state for (state,) in cursor.fetchall()]

    @contextlib.contextmanager
    def locked(self, table: str) -> Iterator[Any]:
        """Nobody else reads or writes ``table``."""
        with self.session() as cursor:
            cursor.execute(f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield cursor
            cursor.execute("ROLLBACK")

    @contextlib.contextmanager
    def taking_no_writes(self) -> Iterator[None]:
        """As after a failover: all sessions are to a server that takes none, and stay so when there is another."""
        with self.session() as cursor:
            cursor.execute("ALTER DATABASE makerlog SET default_transaction_read_only = on")
            cursor.execute(f"SELECT pg_terminate_backend(pid) FROM ({SESSIONS.replace('state', 'pid')}) AS others")
            yield
            cursor.execute("ALTER DATABASE makerlog RESET default_transaction_read_only")

    def die(self) -> None:
        end(Postgres(self.data_dir, True).processes(), signal.SIGKILL, 5)

    def start_again(self) -> None:
        postgres = self.servers.servers[0]
        postgres.stop()  # what is left of it: the record of a child nobody waited for
        postgres.start()

    def stop(self) -> None:
        self.servers.stop()
        end([*Postgres(self.data_dir, True).processes(), *Valkey(self.data_dir, True).processes()], signal.SIGKILL, 5)


@contextlib.contextmanager
def running() -> Iterator[tuple[Service, Database]]:
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder, "data")
        database = Database(data_dir)
        try:
            service = Service(data_dir)
            try:
                yield service, database
            finally:
                service.stop()
        finally:
            database.stop()
            shutil.rmtree(runtime_dir(data_dir), ignore_errors=True)
