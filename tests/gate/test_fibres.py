"""Work that waits on the event loop: the loop goes on meanwhile, and what would hold it up takes a thread."""

import asyncio
import select
import socket
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Iterator
from functools import partial, reduce
from typing import Any

import pytest
import uvloop

from makerlog.gate import deadline, fibres
from makerlog.gate.fibres import Elsewhere, Fibres, Own, in_fibre, need_thread, wait_for
from makerlog.gate.pool import Crash, Pool
from tests.fibres import run as run_in_loop

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]

Scenario = Callable[[Pool[Any]], Awaitable[Any]]


def run(scenario: Scenario, fibres: int = 2, loop: Callable[[], Any] = uvloop.new_event_loop) -> Any:
    return run_in_loop(lambda each: scenario(each.pool), fibres, loop)


def offer(pool: Pool[Any], light: Callable[[], Any], work: Callable[[], Any] = lambda: "thread") -> asyncio.Future[Any]:
    return pool.offer(work, "only", "somebody", light).future


def name_of_thread() -> str:
    return threading.current_thread().name


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    made = [socket.socketpair() for _ in range(8)]
    yield made
    for ends in made:
        for end in ends:
            end.close()


@pytest.mark.parametrize("loop", LOOPS)
def test_while_fibres_wait_the_loop_and_other_fibres_go_on(loop: Any, pairs: list[Any]) -> None:
    order: list[str] = []

    def read(number: int) -> str:
        order.append(f"asks {number}")
        assert wait_for(pairs[number][0].fileno(), select.POLLIN, 5)
        order.append(f"hears {number}")
        return f"{pairs[number][0].recv(9).decode()} in {name_of_thread()}"

    async def scenario(pool: Pool[Any]) -> list[str]:
        asked = [offer(pool, lambda: read(0)), offer(pool, lambda: read(1))]
        await asyncio.sleep(0.01)
        order.append("the loop")
        for number in (1, 0):
            pairs[number][1].send(b"%d" % number)
            await asyncio.sleep(0.01)
        return await asyncio.gather(*asked)

    here = name_of_thread()
    assert run(scenario, loop=loop) == [f"0 in {here}", f"1 in {here}"]
    assert order == ["asks 0", "asks 1", "the loop", "hears 1", "hears 0"]


@pytest.mark.parametrize("loop", LOOPS)
def test_a_wait_ends_at_its_time_and_leaves_the_socket_alone(loop: Any, pairs: list[Any]) -> None:
    silent, other = pairs[0]

    def wait() -> list[bool]:
        return [wait_for(silent.fileno(), select.POLLIN, 0.02), wait_for(silent.fileno(), select.POLLOUT, 5)]

    async def scenario(pool: Pool[Any]) -> Any:
        found = await offer(pool, wait)
        other.send(b"too late")
        await asyncio.sleep(0.01)
        return found, await offer(pool, lambda: wait_for(silent.fileno(), select.POLLIN, 5))

    assert run(scenario, fibres=1, loop=loop) == ([False, True], True)


def test_in_a_thread_the_same_code_waits_as_threads_do(pairs: list[Any]) -> None:
    began = time.monotonic()
    assert not wait_for(pairs[0][0].fileno(), select.POLLIN, 0.05)
    assert time.monotonic() - began >= 0.05
    pairs[0][1].send(b"x")
    assert wait_for(pairs[0][0].fileno(), select.POLLIN, 5)
    need_thread()
    assert not in_fibre()


def test_what_gives_none_or_needs_a_thread_has_one() -> None:
    async def scenario(pool: Pool[Any]) -> list[Any]:
        return [await offer(pool, light, name_of_thread) for light in (lambda: None, need_thread)]

    assert run(scenario, fibres=1) == ["web-0", "web-0"]


def test_where_all_fibres_wait_work_takes_a_thread(pairs: list[Any]) -> None:
    async def scenario(pool: Pool[Any]) -> list[Any]:
        waits = offer(pool, lambda: wait_for(pairs[0][0].fileno(), select.POLLIN, 5))
        assert await offer(pool, lambda: "fibre", name_of_thread) == "web-0"
        pairs[0][1].send(b"x")
        return [await waits, await offer(pool, lambda: "fibre")]

    assert run(scenario, fibres=1) == [True, "fibre"]


def test_without_fibres_all_work_takes_threads() -> None:
    async def scenario(pool: Pool[Any]) -> Any:
        return await offer(pool, lambda: "fibre", name_of_thread)

    assert run(scenario, fibres=0) == "web-0"


def test_work_that_raises_is_a_crash_and_its_fibre_works_on() -> None:
    async def scenario(pool: Pool[Any]) -> Any:
        with pytest.raises(Crash) as caught:
            await offer(pool, lambda: 1 // 0)
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        return await offer(pool, lambda: "fibre")

    assert run(scenario, fibres=1) == "fibre"


def test_what_a_fibre_lacks_a_thread_prepares_once_and_nobody_waits_for_it() -> None:
    prepared: list[str] = []

    def light() -> str:
        if not prepared:
            raise Elsewhere(lambda: prepared.append(name_of_thread()))
        return "fibre"

    async def scenario(pool: Pool[Any]) -> str:
        assert await offer(pool, light) == "thread"
        while await offer(pool, light) != "fibre":
            await asyncio.sleep(0.001)
        return str(await offer(pool, light))

    assert run(scenario, fibres=1) == "fibre"
    assert prepared == ["prepares"]


def test_what_cannot_be_prepared_is_not_tried_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fibres, "FAILED_S", 0.2)
    tries: list[float] = []

    def fail() -> None:
        tries.append(time.monotonic())
        raise OSError("no server")

    def light() -> str:
        raise Elsewhere(fail)

    async def scenario(pool: Pool[Any]) -> None:
        while len(tries) < 2:
            assert await offer(pool, light) == "thread"
            await asyncio.sleep(0.001)

    run(scenario, fibres=1)
    assert tries[1] - tries[0] >= 0.2


def test_each_fibre_and_each_thread_has_its_own(pairs: list[Any]) -> None:
    mine = Own(lambda: [])

    def work(number: int) -> list[int]:
        mine().append(number)
        wait_for(pairs[number][0].fileno(), select.POLLIN, 5)
        mine().append(number)
        return list(mine())

    async def scenario(pool: Pool[Any]) -> Any:
        asked = [offer(pool, lambda: work(0)), offer(pool, lambda: work(1)), offer(pool, lambda: None, lambda: work(2))]
        await asyncio.sleep(0.01)
        for number in range(3):
            pairs[number][1].send(b"x")
        found = await asyncio.gather(*asked)
        mine().append(9)
        return found

    assert run(scenario) == [[0, 0], [1, 1], [2, 2]]
    assert mine() == [9]


def test_a_deadline_is_its_fibres_alone(pairs: list[Any]) -> None:
    def work(number: int, seconds: float) -> float:
        with deadline.until(time.monotonic() + seconds):
            wait_for(pairs[number][0].fileno(), select.POLLIN, 5)
            return deadline.left()

    async def scenario(pool: Pool[Any]) -> Any:
        asked = [offer(pool, lambda: work(0, 50)), offer(pool, lambda: work(1, 5))]
        await asyncio.sleep(0.01)
        for number in (0, 1):
            pairs[number][1].send(b"x")
        return await asyncio.gather(*asked)

    long, short = run(scenario)
    assert 40 < long <= 50
    assert 3 < short <= 5
    assert deadline.left() == deadline.SILENCE_S


def test_an_idle_fibre_keeps_neither_its_last_work_nor_what_it_found(pairs: list[Any]) -> None:
    class Thing:
        pass

    def work(asked: Thing, found: Thing) -> Thing:
        wait_for(pairs[0][0].fileno(), select.POLLIN, 0.01)
        return found

    async def scenario(pool: Pool[Any]) -> list[bool]:
        asked, found = Thing(), Thing()
        known = [weakref.ref(asked), weakref.ref(found)]
        assert await offer(pool, partial(work, asked, found)) is found
        del asked, found
        await asyncio.sleep(0.01)
        return [each() is None for each in known]

    assert run(scenario, fibres=1) == [True, True]


def test_who_worked_last_works_next() -> None:
    async def main() -> list[int]:
        pool, seen = Fibres(4), []
        mine = Own(object)
        for _ in range(5):
            done = asyncio.get_running_loop().create_future()
            assert pool.begin(lambda: id(mine()), done.set_result)
            seen.append(await done)
        return seen

    assert len(set(asyncio.run(main()))) == 1


def deeply(depth: int, work: Callable[[], Any]) -> Any:
    """What ``work`` gives, from so deep in the stack of C."""
    return reduce(lambda _, __: deeply(depth - 1, work), (0, 0)) if depth else work()


def test_many_that_go_on_at_once_leave_the_loop_whole(pairs: list[Any]) -> None:
    """Where a fibre asked the loop itself, libuv looked for what it works on where the fibre's stack lay, and the process
    died."""

    def read(number: int) -> int:
        def hear() -> int:
            assert wait_for(pairs[number][0].fileno(), select.POLLIN, 5)
            return len(pairs[number][0].recv(1))

        return sum(deeply(depth, hear) for depth in range(60) for _ in range(5))

    async def scenario(pool: Pool[Any]) -> list[int]:
        asked = [offer(pool, partial(read, number)) for number in range(4)]
        while not all(each.done() for each in asked):
            for _, there in pairs[:4]:
                there.send(b"x")
            await asyncio.sleep(0)
        return await asyncio.gather(*asked)

    assert run(scenario, fibres=4) == [300] * 4
