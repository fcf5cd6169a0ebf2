"""Starts gunicorn: `python -m deploy.serve` for makers, `python -m deploy.serve ops` for the admin.

A program, since the Procfile cannot set a variable: herokuish starts a line as `exec $(eval echo LINE)`, for which
`PROCESS=ops gunicorn` is a program called `PROCESS=ops`. And gunicorn fails on the empty variables that Dokku sets.
"""

import os
import sys

from makerlog.env import drop_empty_variables

ARGUMENTS = ["-c", "deploy/gunicorn.conf.py", "makerlog.asgi:application"]
OPS_PORT = "5000"  # Dokku gives a port to web alone; nginx and the health check ask ops at this one (deploy/app.json)


def main(process: str = "") -> None:
    """``process``: what PROCESS is set to; by default what it is, or web."""
    drop_empty_variables()
    os.environ["PROCESS"] = process or os.environ.get("PROCESS", "web")
    if os.environ["PROCESS"] == "ops":
        os.environ.setdefault("PORT", OPS_PORT)
    from gunicorn.app.wsgiapp import run  # reads WEB_CONCURRENCY when it is imported

    sys.argv[1:] = ARGUMENTS
    run()


if __name__ == "__main__":
    main(*sys.argv[1:])
