"""A cheap load: raw HTTP on connections that stay open, one request at a time on each."""

import asyncio
import itertools
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import cast

import uvloop

from tests.benchmarks.size import CALLERS, CONNECTIONS, SIZE

PATIENCE = 30  # seconds
ENDLESS = float("inf")
WARM = CALLERS + 50  # requests
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def request(path: str, token: str = "", *, address: str = "", body: bytes | None = None) -> bytes:
    """A GET, or a POST where there is a body. ``address``: who calls, as a proxy says."""
    lines = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1", "Host: 127.0.0.1", "Accept: application/json"]
    lines += [f"Authorization: Token {token}"] * bool(token)
    lines += [f"X-Forwarded-For: {address}"] * bool(address)
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


@dataclass
class Tally:
    """Ends when ``deadline`` (monotonic) has passed or ``most`` requests were sent."""

    requests: Iterator[bytes]
    deadline: float = ENDLESS
    most: float = ENDLESS
    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)

    def next(self) -> bytes | None:
        if self.sent >= self.most or time.monotonic() > self.deadline:
            return None
        self.sent += 1
        return next(self.requests)


class Client(asyncio.Protocol):
    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.buffer = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self.ask()

    def ask(self) -> None:
        request = self.tally.next()
        if request is None:
            self.transport.close()
        else:
            self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        found = LENGTH.search(self.buffer, 0, end)
        if len(self.buffer) >= end + 4 + (int(found[1]) if found else 0):
            self.tally.statuses[int(self.buffer[9:12])] += 1
            self.buffer = b""
            self.ask()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def drive(port: int, tally: Tally) -> None:
    loop = asyncio.get_running_loop()
    clients = [await loop.create_connection(lambda: Client(tally), "127.0.0.1", port) for _ in range(CONNECTIONS)]
    waiting = {client.done for _, client in clients}
    while waiting:
        before = tally.statuses.total()
        _, waiting = await asyncio.wait(waiting, timeout=PATIENCE)
        assert not waiting or tally.statuses.total() > before, f"no answer for {PATIENCE} s"


def send(port: int, tally: Tally) -> float:
    """Seconds that it took. A request without an answer is a fault."""
    began = time.monotonic()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(drive(port, tally))
    assert tally.statuses.total() == tally.sent, f"{tally.sent - tally.statuses.total()} requests had no answer"
    return time.monotonic() - began


@dataclass(frozen=True)
class Contestant:
    """What is asked of whom. ``cpu``: seconds computed so far by all that is counted for it."""

    port: int
    cpu: Callable[[], float]
    requests: Sequence[bytes]
    status: int = 200


@dataclass(frozen=True)
class Figures:
    """Medians of all rounds: requests a second of CPU, and a second on the clock; and each round's."""

    by_cpu: float
    by_wall: float
    rounds: list[tuple[float, float]]

    @property
    def told(self) -> dict[str, object]:
        rounds = [[round(figure, 1) for figure in each] for each in self.rounds]
        return {"by_cpu": round(self.by_cpu, 1), "by_wall": round(self.by_wall, 1), "rounds": rounds}


def contest(contestants: dict[str, Contestant], rounds: int, seconds: float) -> dict[str, Figures]:
    """Each in turn, so that what else the machine does falls on all alike; one round before, which counts for nothing, and in
    which every caller comes once: what a token's first use in a minute costs is no part of the rest."""
    supplies = {name: itertools.cycle(each.requests) for name, each in contestants.items()}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, each in contestants.items():
            figures = measure(each, supplies[name], seconds if number else SIZE.warm, ENDLESS if number else WARM)
            if number:
                found[name].append(figures)
    return {
        name: Figures(median(each[0] for each in figures), median(each[1] for each in figures), figures)
        for name, figures in found.items()
    }


def measure(
    contestant: Contestant, requests: Iterator[bytes], seconds: float, most: float = ENDLESS
) -> tuple[float, float]:
    tally = Tally(requests, deadline=time.monotonic() + seconds, most=most)
    before = contestant.cpu()
    took = send(contestant.port, tally)
    computed = contestant.cpu() - before
    served = tally.statuses[contestant.status]
    # Whoever sheds load on a busy machine is measured by what it served.
    assert {contestant.status} <= set(tally.statuses) <= {contestant.status, 503}, f"answers: {dict(tally.statuses)}"
    return served / max(computed, 0.01), served / took
