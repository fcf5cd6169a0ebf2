"""PostgreSQL's folder with our tables and a small community in it: made once a run, copied by whoever needs one."""

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.embedded import Embedded, Postgres
from makerlog.env import runtime_dir

ROOT = Path(__file__).resolve().parent.parent.parent
UNSET = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "PUBLIC_URL", "PROCESS")
MADE = ["migrate -v0", "demo --makers 5 --tasks 50 --products 2 --discussions 2"]


def lay(data_dir: Path) -> None:
    """Before the servers of ``data_dir`` start for the first time."""
    data_dir.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", template(), data_dir / Postgres.folder], check=True)  # keeps the owner


@functools.cache
def template() -> Path:
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    data_dir = folder / "data"
    variables = {name: value for name, value in os.environ.items() if name not in UNSET} | {"DATA_DIR": str(data_dir)}
    servers = Embedded(data_dir, fast=True)
    servers.start()
    try:
        for command in MADE:
            arguments = [sys.executable, "-W", "ignore", "manage.py", *command.split()]
            subprocess.run(arguments, cwd=ROOT, env=variables, check=True, timeout=120, stdout=subprocess.DEVNULL)
    finally:
        servers.stop()
        shutil.rmtree(runtime_dir(data_dir), ignore_errors=True)
    return data_dir / Postgres.folder
