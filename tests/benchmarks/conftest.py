"""What the benchmarks run on, made once, and the table at the end."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from deploy.embedded import runtime_dir
from tests.benchmarks import board, servers
from tests.benchmarks.board import BOARD, Board
from tests.benchmarks.data import Community, Data
from tests.benchmarks.servers import Server
from tests.benchmarks.size import SIZE

Stands = dict[str, Server]


@pytest.fixture
def table() -> Board:
    return BOARD


@pytest.fixture(scope="session")
def data() -> Iterator[Data]:
    """Beside the tests' own data: DATA_DIR/bench."""
    data = Data(Path(settings.DATA_DIR).with_name("bench"))
    try:
        with data.session() as cursor:
            cursor.execute("SHOW server_version")
            BOARD.machine["postgresql"] = cursor.fetchone()[0]
        yield data
    finally:
        data.stop()
        if not servers.Postgres(data.folder, fast=False).processes():
            shutil.rmtree(runtime_dir(data.folder), ignore_errors=True)


@pytest.fixture(scope="session")
def community(data: Data) -> Community:
    return data.community(SIZE.tasks, SIZE.makers, SIZE.deep)


@pytest.fixture(scope="module")
def stands(community: Community) -> Iterator[Stands]:
    """All four, up and warm."""
    started = {name: start(community.variables) for name, start in servers.ALL.items()}
    try:
        for server in started.values():
            server.wait()
        yield started
    finally:
        for server in started.values():
            server.stop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not BOARD.rows:
        return
    terminalreporter.section(f"benchmarks, {SIZE.name}")
    for line in BOARD.table():
        terminalreporter.write_line(line)
    terminalreporter.write_line(f"Kept in {BOARD.keep().relative_to(board.FOLDER.parents[2])}, with a chart beside it.")
