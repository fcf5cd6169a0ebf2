import asyncio
import threading

import pytest
import uvloop

from makerlog.gate.body import HungUp
from makerlog.gate.limits import Lane
from makerlog.gate.pool import Crash, NoRoom, Pool


class OneLane(Pool):
    """A pool of one lane, whose clients are all alike and may hold all of it."""

    def offer(self, work):
        return super().offer(work, "only", "anybody")


def pool_of(threads, waiting, longest_wait=5.0):
    return OneLane([Lane("only", threads=threads, waiting=waiting, per_client=1_000, longest_wait=longest_wait)])


def test_never_more_run_at_once_than_there_are_threads():
    lock, now, most = threading.Lock(), [0], [0]

    def work():
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        threading.Event().wait(0.002)
        with lock:
            now[0] -= 1
        return "done"

    async def scenario():
        pool = pool_of(3, 100)
        jobs = [pool.offer(work) for _ in range(50)]
        results = await asyncio.gather(*(job.future for job in jobs))
        counts = pool.running, len(pool)
        await pool.close(1)
        return results, counts

    results, counts = asyncio.run(scenario())
    assert results == ["done"] * 50
    assert most == [3]
    assert counts == (0, 0)


def test_those_who_wait_are_served_in_order():
    order = []

    async def scenario():
        pool = pool_of(1, 100)
        jobs = [pool.offer(lambda n=n: order.append(n)) for n in range(20)]
        await asyncio.gather(*(job.future for job in jobs))
        await pool.close(1)

    asyncio.run(scenario())
    assert order == list(range(20))


def test_a_full_queue_refuses_at_once_and_a_long_wait_is_cut_short():
    go = threading.Event()

    async def scenario():
        pool = pool_of(1, 2, longest_wait=0.05)
        running, *waiting = [pool.offer(go.wait) for _ in range(3)]
        with pytest.raises(NoRoom):
            pool.offer(go.wait)
        for job in waiting:
            with pytest.raises(NoRoom):
                await job.future
        assert (pool.running, len(pool), pool.shed) == (1, 0, 3)
        go.set()
        await running.future
        assert (await pool.offer(lambda: 7).future, pool.running) == (7, 0)
        await pool.close(1)

    asyncio.run(scenario())


def test_forgotten_work_is_never_begun_and_makes_room():
    go, begun = threading.Event(), []

    async def scenario():
        pool = pool_of(1, 1)
        running = pool.offer(go.wait)
        waiting = pool.offer(lambda: begun.append("forgotten"))
        pool.forget(waiting)
        with pytest.raises(HungUp):
            await waiting.future
        after = pool.offer(lambda: begun.append("after"))
        pool.forget(running)  # runs already: stays
        go.set()
        await asyncio.gather(running.future, after.future)
        await pool.close(1)

    asyncio.run(scenario())
    assert begun == ["after"]


def test_a_cancelled_waiter_does_not_take_a_thread():
    go, begun = threading.Event(), []

    async def scenario():
        pool = pool_of(1, 5)
        running = pool.offer(go.wait)
        cancelled = pool.offer(lambda: begun.append("cancelled"))
        last = pool.offer(lambda: begun.append("last"))
        cancelled.future.cancel()
        go.set()
        await asyncio.gather(running.future, last.future)
        assert (pool.running, len(pool)) == (0, 0)
        await pool.close(1)

    asyncio.run(scenario())
    assert begun == ["last"]


@pytest.mark.parametrize("error", [ValueError("x"), StopIteration(), SystemExit(1)])
def test_a_thread_outlives_whatever_its_work_raises(error):
    def work():
        raise error

    async def scenario():
        pool = pool_of(1, 1)
        with pytest.raises(Crash) as caught:
            await pool.offer(work).future
        assert caught.value.__cause__ is error
        assert await pool.offer(lambda: 7).future == 7
        await pool.close(1)

    asyncio.run(scenario())


def test_closing_turns_away_who_waits_and_ends_the_threads():
    go = threading.Event()

    async def scenario():
        pool = pool_of(1, 1)
        running, waiting = pool.offer(go.wait), pool.offer(go.wait)
        closing = asyncio.ensure_future(pool.close(5))
        with pytest.raises(NoRoom):
            await waiting.future
        go.set()
        await running.future
        await closing

    before = threading.active_count()
    asyncio.run(scenario())
    assert threading.active_count() == before


def test_closing_does_not_wait_for_ever():
    go = threading.Event()

    async def scenario():
        pool = pool_of(1, 1)
        pool.offer(go.wait)
        await pool.close(0.02)

    asyncio.run(scenario())
    go.set()


def test_on_the_loop_of_production_a_lane_may_be_looked_at_again_at_once():
    """uvloop's handle for what is due within half a millisecond does not know when that is."""

    async def scenario():
        pool = pool_of(1, 10)
        pool._wake_in(0.0001)
        pool._wake_in(0.00005)
        looked = pool._wake
        await asyncio.sleep(0.05)
        await pool.close(1)
        return looked, pool._wake

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        looked, after = runner.run(scenario())
    assert looked is not None
    assert after is None
