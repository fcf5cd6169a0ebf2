"""Runs work in fibres of an event loop, and tells when the loop was held up."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

from makerlog.gate.limits import Lane
from makerlog.gate.pool import Pool

LANE = Lane("only", threads=4, waiting=10, per_client=100, longest_wait=5.0)
THREAD = "a thread"
PREPARED_S = 10.0


class Loop:
    """``pool`` has the fibres; ``longest`` is how long the loop was held up at most, in seconds."""

    def __init__(self, pool: Pool[Any]) -> None:
        self.pool = pool
        self.longest = 0.0

    async def once(self, work: Callable[[], Any], elsewhere: Callable[[], Any] = lambda: THREAD) -> Any:
        return await self.pool.offer(elsewhere, "only", "somebody", work).future

    async def in_fibre(self, work: Callable[[], Any]) -> Any:
        """Once what the fibre lacked is prepared."""
        began = time.monotonic()
        while (found := await self.once(work)) == THREAD and time.monotonic() - began < PREPARED_S:
            await asyncio.sleep(0.01)
        return found

    async def tick(self) -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.005)
            self.longest = max(self.longest, time.monotonic() - began)


def run(
    scenario: Callable[[Loop], Awaitable[Any]], fibres: int = 1, new_loop: Callable[[], Any] = uvloop.new_event_loop
) -> Any:
    async def main() -> Any:
        pool: Pool[Any] = Pool((LANE,), fibres=fibres)
        loop = Loop(pool)
        ticking = asyncio.create_task(loop.tick())
        try:
            return await asyncio.wait_for(scenario(loop), 30)
        finally:
            ticking.cancel()
            await pool.close(2)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(main())
