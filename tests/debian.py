"""Programs of the system that some tests stand on: nginx, go, pgbouncer. As root on Debian they are installed when they are
first needed; elsewhere the test says what it wants and is skipped, or fails where NO_SKIPS is set, as in .ci/run."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

PACKAGES = {
    "nginx": "nginx-light",
    "go": "golang-go",
    "pgbouncer": "pgbouncer",
    "ip": "iproute2",
    "openssl": "openssl",
    "/usr/lib/postgresql/15/bin/postgres": "postgresql-15",
}
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LOCK = Path(tempfile.gettempdir()) / "makerlog-tests-apt.lock"


def needs(program: str) -> str:
    """The path of ``program``. Installs its package where that is possible; else the test is skipped, or fails."""
    found = path_of(program) or install(program)
    if found is None:
        sentence = f"{program} is not installed (Debian: apt-get install {PACKAGES[program]})"
        if os.environ.get("NO_SKIPS"):
            pytest.fail(sentence, pytrace=False)
        pytest.skip(sentence)
    return found


def needs_namespaces() -> None:
    """Root, on Linux, with the right to make network namespaces: for tests with several machines."""
    program = needs("ip")
    made = subprocess.run([program, "netns", "add", f"probe-{os.getpid()}"], capture_output=True, text=True)
    if made.returncode:
        sentence = f"network namespaces cannot be made here: {made.stderr.strip()}"
        if os.environ.get("NO_SKIPS"):
            pytest.fail(sentence, pytrace=False)
        pytest.skip(sentence)
    subprocess.run([program, "netns", "delete", f"probe-{os.getpid()}"], check=True)


def path_of(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}")


def install(program: str) -> str | None:
    """With apt, one process at a time. None: this is no Debian, or we are not root, or apt could not."""
    if sys.platform != "linux" or os.geteuid() or not shutil.which("apt-get"):
        return None
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path_of(program):
            apt("update")
            apt("install", "--yes", "--no-install-recommends", PACKAGES[program])
    return path_of(program)


def apt(*arguments: str) -> None:
    variables = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}  # starts no service
    subprocess.run(["apt-get", "--quiet", "--quiet", *arguments], env=variables, timeout=600, capture_output=True)
