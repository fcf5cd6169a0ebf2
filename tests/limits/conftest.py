"""A Valkey of the tests' own, to be stopped and frozen, and processes that spend through it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from deploy.embedded import Valkey, wait_until
from makerlog.api.buckets import Limiter
from makerlog.api.store import client
from makerlog.env import embedded_redis_url

ROOT = Path(__file__).parents[2]


class OwnRedis:
    """Can be stopped (and so emptied), started again, frozen and thawed."""

    def __init__(self, folder: Path) -> None:
        self.server = Valkey(folder, fast=True)
        self.url = embedded_redis_url(folder)

    def start(self) -> None:
        self.server.start()

    def stop(self, *, forgetting: bool = False) -> None:
        self.server.stop()
        if forgetting:
            for file in self.server.directory.rglob("*"):
                if file.is_file():
                    file.unlink()

    def freeze(self) -> None:
        assert self.server.process is not None
        self.server.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.server.process is not None
        self.server.process.send_signal(signal.SIGCONT)


@pytest.fixture
def own_redis() -> Iterator[OwnRedis]:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own may be cleared by a run beside this one
        redis = OwnRedis(Path(folder))
        redis.start()
        yield redis
        with contextlib.suppress(Exception):
            redis.thaw()
        redis.stop()


@pytest.fixture
def limiter_of() -> Callable[..., Limiter]:
    def make(redis: OwnRedis, processes: int = 1) -> Limiter:
        return Limiter(client(redis.url), processes=processes, prefix=uuid4().hex)

    return make


class Spenders:
    """Processes that spend at the same time."""

    def __init__(self, number: int, *arguments: str) -> None:
        command = [sys.executable, "-m", "tests.limits.process", *arguments]
        self.processes = [
            subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ
            )
            for _ in range(number)
        ]

    def spend(self, calls: int, threads: int, subject: str = "alice") -> list[dict[str, Any]]:
        """What each answers to so many calls by so many threads of its own."""
        with ThreadPoolExecutor(len(self.processes)) as pool:
            return list(pool.map(lambda process: self.one(process, f"{calls} {threads} {subject}\n"), self.processes))

    @staticmethod
    def one(process: "subprocess.Popen[str]", line: str) -> dict[str, Any]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line)
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    def end(self) -> None:
        for process in self.processes:
            with process:  # closes its pipes, and so ends it
                pass


@pytest.fixture
def spenders() -> Iterator[Callable[..., Spenders]]:
    made: list[Spenders] = []

    def make(
        redis: OwnRedis, *, way: str = "script", processes: int = 2, capacity: int = 50, refilled_in: int = 86_400
    ) -> Spenders:
        arguments = [redis.url, uuid4().hex, str(processes), way, str(capacity), str(refilled_in)]
        made.append(Spenders(processes, *arguments))
        return made[-1]

    yield make
    for each in made:
        each.end()


def eventually(true: Callable[[], object], seconds: float = 10) -> None:
    assert wait_until(lambda: bool(true()), seconds=seconds), f"not within {seconds} s"
