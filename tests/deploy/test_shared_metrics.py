"""deploy/shared_metrics.py: /metrics sums what all workers counted, and a full disk takes no worker down."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.embedded import wait_until
from deploy.shared_metrics import remove_abandoned
from tests.deploy.hosts import App, Data, data
from tests.deploy.machine import needs_mounts

# A file system of its own in the folder $0, with not a byte left.
FULL = 'mount -t tmpfs -o size=64k none "$0" && dd if=/dev/zero of="$0/filler" bs=4k status=none; exec "$@"'


@pytest.fixture(scope="module")
def shared() -> Iterator[Data]:
    with data() as shared:
        yield shared


@contextlib.contextmanager
def serving(app: App) -> Iterator[App]:
    try:
        app.wait()
        yield app
    finally:
        assert app.stop() == 0, app.log.read_text()


def served(app: App) -> float:
    page = app.ask("/metrics", Authorization="Bearer m3trics").body.decode()
    return sum(float(each) for each in re.findall(r'^makerlog_requests_total\{.*"served"\} (\S+)', page, re.MULTILINE))


def test_a_full_disk_takes_no_worker_down(shared: Data) -> None:
    needs_mounts()
    folder = shared.folder / "run"
    folder.mkdir(exist_ok=True)
    within = ("unshare", "-m", "sh", "-c", FULL, str(folder))
    with serving(App(shared, within=within, TMPDIR=str(folder), METRICS_TOKEN="m3trics")) as app:
        workers = {each.pid for each in app.tree()}
        for _ in range(20):
            assert app.ask("/tasks/?limit=1").status == 200
        assert wait_until(lambda: served(app) >= 1, seconds=5)
        assert {each.pid for each in app.tree()} == workers
        assert app.log.read_text().count("No space left on device") <= len(workers)
        assert "Metrics of this process are not shared" in app.log.read_text()


def test_workers_share_what_they_counted_and_leave_nothing_behind(shared: Data) -> None:
    with serving(App(shared, WEB_CONCURRENCY="2", METRICS_TOKEN="m3trics")) as app:
        for _ in range(20):
            assert app.ask("/tasks/?limit=1").status == 200
        assert wait_until(lambda: {served(app) >= 20 for _ in range(6)} == {True}, seconds=10)
        assert list((shared.folder / "run").glob("metrics-*/*.db"))
    assert not list((shared.folder / "run").glob("metrics-*"))


def test_a_folder_that_was_given_is_never_removed(shared: Data, tmp_path: Path) -> None:
    (tmp_path / "of-somebody-else").touch()
    with serving(App(shared, PROMETHEUS_MULTIPROC_DIR=str(tmp_path), METRICS_TOKEN="m3trics")):
        pass
    assert (tmp_path / "of-somebody-else").exists()


def test_folders_of_killed_processes_are_removed_at_the_next_start(shared: Data) -> None:
    killed = App(shared)
    killed.wait()
    left = shared.folder / "run" / f"metrics-{killed.process.pid}"
    assert left.is_dir()
    killed.kill()
    with serving(App(shared)):
        assert not left.exists()


def test_folders_of_those_that_run_stay(tmp_path: Path) -> None:
    for name in (f"metrics-{os.getppid()}", f"metrics-{os.getpid()}", "metrics-of-mine"):
        (tmp_path / name).mkdir()
    remove_abandoned(tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == [f"metrics-{os.getppid()}", "metrics-of-mine"]
