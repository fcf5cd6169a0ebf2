"""A service small enough to start in a second, for tests of the supervisor: `python -m tests.deploy.small_app`.

The supervisor, the servers and gunicorn are the real ones; only Django is left out.
"""

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from typing import Any

import psycopg2

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


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """/slow works for a second and then asks PostgreSQL, /stuck works for a minute; all else answers at once."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    if scope["path"] == "/slow":
        Path(os.environ["DATA_DIR"], "slow").touch()
        await asyncio.sleep(1)
        ask_postgres()
    if scope["path"] == "/stuck":
        Path(os.environ["DATA_DIR"], "slow").touch()
        await asyncio.sleep(60)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
    await send({"type": "http.response.body", "body": b"done"})


async def lifespan(receive: Any, send: Any) -> None:
    for stage in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{stage}.complete"})


def ask_postgres() -> None:
    from makerlog import settings

    with contextlib.closing(psycopg2.connect(settings.DATABASE_URL)):
        pass


def main() -> int:
    from deploy.supervisor import SERVE, Supervisor, report
    from makerlog import settings

    serve = [*SERVE[:-1], "tests.deploy.small_app:application"]
    prepare, work = [sys.executable, "-c", PREPARE], [sys.executable, "-c", WORK]
    return report(lambda: Supervisor(settings, prepare=prepare, serve=serve, work=work).run())


if __name__ == "__main__":
    sys.exit(main())
