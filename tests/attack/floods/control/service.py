"""Starts the control on a database of its own, beside the service's."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg2

from deploy.embedded import end, gone, wait_until
from makerlog.env import embedded_database_url, embedded_redis_url
from tests.attack.floods.service import ROOT, WORKERS, AttackError, answers, as_a_service
from tests.ports import free_port

SERVE = [
    *(sys.executable, "-W", "ignore", "-m", "gunicorn", "-w", str(WORKERS)),
    *("-k", "uvicorn_worker.UvicornWorker", "--no-control-socket", "--log-level", "critical"),
    "tests.attack.floods.control.asgi:application",
]


@dataclass(frozen=True)
class Control:
    port: int
    tokens: list[str]
    password: str = "control"


@contextlib.contextmanager
def serving(data_dir: Path) -> Iterator[Control]:
    """The control in the PostgreSQL and the Valkey of ``data_dir``, which are up."""
    with contextlib.closing(psycopg2.connect(embedded_database_url(data_dir))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("DROP DATABASE IF EXISTS control WITH (FORCE)")
            cursor.execute("CREATE DATABASE control")
    variables = {
        **os.environ,
        "CONTROL_DATABASE_URL": embedded_database_url(data_dir, "control"),
        "CONTROL_REDIS_URL": embedded_redis_url(data_dir) + "?db=1",
    }
    port = free_port()
    filled = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.attack.floods.control.fill"],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if filled.returncode:
        raise AttackError(f"The control's rows could not be made: {filled.stderr[-2000:]}")
    log = subprocess.DEVNULL
    served = subprocess.Popen(
        [*SERVE, "-b", f"127.0.0.1:{port}"],
        cwd=ROOT,
        env=variables,
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=as_a_service,
    )
    try:
        if not wait_until(lambda: answers(port, "/health") == 200, seconds=30):
            raise AttackError("The control did not start.")
        yield Control(port, json.loads(filled.stdout))
    finally:
        processes = [psutil.Process(served.pid), *psutil.Process(served.pid).children()]
        end([each for each in processes if not gone(each)], signal.SIGKILL, 5)
        served.wait(5)
