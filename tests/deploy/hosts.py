"""The service as it is deployed: one PostgreSQL and one Valkey, and any number of gunicorns, each on a host of its own where
a test makes some. Nothing of it outlives the test."""

import contextlib
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from deploy.embedded import Embedded, Postgres, Valkey, end, gone, wait_until
from makerlog.env import embedded_database_url, embedded_redis_url, runtime_dir
from tests.deploy.template import lay
from tests.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
SERVE = [sys.executable, "-m", "deploy.serve"]
UNSET = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "PUBLIC_URL", "PROCESS", "PORT", "DATA_DIR")
UNSET += ("PROMETHEUS_MULTIPROC_DIR",)

TOKENS = """
from makerlog.accounts.actions import create_token
from makerlog.accounts.models import Maker
for n in range({holders}):
    maker, _ = Maker.objects.get_or_create(username=f"holder{{n}}", defaults={{"email": f"h{{n}}@example.com"}})
    print(create_token(maker=maker)[1])
"""


@dataclass
class Reply:
    """``status`` 0: no answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Data:
    """What all hosts share: the data servers, the settings and a small community. ``folder`` is also DATA_DIR; ``apps``: all
    that were started on it, which end with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.apps: list[App] = []
        lay(folder)
        self.servers = Embedded(folder, fast=True)
        self.servers.start()
        inherited = {name: value for name, value in os.environ.items() if name not in UNSET}
        self.variables = inherited | {
            "DATA_DIR": str(folder),
            "DATABASE_URL": embedded_database_url(folder),
            "REDIS_URL": embedded_redis_url(folder),
            "SECRET_KEY": secrets.token_urlsafe(48),
            "TOKEN_PEPPERS": secrets.token_urlsafe(48),
            "TRUSTED_PROXIES": "127.0.0.1/32",
            "ALLOWED_HOSTS": "makerlog.test,127.0.0.1,127.0.0.2",
            "PUBLIC_URL": "https://makerlog.test",
            "DEBUG": "0",
        }

    def token(self, username: str = "demo") -> str:
        return re.findall(r"mkl_\S+", self.manage("create_token", username, "--name", "test"))[0]

    def tokens(self, holders: int) -> list[str]:
        """Of so many makers: who posts much with one token is a spammer."""
        return self.manage("shell", "--no-imports", "-c", TOKENS.format(holders=holders)).split()

    def manage(self, *arguments: str, **variables: str) -> str:
        command = [sys.executable, "-W", "ignore", "manage.py", *arguments]
        environment = self.variables | variables
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def stop(self) -> None:
        for app in self.apps:
            app.process.terminate()
        for app in self.apps:
            app.stop()
        self.servers.stop()
        left = [*Postgres(self.folder, True).processes(), *Valkey(self.folder, True).processes()]
        end(left, signal.SIGKILL, 5)
        shutil.rmtree(runtime_dir(self.folder), ignore_errors=True)


class App:
    """One gunicorn. ``within``: what its command begins with, to run on another host; ``at``: its address;
    ``code``: the repository it runs."""

    def __init__(
        self,
        data: Data,
        *,
        within: Sequence[str] = (),
        at: str = "127.0.0.1",
        port: int = 0,
        code: Path = ROOT,
        **more: str,
    ) -> None:
        data.apps.append(self)
        self.at, self.port = at, port or free_port()
        given = {"PORT": str(self.port), "PROCESS": "web", "WEB_CONCURRENCY": "1", "WEB_THREADS": "8"}
        self.log = data.folder / f"app-{self.at}-{self.port}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*within, *SERVE], cwd=code, env=data.variables | given | more, stdout=log, stderr=log
            )

    def wait(self) -> None:
        assert wait_until(lambda: self.ask("/health").status == 200, seconds=40), self.log.read_text()

    def ask(self, path: str, **headers: str) -> Reply:
        return ask(self.at, self.port, path, **headers)

    def tree(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            main = psutil.Process(self.process.pid)
            return [main, *main.children(recursive=True)]
        return []

    def kill(self) -> None:
        """As a host dies: nobody says goodbye."""
        end(self.tree(), signal.SIGKILL, 5)
        self.process.wait(5)

    def stop(self) -> int:
        """As a deploy stops it. Its exit code."""
        processes = self.tree()
        self.process.terminate()
        wait_until(lambda: self.process.poll() is not None, seconds=40)
        end([each for each in processes if not gone(each)], signal.SIGKILL, 5)
        return self.process.wait(5)


def ask(at: str, port: int, path: str, method: str = "GET", body: Any = None, **headers: str) -> Reply:
    connection = http.client.HTTPConnection(at, port, timeout=10)
    try:
        return ask_on(connection, path, method, body, **headers)
    except (OSError, http.client.HTTPException):
        return Reply(0, {}, b"")
    finally:
        connection.close()


def ask_on(
    connection: http.client.HTTPConnection, path: str, method: str = "GET", body: Any = None, **headers: str
) -> Reply:
    """On a connection that stays open. ``headers``: X_Forwarded_For="..."; a body that is no bytes goes as JSON."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None and not isinstance(body, bytes):
        body, sent = json.dumps(body).encode(), {"Content-Type": "application/json"} | sent
    connection.request(method, path, body, sent)
    answer = connection.getresponse()
    return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())


@contextlib.contextmanager
def data() -> Iterator[Data]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        made = Data(Path(folder, "data"))
        try:
            yield made
        finally:
            made.stop()
