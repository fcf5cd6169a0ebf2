"""gunicorn, in development and in production. `python -m deploy.serve` starts it."""

import gc
import os
import resource
import shutil
import sys
from pathlib import Path
from typing import Any

# gunicorn reads this file before it puts the folder it runs in on the path.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from django.apps import apps
from prometheus_client import multiprocess

from deploy.glibc import share_arenas
from deploy.shared_metrics import VARIABLE, prepare_folder
from makerlog import settings
from makerlog.api.connections import sentence
from makerlog.env import url_host

DESCRIPTORS = 65_536

measured = prepare_folder(settings.DATA_DIR)  # before the application is loaded, whose metrics look for it

# As many descriptors as we may have: each client connection is one. The front door keeps below the limit whatever it is.
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(
    resource.RLIMIT_NOFILE, (min(most, DESCRIPTORS) if most != resource.RLIM_INFINITY else DESCRIPTORS, most)
)

share_arenas()

bind = f"{url_host(settings.HOST)}:{settings.PORT}"
workers = 1 if settings.PROCESS == "ops" else settings.WEB_CONCURRENCY
worker_class = "deploy.worker.Worker"
proc_name = "makerlog"

preload_app = True  # loading takes seconds, forking what is loaded none: whoever kills the workers gains nothing by it

timeout = 30  # a worker whose event loop gives no sign for so long is replaced
graceful_timeout = 30  # how long requests in flight may take once it is told to stop
keepalive = 75  # longer than the 60 s nginx keeps an idle connection, so that nginx is never the one surprised
backlog = 2048
max_requests = 200_000  # then a worker is replaced, so that whatever leaks ends; not all of them at once:
max_requests_jitter = 50_000

# The heartbeat file: on a disk that stalls, gunicorn would take a healthy worker for a dead one.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108

control_socket_disable = True  # on by default since 27; nobody here talks to it
accesslog = None  # the gate keeps its own, bounded record of requests
errorlog = "-"
loglevel = "warning" if settings.LOG_LEVEL == "INFO" else settings.LOG_LEVEL.lower()


def when_ready(server: object) -> None:
    """What is loaded stays: the collector of garbage need not go through it again and again, nor the workers, by doing so,
    make copies of what they share."""
    print(f"Database connections: {sentence(settings)}.", flush=True)
    if apps.ready and settings.PROCESS != "ops":  # which shows no pages
        from makerlog.accounts.ahead import read_ahead  # its models need Django, which is loaded by now

        print(f"Makers at hand: {read_ahead()}.", flush=True)
    gc.collect()
    gc.freeze()


def child_exit(server: Any, worker: Any) -> None:
    """What a worker counted stays in the sums; what it had under way does not."""
    if VARIABLE in os.environ:
        multiprocess.mark_process_dead(worker.pid)


def on_exit(server: Any) -> None:
    if measured is not None:
        shutil.rmtree(measured, ignore_errors=True)
