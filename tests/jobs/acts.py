"""Jobs for tests: what they did stands in a file, since the worker is another process."""

import time
from pathlib import Path

from django_tasks import task


@task()
def write(path: str, line: str) -> None:
    with Path(path).open("a") as file:
        file.write(f"{line}\n")


@task()
def write_slowly(path: str, seconds: float) -> None:
    write.func(path, "begun")
    time.sleep(seconds)
    write.func(path, "done")


@task()
def fail(reason: str) -> None:
    raise ValueError(reason)
