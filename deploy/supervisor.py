"""Runs the whole service on one machine: `python -m deploy.supervisor`, which is what `make run` calls.

The embedded servers first (where DATABASE_URL and REDIS_URL are unset), then the data, then gunicorn and the worker of
background jobs; on Ctrl-C, SIGTERM or SIGHUP the other way round. After a kill -9 the next start ends the left-over gunicorn
and worker and takes the servers over. What prevents a start is one sentence and exit code 1; so is a child that dies, but for
the worker, which is started anew a few times.
"""

import contextlib
import errno
import fcntl
import http.client
import importlib
import os
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import IO

import psycopg2
import redis

from deploy.child import Child
from deploy.embedded import CONNECTIONS, Embedded, EmbeddedError
from makerlog.api.connections import published
from makerlog.env import Environment, SettingError, drop_empty_variables, url_host

ROOT = Path(__file__).resolve().parent.parent
PREPARE = [sys.executable, "-m", "deploy.prepare"]
SERVE = [sys.executable, "-m", "deploy.serve"]
WORK = [sys.executable, "manage.py", "worker"]
DRAIN_SECONDS = 30
LOOPBACK = "127.0.0.1"  # where it listens unless HOST says otherwise: the demo has an admin and a token
RESTARTS = 5  # of the worker, within RESTART_SECONDS; one more, and something is wrong with it
RESTART_SECONDS = 60
HEALTH_SECONDS = 60


class SupervisorError(Exception):
    """The service cannot start or go on. The message is one sentence for the operator."""


class Stopped(Exception):
    """The operator asked for the end."""


class Supervisor:
    """One service on one data folder."""

    def __init__(
        self,
        settings: ModuleType,
        prepare: list[str] = PREPARE,
        serve: list[str] = SERVE,
        work: list[str] = WORK,
    ) -> None:
        self.settings = settings
        self.data_dir: Path = settings.DATA_DIR
        self.host = os.environ.get("HOST", LOOPBACK)
        self.run_dir = self.data_dir / "run"
        self.servers = Embedded(
            self.data_dir,
            postgres=settings.EMBEDDED_DATABASE,
            valkey=settings.EMBEDDED_REDIS,
            connections=max(CONNECTIONS, sum(published(settings).values())),
        )
        self.prepare = Child(self.run_dir / "prepare.json", prepare)
        self.web = Child(self.run_dir / "web.json", serve)
        self.worker = Child(self.run_dir / "worker.json", work)
        self.restarts: deque[float] = deque(maxlen=RESTARTS)
        self.signals = 0
        self.last_signal = float("-inf")
        self.wakeup = threading.Event()

    def run(self) -> int:
        """Serve until a signal comes (0) or something breaks (1)."""
        self.heed_signals()
        with only_one(self.run_dir, self.data_dir):
            self.end_left_overs()
            check_port(self.settings.PORT)
            try:
                with contextlib.suppress(Stopped):
                    self.start()
                    self.watch()
            finally:
                self.stop()
        return 0

    def heed_signals(self) -> None:
        for which in (signal.SIGINT, signal.SIGTERM):
            signal.signal(which, self.note_signal)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup means it
            signal.signal(signal.SIGHUP, self.note_signal)

    def note_signal(self, number: int, frame: object) -> None:
        """Only takes note: work under way ends at a place of its own choosing, in ``pause``."""
        now = time.monotonic()
        if now - self.last_signal > 1:  # a signal to the whole group arrives twice: once more through make
            self.signals += 1
        self.last_signal = now
        self.wakeup.set()

    def pause(self, seconds: float) -> None:
        """Wait a moment. Raises Stopped once a signal has come."""
        if self.wakeup.wait(seconds):
            raise Stopped

    def end_left_overs(self) -> None:
        """What a killed supervisor left running, except the data servers: those are taken over."""
        self.web.stop(seconds=5)
        self.worker.stop(seconds=5)
        self.prepare.stop(seconds=5)

    def start(self) -> None:
        self.servers.start()
        self.pause(0)
        say("Preparing the data: migrations, static files, demo." if self.is_new() else "Preparing the data.")
        self.launch(self.prepare)
        self.wait_for(lambda: self.prepare.code() is not None)
        if self.prepare.code():
            raise SupervisorError("The data could not be prepared; the lines above say why.")
        self.launch(self.web)
        self.launch(self.worker)
        self.wait_for(lambda: healthy(reachable(self.host), self.settings.PORT), seconds=HEALTH_SECONDS)
        say(banner(self.settings, self.host))

    def is_new(self) -> bool:
        return not (self.data_dir / "static").exists()

    def launch(self, child: Child) -> None:
        # In the children's own words: a relative DATA_DIR would mean another folder to them.
        variables = {**os.environ, "HOST": self.host, "DATA_DIR": str(self.data_dir), "PYTHONUNBUFFERED": "1"}
        child.start(folder=ROOT, variables=variables)

    def wait_for(self, condition: Callable[[], bool], seconds: float = float("inf")) -> None:
        """Raises Stopped on a signal and SupervisorError when a child dies or ``seconds`` have passed."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.check_children()
            if time.monotonic() > deadline:
                raise SupervisorError(
                    f"The service gave no answer within {seconds:.0f} s; the lines above may say why."
                )
            self.pause(0.05)

    def watch(self) -> None:
        while True:
            self.check_children()
            self.pause(0.25)

    def check_children(self) -> None:
        code = self.web.code()
        if code is not None:
            raise SupervisorError(f"The web server ended unexpectedly (exit code {code}); the lines above say why.")
        if self.worker.code() is not None:
            self.restart_worker()
        sentence = self.servers.ended()
        if sentence:
            raise SupervisorError(sentence)

    def restart_worker(self) -> None:
        now = time.monotonic()
        if len(self.restarts) == RESTARTS and now - self.restarts[0] < RESTART_SECONDS:
            raise SupervisorError(
                f"The worker of background jobs ended {RESTARTS + 1} times within {RESTART_SECONDS} s"
                f" (exit code {self.worker.code()}); the lines above say why."
            )
        self.restarts.append(now)
        say("The worker of background jobs ended unexpectedly; it is started anew.")
        self.launch(self.worker)

    def stop(self) -> None:
        """gunicorn, then the worker, then Valkey, then PostgreSQL. A second signal cuts the workers' time short."""
        asked = self.signals
        say("Stopping: requests in flight may finish; again to cut them short." if asked else "Stopping.")
        self.prepare.stop(seconds=5)
        for child in (self.web, self.worker):
            child.stop(seconds=DRAIN_SECONDS, hurry=lambda: self.signals > asked)
        self.servers.stop()
        say("Stopped.")


def check_given_addresses(environment: Environment) -> None:
    """Whether a DATABASE_URL and a REDIS_URL that were given answer."""
    database = environment.text("DATABASE_URL", "")
    cache = environment.text("REDIS_URL", "")
    if database:
        check_database(database)
    if cache:
        check_redis(cache)


def check_database(url: str) -> None:
    if not url.startswith(("postgresql://", "postgres://")):
        raise SupervisorError("DATABASE_URL must look like postgresql://user:password@host:5432/name.")
    try:
        psycopg2.connect(url, connect_timeout=5).close()
    except psycopg2.Error as error:
        raise SupervisorError(f"DATABASE_URL does not answer: {first_line(error)}.") from error


def check_redis(url: str) -> None:
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5) as client:
            client.ping()
    except ValueError as error:
        raise SupervisorError("REDIS_URL must look like redis://host:6379/0.") from error
    except redis.RedisError as error:
        raise SupervisorError(f"REDIS_URL does not answer: {first_line(error)}.") from error


def first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def check_port(port: int) -> None:
    """Bound on loopback too: on macOS a server there does not stand in the way of one on all addresses."""
    for address in ("127.0.0.1", "0.0.0.0"):  # noqa: S104
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
                probe.listen(1)
            except OSError as error:
                taken = error.errno == errno.EADDRINUSE
                reason = "is taken by another program" if taken else f"cannot be used ({error.strerror})"
                raise SupervisorError(f"Port {port} {reason}; choose another one: PORT={port + 1} make run.") from error


@contextlib.contextmanager
def only_one(run_dir: Path, data_dir: Path) -> Iterator[None]:
    """Holds the folder for this process. The system lets go of it when the process dies, however it dies."""
    with open_lock(run_dir, data_dir) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = lock.read() or "unknown"
            hint = "stop it first, or set another DATA_DIR and PORT"
            raise SupervisorError(f"The service of {data_dir} runs already (process {owner}); {hint}.") from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def open_lock(run_dir: Path, data_dir: Path) -> IO[str]:
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        lock = (run_dir / "supervisor.lock").open("a+")
    except OSError as error:
        raise SupervisorError(f"DATA_DIR is {data_dir}, which cannot be written: {error.strerror}.") from error
    lock.seek(0)
    return lock


def reachable(host: str) -> str:
    """An address at which this machine reaches a server that listens on ``host``."""
    return {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)  # noqa: S104


def healthy(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def banner(settings: ModuleType, host: str) -> str:
    """What the operator reads once the service is up."""
    address = f"http://{url_host(reachable(host))}:{settings.PORT}"
    lines = ["", f"Makerlog is up: {address}", f"  Docs    {address}/docs/"]
    if settings.EMBEDDED_DATABASE:
        lines += demo_lines(address, settings.DATA_DIR / "secrets")
    else:
        lines += [
            f"  Admin   {address}/admin/   make an account with: .venv/bin/python manage.py createsuperuser",
            "  Token   make one with: .venv/bin/python manage.py create_token USERNAME",
        ]
    return "\n".join([*lines, "", "Ctrl-C stops everything.", ""])


def demo_lines(address: str, secrets: Path) -> list[str]:
    token = (secrets / "demo_token").read_text()
    password = (secrets / "admin_password").read_text()
    json = "-H 'Content-Type: application/json'"
    task = """-d '{"content": "Started Makerlog", "done": true}'"""
    return [
        f"  Admin   {address}/admin/   user admin, password {password}",
        f"  Token   {token}",
        "",
        "Post a task, and read it back:",
        f"  curl -H 'Authorization: Token {token}' {json} {task} {address}/tasks/",
        f"  curl '{address}/tasks/?username=demo&limit=1'",
    ]


def say(text: str) -> None:
    """Print; a terminal that is gone must not keep the service from stopping."""
    with contextlib.suppress(OSError):
        print(text, flush=True)


def report(service: Callable[[], int]) -> int:
    """The exit code of ``service``; what prevents it is one sentence and 1."""
    try:
        return service()
    except (SettingError, EmbeddedError, SupervisorError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1


def serve() -> int:
    drop_empty_variables()
    check_given_addresses(Environment())
    return Supervisor(importlib.import_module("makerlog.settings")).run()  # here, for a wrong setting is a sentence too


if __name__ == "__main__":
    sys.exit(report(serve))
