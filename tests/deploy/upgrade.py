"""The release after this one: a copy of the repository whose tasks have a column more, with the migration that Django makes
of it. What the new code writes is told apart from what the old code writes by that column."""

import contextlib
import re
import shutil
import subprocess
import sys
from collections import Counter
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


def release(code: Path, data: Data) -> None:
    """What Dokku runs before it starts a container: that line of the Procfile."""
    [command] = re.findall(r"^release: python (.+)$", (code / "Procfile").read_text(), re.MULTILINE)
    run(code, data, *command.split())


def run(code: Path, data: Data, *arguments: str) -> None:
    command = [sys.executable, "-W", "ignore", *arguments]
    done = subprocess.run(command, cwd=code, env=data.variables, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def written(data: Data, texts: list[str], *, by: bool = False) -> Counter[str]:
    """How often each of these texts was stored. ``by``: how many of them by which code, "older" or "newer"."""
    url = embedded_database_url(data.folder)
    with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(WRITTEN.format(", coalesce(built_by, 'older')" if by else ""), [texts])
        return Counter(row[-1] for row in cursor.fetchall())
