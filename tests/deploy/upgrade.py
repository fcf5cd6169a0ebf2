"""The release after this one: a copy of the repository whose tasks have a column more, with the migration that Django makes
of it. What the new code writes is told apart from what the old code writes by that column."""

import contextlib
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg2

from makerlog.env import embedded_database_url
from tests.deploy.hosts import ROOT, Data

MODELS, BEFORE = "tasks/models.py", "    attachment = "
COLUMN = '    built_by = models.CharField(max_length=20, null=True, editable=False, default="newer")\n'
LEFT_OUT = (".venv", ".git", ".data", "__pycache__", ".*_cache", "tests")
WRITTEN = "SELECT content{} FROM tasks_task WHERE content = ANY(%s)"


def newer_code(folder: Path, data: Data) -> Path:
    copy = folder / "newer"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True)
    models = copy / MODELS
    before, found, after = models.read_text().partition(BEFORE)
    assert found
    models.write_text(before + COLUMN + found + after)
    run(copy, data, "manage.py", "makemigrations", "-v0", "tasks")
    run(copy, data, "manage.py", "check_migrations")
    return copy


def release(code: Path, data: Data) -> str:
    """What Dokku runs before it starts a container, that line of the Procfile; and what it said."""
    [command] = re.findall(r"^release: python (.+)$", (code / "Procfile").read_text(), re.MULTILINE)
    return run(code, data, *command.split())


@contextlib.contextmanager
def read_meanwhile(data: Data, seconds: float) -> Iterator[None]:
    """Somebody reads the table that is about to change, as a backup does: in one transaction."""
    with contextlib.closing(psycopg2.connect(embedded_database_url(data.folder))) as connection:
        connection.cursor().execute("SELECT 1 FROM tasks_task LIMIT 1")
        timer = threading.Timer(seconds, connection.rollback)
        timer.start()
        try:
            yield
        finally:
            timer.join()


def run(code: Path, data: Data, *arguments: str) -> str:
    command = [sys.executable, "-W", "ignore", *arguments]
    done = subprocess.run(command, cwd=code, env=data.variables, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def written(data: Data, texts: list[str], *, by: bool = False) -> Counter[str]:
    """How often each of these texts was stored. ``by``: how many of them by which code, "older" or "newer"."""
    url = embedded_database_url(data.folder)
    with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(WRITTEN.format(", coalesce(built_by, 'older')" if by else ""), [texts])
        return Counter(row[-1] for row in cursor.fetchall())
