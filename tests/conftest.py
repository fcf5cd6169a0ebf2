"""The real PostgreSQL and Valkey the suite runs on, up before the first test is collected.

They live in DATA_DIR/test (by default .data/test) unless DATABASE_URL or REDIS_URL is given; where the suite is spread over
the cores (-n 2), each of its processes has servers of its own beneath. To run the suite twice at the same time, give each
run a DATA_DIR of its own: they share a test database otherwise.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import django
import pytest
from django.core.management.color import no_style
from django.db import connection
from django.test import TransactionTestCase

from deploy.embedded import Embedded, EmbeddedError

ROOT = Path(__file__).resolve().parent.parent
# "gw0" where the tests are spread over the cores; DATA_DIR is then as the process that spreads them set it.
SPREAD = os.environ.get("PYTEST_XDIST_WORKER", "")
LONG = (
    "tests/attack/crawler/",
    "tests/lists/test_compiled.py",
    "tests/scale/",
    "tests/backups/",
    "tests/deploy/",
    "tests/limits/test_processes.py",
)
DATA_DIR = Path(os.environ.get("DATA_DIR", ROOT / ".data")).absolute() / (SPREAD or "test")

SERVERS = Embedded(
    DATA_DIR,
    fast=True,
    postgres=not os.environ.get("DATABASE_URL"),
    valkey=not os.environ.get("REDIS_URL"),
)
# Tests count statements and explain them as they are; what is prepared has tests of its own (tests/lists/test_prepared.py).
os.environ.setdefault("PREPARED_STATEMENTS", "0")
os.environ.update(DATA_DIR=str(DATA_DIR), DJANGO_SETTINGS_MODULE="makerlog.settings", PROCESS="web")
django.setup()

from makerlog.accounts.hashing import SlottedPBKDF2PasswordHasher  # noqa: E402  (reads the settings)
from makerlog.api import images  # noqa: E402

# A hash takes 0.4 s of a core by design, and makers' wait for what others leave of one. Slots and children stay as they are.
SlottedPBKDF2PasswordHasher.iterations = 1
# Images of different workers, and of other suites on this machine, do not wait for each other.
images.machine.path += f"-{DATA_DIR.name}-{os.getpid()}"

# What migrations make of the models and no test changes. Django would empty these too, and make them anew with a hundred
# statements, after each test that commits.
KEPT = {"django_content_type", "auth_permission"}


def _empty_tables(self: TransactionTestCase) -> None:
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    connection.ops.execute_sql_flush(connection.ops.sql_flush(no_style(), [each for each in names if each not in KEPT]))


TransactionTestCase._fixture_teardown = _empty_tables


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("numprocesses", None):
        # Others run the tests, and would read the settings before they know that DATA_DIR is their own.
        del os.environ["DJANGO_SETTINGS_MODULE"]
        return
    try:
        SERVERS.start()
    except EmbeddedError as error:
        pytest.exit(str(error), returncode=1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes is begun first, so that no process ends long after the others."""
    if SPREAD:
        items.sort(key=lambda item: not item.nodeid.startswith(LONG))


@pytest.fixture(autouse=True)
def _fresh_limits(settings: Any) -> None:
    """Every test begins with full buckets of its own: they all call from one address."""
    from tests.makers import refill  # reads the settings

    settings.RATELIMIT_CACHE_PREFIX = uuid4().hex
    refill()


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints a figure, also where what tests print is captured."""

    def print_line(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{line}")

    return print_line


def pytest_unconfigure() -> None:
    SERVERS.stop()
