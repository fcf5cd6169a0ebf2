"""A service small enough to start in a second, for tests of the supervisor: `python -m tests.deploy.small_app`.

The supervisor, the servers, gunicorn and the front door are the real ones; only Django is left out.
"""

import contextlib
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2

from makerlog.gate.door import FrontDoor
from makerlog.gate.limits import Limits, lanes

PREPARE = """
import os
from pathlib import Path
folder = Path(os.environ["DATA_DIR"]) / "secrets"
folder.mkdir(exist_ok=True)
(folder / "demo_token").write_text("mkl_token")
(folder / "admin_password").write_text("password")
raise SystemExit(int(os.environ.get("PREPARE_CODE", "0")))
"""


WORK = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
if "WORKER_CODE" in os.environ:
    sys.exit(int(os.environ["WORKER_CODE"]))
time.sleep(3600)
"""


def django(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """In Django's place. /slow works for a second and then asks PostgreSQL, /stuck works for a minute."""
    seconds = {"/slow": 1, "/stuck": 60}.get(environ["PATH_INFO"], 0)
    if seconds:
        Path(os.environ["DATA_DIR"], "slow").touch()
        time.sleep(seconds)
        ask_postgres()
    start_response("200 OK", [])
    return [b"done"]


application = FrontDoor(django, limits=Limits((replace(lanes()[-1], deadline=90.0),)))


def ask_postgres() -> None:
    from makerlog import settings

    with contextlib.closing(psycopg2.connect(settings.DATABASE_URL)):
        pass


def main() -> int:
    from deploy.supervisor import Supervisor, report
    from makerlog import settings

    serve = [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "tests.deploy.small_app:application"]
    prepare, work = [sys.executable, "-c", PREPARE], [sys.executable, "-c", WORK]
    return report(lambda: Supervisor(settings, prepare=prepare, serve=serve, work=work).run())


if __name__ == "__main__":
    sys.exit(main())
