"""`make bench`: how long a worker, and a fresh clone, take to answer."""

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

import pytest

from deploy.embedded import wait_until
from deploy.supervisor import healthy
from tests.benchmarks.board import Board, Row
from tests.benchmarks.data import ROOT, UNSET, Community
from tests.benchmarks.servers import ours
from tests.benchmarks.size import SIZE
from tests.ports import free_port

pytestmark = pytest.mark.bench
STARTS = 3
CLONE_SECONDS = 900


def start(community: Community) -> tuple[float, float]:
    """Seconds to the first /health, and to the first list."""
    server = ours(community.variables)
    try:
        return server.wait("/health"), server.wait("/tasks/")
    finally:
        server.stop()


def test_a_worker_starts(community: Community, table: Board) -> None:
    starts = [start(community) for _ in range(STARTS)]
    for what, seconds in zip(("/health", "list"), zip(*starts, strict=True), strict=True):
        table.add(Row(f"start to first {what}", "", measured=median(seconds), unit=" s"))


@pytest.mark.skipif(not SIZE.clone, reason="only in the full run: it downloads all dependencies")
def test_a_clone_answers(table: Board) -> None:
    variables = {name: value for name, value in os.environ.items() if name not in (*UNSET, "DATA_DIR")}
    with tempfile.TemporaryDirectory() as folder:
        clone, port, began = Path(folder, "clone"), free_port(), time.monotonic()
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        service = subprocess.Popen(["make", "run"], cwd=clone, env={**variables, "PORT": str(port)})
        try:
            assert wait_until(lambda: healthy("127.0.0.1", port), seconds=CLONE_SECONDS)
            table.add(Row("clone to first answer", "", measured=time.monotonic() - began, unit=" s"))
        finally:
            service.send_signal(signal.SIGTERM)
            service.wait(60)
