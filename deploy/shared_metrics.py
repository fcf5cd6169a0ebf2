"""Files in which the workers of one gunicorn share what they measured, so that any of them answers /metrics for all.

prometheus_client maps them into memory, where a write that a full disk has no room for kills the process (SIGBUS). So room
is taken when a file is made; where there is none, that worker counts for itself, and the log says so once.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import psutil
from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
PREFIX = "metrics-"
FILE_BYTES = 256 * 1024  # some 1,500 series; a file grows beyond that, as long as its disk has room


class ProcessValues:
    """What prometheus_client keeps in a file, in the memory of one process."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[float, float]] = {}

    def read_value(self, key: str) -> tuple[float, float]:
        return self.values.setdefault(key, (0.0, 0.0))

    def write_value(self, key: str, value: float, timestamp: float) -> None:
        self.values[key] = (value, timestamp)

    def close(self) -> None:
        pass


def prepare_folder(data_dir: Path) -> Path | None:
    """Name the folder in the environment, before any metric is made. None: it is not ours to remove, or there is none.

    One that was given stays as it is. Those of processes that were killed are removed.
    """
    values.MmapedDict = open_values  # type: ignore[attr-defined, assignment]
    if os.environ.get(VARIABLE):
        return None
    folder = data_dir / "run" / f"{PREFIX}{os.getpid()}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(folder.parent)
        folder.mkdir()
        take_room(folder / "probe")
        (folder / "probe").unlink()
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        warn(error)
        return None
    os.environ[VARIABLE] = str(folder)
    values.ValueClass = values.get_value_class()  # which was chosen when prometheus_client was imported
    return folder


def remove_abandoned(parent: Path) -> None:
    """Folders of processes that are gone, and of one that had our id in an earlier container."""
    for each in parent.glob(f"{PREFIX}*"):
        number = each.name.removeprefix(PREFIX)
        if number.isdigit() and (int(number) == os.getpid() or not psutil.pid_exists(int(number))):
            shutil.rmtree(each, ignore_errors=True)


def open_values(path: str) -> Any:
    """Takes the place of MmapedDict."""
    try:
        take_room(Path(path))
        return MmapedDict(path)
    except OSError as error:
        Path(path).unlink(missing_ok=True)
        warn(error)
        return ProcessValues()


def take_room(path: Path) -> None:
    """Raises OSError where there is none."""
    if not path.exists():
        path.write_bytes(bytes(FILE_BYTES))


_warned: set[int] = set()  # processes


def warn(error: OSError) -> None:
    if os.getpid() not in _warned:
        _warned.add(os.getpid())
        print(f"Metrics of this process are not shared: {error}.", file=sys.stderr, flush=True)
