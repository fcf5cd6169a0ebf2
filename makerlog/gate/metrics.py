"""What the front door measures, for Prometheus. Summed over the processes of a machine through files in
PROMETHEUS_MULTIPROC_DIR (set by deploy/shared_metrics.py); without it, of this process alone."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from makerlog.gate.pool import Job, Pool

SAMPLED_EVERY_S = 0.5
LAG_EVERY_S = 0.1
STRAIN_S = 0.025  # a loop that is so late has more to do than it can

REQUESTS = Counter("makerlog_requests", "Requests by lane and what became of them.", ["lane", "outcome"])
QUEUED = Histogram(
    "makerlog_queue_seconds",
    "How long a request waited for a thread.",
    ["lane"],
    buckets=(0.001, 0.005, 0.02, 0.1, 0.25, 0.5, 1, 2, 5),
)
LAG = Histogram(
    "makerlog_event_loop_lag_seconds",
    "How late the event loop came to a timer.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1),
)
IN_FLIGHT = Gauge("makerlog_in_flight", "Requests that hold a thread.", ["lane"], multiprocess_mode="livesum")
WAITING = Gauge("makerlog_waiting", "Requests that wait for a thread.", ["lane"], multiprocess_mode="livesum")
THREADS = Gauge("makerlog_threads", "Threads for Django, at most.", multiprocess_mode="livesum")
CONNECTIONS = Gauge("makerlog_connections", "Client connections without WebSockets.", multiprocess_mode="livesum")
DROPPED = Gauge("makerlog_connections_dropped", "Idle ones closed for want of room.", multiprocess_mode="livesum")
SOCKETS = Gauge("makerlog_sockets", "Open WebSockets.", multiprocess_mode="livesum")
SOCKETS_EVICTED = Gauge(
    "makerlog_sockets_evicted", "Anonymous sockets that made room for others.", multiprocess_mode="livesum"
)
SOCKETS_DROPPED = Gauge("makerlog_sockets_dropped", "Readers that were too slow.", multiprocess_mode="livesum")
SHARED = Gauge("makerlog_shared_bytes", "Held by answers that are shared.", multiprocess_mode="livesum")
BODIES = Gauge("makerlog_body_bytes", "Held by bodies.", multiprocess_mode="livesum")
FILES = Gauge("makerlog_files", "Files that are being sent.", multiprocess_mode="livesum")
FILES_DROPPED = Gauge("makerlog_files_dropped", "Sent to slow readers, who made way.", multiprocess_mode="livesum")
UNREAD = Gauge("makerlog_unread_bytes", "Held by answers that wait for slow readers.", multiprocess_mode="livesum")
UNREAD_DROPPED = Gauge(
    "makerlog_unread_dropped", "Connections cut off for what they left unread.", multiprocess_mode="livesum"
)


def count(lane: str, outcome: str) -> None:
    """``outcome``: served, shared (from memory), shed, throttled, banned, refused, failed or hung_up."""
    _requests(lane, outcome).inc()


@lru_cache(maxsize=256)
def _requests(lane: str, outcome: str) -> Any:
    return REQUESTS.labels(lane, outcome)


@lru_cache(maxsize=32)
def _queued(lane: str) -> Any:
    return QUEUED.labels(lane)


def note_begin(job: Job[Any]) -> None:
    """``job`` has its thread."""
    if job.begun_at is not None:
        _queued(job.lane.limits.name).observe(job.begun_at - job.asked_at)


def outcome_of(status: int) -> str:
    """What became of a request that Django answered."""
    if status == 429:
        return "throttled"
    return "failed" if status >= 500 else "served"


class Sampler:
    """Ten times a second: how late the loop is; and every half second, how full everything. ``gauges`` are asked for what
    they show."""

    def __init__(self, pool: Pool[Any], gauges: Mapping[Gauge, Callable[[], float]]) -> None:
        self.pool = pool
        self.gauges = gauges
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        sampled = loop.time()
        while True:
            due = loop.time() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            self._note_lag(max(0.0, loop.time() - due))
            if loop.time() - sampled >= SAMPLED_EVERY_S:
                sampled = loop.time()
                self.sample()

    def _note_lag(self, seconds: float) -> None:
        LAG.observe(seconds)
        if seconds >= STRAIN_S:
            self.pool.strain()

    def sample(self) -> None:
        THREADS.set(self.pool.size)
        for name, lane in self.pool.lanes.items():
            IN_FLIGHT.labels(name).set(lane.running)
            WAITING.labels(name).set(len(lane.waiting))
        for gauge, value in self.gauges.items():
            gauge.set(value())
