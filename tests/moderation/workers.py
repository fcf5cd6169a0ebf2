"""The service as it is deployed: two gunicorn workers behind a trusted proxy (us), on the test database and a Valkey of
their own, which may be taken from them. Each worker is spoken to on a connection that it is known to hold."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psutil
from django.conf import settings
from django.db import connection

from deploy.embedded import Valkey, end, wait_until
from makerlog.env import embedded_redis_url, runtime_dir
from tests.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
REACH_S = 1.0  # within which a decision is in force everywhere
CHEAP = "/static/nothing"  # past the bans, and not to Django


class Worker:
    """One worker process, on a connection that stays open."""

    def __init__(self, http: HTTPConnection, pid: int) -> None:
        self.http = http
        self.pid = pid
        self._asking = threading.Lock()

    def status(self, address: str, path: str = CHEAP, **headers: str) -> int:
        """What a client at ``address`` is answered."""
        return self.answer(address, path, **headers).status

    def answer(self, address: str, path: str, **headers: str) -> HTTPResponse:
        """The whole answer, read to its end."""
        with self._asking:
            self.http.request("GET", path, headers={"X-Forwarded-For": address, **headers})
            answer = self.http.getresponse()
            answer.read()
            return answer


class Workers:
    """A context manager. ``each`` are the workers, one connection to each."""

    def __init__(self, **variables: str) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.valkey = Valkey(self.folder, fast=True)
        self.port = free_port()
        self.proxies = self.folder / "proxies"
        self.proxies.write_text("127.0.0.1/32")
        self.variables = variables
        self.each: list[Worker] = []

    def __enter__(self) -> Self:
        (self.folder / "logs").mkdir()
        runtime_dir(self.folder).mkdir(mode=0o700, exist_ok=True)
        self.valkey.start()
        try:
            self.launch()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def launch(self) -> None:
        self.log = (self.folder / "web.log").open("wb")
        command = [sys.executable, "-m", "deploy.serve"]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=self.environment(), stdout=self.log, stderr=self.log, start_new_session=True
        )
        assert wait_until(lambda: len(self.dial_all()) == 2, seconds=60), (self.folder / "web.log").read_text()

    def environment(self) -> dict[str, str]:
        given = {
            "DATABASE_URL": database_url(),
            "REDIS_URL": embedded_redis_url(self.folder),
            "SECRET_KEY": settings.SECRET_KEY,
            "TOKEN_PEPPERS": settings.TOKEN_PEPPERS,
            "TRUSTED_PROXIES_FILE": str(self.proxies),
            "PORT": str(self.port),
            "WEB_CONCURRENCY": "2",
            "PROCESS": "web",
            "DEBUG": "0",
        }
        return {**os.environ, **given, **self.variables}

    def dial_all(self) -> list[Worker]:
        """A connection to each worker: the kernel deals them out, so some more are opened than there are workers."""
        found = {worker.pid: worker for worker in self.each}
        for _ in range(20):
            http = HTTPConnection("127.0.0.1", self.port, timeout=5)
            pid = self.holder(http)
            if pid and pid not in found:
                found[pid] = Worker(http, pid)
            else:
                http.close()
        self.each = list(found.values())
        return self.each

    def holder(self, http: HTTPConnection) -> int | None:
        """The worker at the other end of a connection; None: nobody serves yet."""
        try:
            http.request("GET", "/health")
            http.getresponse().read()
        except OSError:
            return None
        own = http.sock.getsockname()[1]
        for worker in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):
                if any(each.raddr and each.raddr.port == own for each in worker.net_connections("tcp")):
                    return worker.pid
        return None

    def kill_redis(self) -> None:
        for process in self.valkey.processes():
            process.send_signal(signal.SIGKILL)
        wait_until(lambda: not self.valkey.processes(), seconds=5)

    def close(self) -> None:
        for worker in self.each:
            worker.http.close()
        with contextlib.suppress(psutil.NoSuchProcess):
            main = psutil.Process(self.process.pid)
            children = main.children()
            end([main], signal.SIGTERM, 15)
            end(children, signal.SIGKILL, 5)
        self.process.wait(10)
        self.log.close()
        self.valkey.stop()
        shutil.rmtree(runtime_dir(self.folder), ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- What is measured ---

    def reach(self, address: str, status: int, *, since: float, seconds: float = REACH_S, **headers: str) -> float:
        """How long after ``since`` (monotonic) the last worker answered with ``status``. Fails when ``seconds`` are over."""
        waiting = list(self.each)
        while True:
            asked = time.monotonic()
            waiting = [worker for worker in waiting if worker.status(address, **headers) != status]
            if not waiting:
                return time.monotonic() - since
            assert asked - since < seconds, f"{len(waiting)} workers do not answer {status} within {seconds} s"
            time.sleep(0.01)


def database_url() -> str:
    """Of the test database."""
    at = connection.settings_dict
    who = quote(at["USER"], safe="") + (f":{quote(at['PASSWORD'], safe='')}" if at["PASSWORD"] else "")
    port = f":{at['PORT']}" if at["PORT"] else ""
    return f"postgresql://{who}@{quote(at['HOST'], safe='')}{port}/{at['NAME']}"


def timed(act: Callable[[], object]) -> float:
    """The moment (monotonic) at which ``act``, which ends with its commit, was done."""
    act()
    return time.monotonic()


def distribution(title: str, seconds: Iterable[float]) -> str:
    """One line: how many, and how long they took."""
    found = sorted(seconds)
    at = [f"p{share} {found[min(len(found) - 1, len(found) * share // 100)] * 1000:.0f}" for share in (50, 90, 99)]
    return f"{title:<34} {len(found):>4} trials, ms: {', '.join(at)}, longest {found[-1] * 1000:.0f}"


@contextlib.contextmanager
def frozen(process: psutil.Process) -> Iterator[None]:
    process.suspend()
    try:
        yield
    finally:
        process.resume()
