"""The services measured, each one worker process on a port of its own."""

import http.client
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson
import psutil

from deploy.embedded import Postgres, end, gone, wait_until
from tests.benchmarks.data import ROOT
from tests.ports import free_port

PEERS = "tests.benchmarks.peers"
UVICORN = ["-m", "uvicorn", "--host", "127.0.0.1", "--loop", "uvloop", "--http", "httptools", "--no-access-log"]
UVICORN += ["--log-level", "warning", "--port"]


class Server:
    """Started at once; ``wait`` until it answers. ``command`` is the arguments of Python, but for the port."""

    def __init__(self, command: list[str], variables: dict[str, str], **more: str) -> None:
        self.port = free_port()
        self.log = Path(tempfile.mkstemp(prefix="makerlog-bench-", suffix=".log")[1])
        command = [sys.executable, "-W", "ignore", *(part.format(port=self.port) for part in command)]
        self.began = time.monotonic()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env={**variables, **more, "PORT": str(self.port)}, stdout=log, stderr=log
            )

    def wait(self, path: str = "/nothing", seconds: float = 60) -> float:
        """Until anything is answered. Seconds since the start."""
        assert wait_until(lambda: self.alive() and self.answers(path), seconds=seconds), self.log.read_text()[-2000:]
        return time.monotonic() - self.began

    def alive(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()[-2000:]
        return True

    def answers(self, path: str) -> bool:
        try:
            return self.ask("GET", path)[0] > 0
        except (OSError, http.client.HTTPException):
            return False

    def ask(self, method: str, path: str, token: str = "", body: Any = None) -> tuple[int, Any]:
        """Status and body."""
        headers = {"Authorization": f"Token {token}"} if token else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, None if body is None else orjson.dumps(body), headers)
            answer = connection.getresponse()
            raw = answer.read()
            return answer.status, orjson.loads(raw) if raw[:1] in (b"{", b"[") else raw
        finally:
            connection.close()

    def processes(self) -> list[psutil.Process]:
        main = psutil.Process(self.process.pid)
        return [main, *main.children(recursive=True)]

    def cpu(self) -> float:
        """Seconds that its processes have computed so far."""
        return sum(each.cpu_times().user + each.cpu_times().system for each in self.processes())

    def memory(self) -> int:
        """Bytes of the worker that are resident."""
        return self.processes()[-1].memory_info().rss

    def stop(self) -> None:
        if self.process.poll() is None:
            processes = self.processes()
            self.process.terminate()
            wait_until(lambda: self.process.poll() is not None, seconds=40)
            end([each for each in processes if not gone(each)], signal.SIGKILL, 5)
        self.process.wait(5)
        self.log.unlink()


def ours(variables: dict[str, str]) -> Server:
    """As production: gate, bans, lanes, throttles, metrics; behind a proxy that says who is calling."""
    command = ["-m", "deploy.serve"]
    return Server(command, variables, WEB_CONCURRENCY="1", TRUSTED_PROXIES="127.0.0.1/32")


def stock(variables: dict[str, str]) -> Server:
    """In threads, where it is faster than on Django's own ASGI handler: 64 lists a second of CPU against 52."""
    command = ["-m", "gunicorn", "-b", "127.0.0.1:{port}", "-w", "1", "-k", "gthread", "--threads", "8"]
    command += ["--keep-alive", "75", "--no-control-socket", "django.core.wsgi:get_wsgi_application()"]
    return Server(command, variables, DJANGO_SETTINGS_MODULE=f"{PEERS}.stock_settings", PROCESS="web")


def fast(variables: dict[str, str]) -> Server:
    return Server([*UVICORN, "{port}", f"{PEERS}.fast:app"], variables)


def limit(variables: dict[str, str]) -> Server:
    return Server([*UVICORN, "{port}", "--lifespan", "off", f"{PEERS}.limit:app"], variables)


def database_cpu(folder: Path) -> float:
    """Seconds that the PostgreSQL of a data folder has computed so far, its ended connections apart."""
    found = 0.0
    for process in Postgres(folder, fast=False).processes():
        times = process.cpu_times()
        found += times.user + times.system
    return found


ALL = {"ours": ours, "stock": stock, "fast": fast, "limit": limit}
