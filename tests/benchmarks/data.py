"""Servers of the benchmarks' own under DATA_DIR/bench, durable as in production, and a database of each size asked for.

What was made once is kept: the million rows take minutes. Delete the folder to have them made anew.
"""

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import psycopg2

from deploy.embedded import Embedded
from makerlog.env import embedded_database_url, embedded_redis_url
from tests.benchmarks.grow import BULK, TABLES, grow, task_of

ROOT = Path(__file__).resolve().parent.parent.parent
GIVEN = {
    "PUBLIC_URL": "http://127.0.0.1:8000",
    "SECRET_KEY": "of the benchmarks alone",
    "TOKEN_PEPPERS": "theirs as well",
}
# What a test run has set is not what production has: with PREPARED_STATEMENTS off, a list took twice as long on the clock.
UNSET = (
    "PREPARED_STATEMENTS",
    "DATABASE_URL",
    "REDIS_URL",
    "DJANGO_SETTINGS_MODULE",
    "PROCESS",
    "PROMETHEUS_MULTIPROC_DIR",
)
MINUTES = 60
MARK = "#benchmarks"  # at the end of what is posted
LOG = 1_000_000  # tasks: of a longer log, this is the part that is made by the demo (see grow.py)


class Place(NamedTuple):
    """Behind which task a page begins, and how our own API and stock DRF say so."""

    moment: str
    pk: int
    ours: str
    stock: str

    @property
    def plain(self) -> str:
        """As the peers made by hand say it."""
        return f"{self.moment},{self.pk}"


@dataclass(frozen=True)
class Facts:
    """What there is to ask for: tokens of ours and of the peers, of the same makers; tasks; places to read on from."""

    tokens: list[str]
    peer_tokens: list[str]
    tasks: list[int]
    places: list[Place]
    deep: list[Place]

    @classmethod
    def read(cls, text: str) -> "Facts":
        found = json.loads(text)
        places = {name: [Place(*each) for each in found.pop(name)] for name in ("places", "deep")}
        return cls(**found, **places)


@dataclass(frozen=True)
class Community:
    variables: dict[str, str]
    facts: Facts


class Data:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.servers = Embedded(folder)
        self.servers.start()
        self.made: dict[str, Community] = {}

    def stop(self) -> None:
        self.servers.stop()

    def community(self, tasks: int, makers: int, deep: int) -> Community:
        """A database of so many rows, migrated to the present; ``deep``: the page that its places lead to."""
        name = f"bench_{tasks}"
        if name not in self.made:
            variables = self.variables(name, 1 + len(self.made))
            if self.holds(name):
                run(variables, "manage.py", "migrate", "-v0")
            else:
                self.make(name, tasks, makers, variables)
            facts = run(variables, "-m", "tests.benchmarks.prepare", str(deep))
            self.made[name] = Community(variables, Facts.read(facts))
        return self.made[name]

    def variables(self, database: str, number: int) -> dict[str, str]:
        """``number``: of the database in Valkey, so that limits are counted apart."""
        inherited = {name: value for name, value in os.environ.items() if name not in UNSET}
        return {
            **inherited,
            **GIVEN,
            "DATA_DIR": str(self.folder),
            "DATABASE_URL": embedded_database_url(self.folder, database),
            "REDIS_URL": f"{embedded_redis_url(self.folder)}?db={number}",
        }

    def holds(self, database: str) -> bool:
        with self.session() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database])
            return cursor.fetchone() is not None

    def make(self, name: str, tasks: int, makers: int, variables: dict[str, str]) -> None:
        """Under another name until it is whole."""
        draft = f"{name}_draft"
        with self.session() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {draft}")
            cursor.execute(f"CREATE DATABASE {draft}")
        there = {**variables, "DATABASE_URL": embedded_database_url(self.folder, draft)}
        run(there, "manage.py", "migrate", "-v0")
        products, base = str(makers // 10), min(tasks, LOG)
        run(there, "manage.py", "demo", "--makers", str(makers), "--products", products, "--tasks", str(base))
        if tasks > base:
            with self.session(draft) as cursor:
                grow(cursor, tasks // base)
        with self.session() as cursor:
            cursor.execute(f"ALTER DATABASE {draft} RENAME TO {name}")

    def forget_posts(self, tasks: int) -> None:
        """What was posted into the database of so many tasks goes again: its first page is as long as any other then."""
        with self.session(f"bench_{tasks}") as cursor:
            cursor.execute(BULK)
            for table in reversed(TABLES):  # the tasks last
                cursor.execute(
                    f"DELETE FROM {table} WHERE {task_of(table)} IN (SELECT id FROM tasks_task WHERE content LIKE %s)",
                    [f"%{MARK}"],
                )
            cursor.execute(f"VACUUM ANALYZE {', '.join(TABLES)}")

    @contextlib.contextmanager
    def session(self, database: str = "makerlog") -> Any:
        with contextlib.closing(psycopg2.connect(embedded_database_url(self.folder, database))) as connection:
            connection.autocommit = True
            yield connection.cursor()


def run(variables: dict[str, str], *arguments: str, minutes: float = 90) -> str:
    command = [sys.executable, "-W", "ignore", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=minutes * MINUTES)
    assert done.returncode == 0, done.stderr
    return done.stdout
