"""Lanes: who takes which, who runs, who waits, who goes."""

import asyncio
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import time_machine

from makerlog.gate.caller import Caller, identify
from makerlog.gate.demand import REQUEST_S, Demand
from makerlog.gate.door import FrontDoor
from makerlog.gate.lanes import WHOSE, client_in, is_near, lane_of
from makerlog.gate.limits import LEAST_THREADS, Lane, Limits, lanes
from makerlog.gate.pool import IN_USE_S, NoRoom, Pool, TooManyAtOnce
from tests.gate.serving import Stuck, is_refusal, one_lane, serve, until

STRANGER = Caller("93.184.216.34", "https")
KNOWN = STRANGER._replace(known=True)
MAKER = STRANGER._replace(token="abcdefghijk")
STAFF = STRANGER._replace(ticket=True)
HASHING = frozenset({"/api-token-auth/"})

# --- Which lane ---


@pytest.mark.parametrize(
    ("caller", "method", "path", "lane"),
    [
        (STRANGER, "GET", "/tasks/", "anonymous"),
        (MAKER, "GET", "/tasks/", "token"),
        (MAKER, "POST", "/tasks/", "token"),
        (STRANGER, "POST", "/api-token-auth/", "log_in"),
        (STRANGER, "POST", "/api-token-auth", "log_in"),
        (MAKER, "POST", "/api-token-auth/", "log_in"),
        (STRANGER, "GET", "/api-token-auth/", "anonymous"),
        (STRANGER, "GET", "/admin/", "anonymous"),
        (STAFF, "GET", "/admin/", "ops"),
        (STAFF, "POST", "/admin/moderation/ban/", "ops"),
        (STAFF, "GET", "/tasks/", "anonymous"),
        (STRANGER, "GET", "/admin/login/", "anonymous"),
        (STRANGER, "POST", "/admin/login/", "sign_in"),
        (STAFF, "POST", "/admin/login", "sign_in"),
        (KNOWN, "POST", "/admin/login/", "known"),
        (KNOWN, "GET", "/admin/login/", "ops"),
        (KNOWN, "POST", "/admin/login/code/", "ops"),
        (STRANGER, "GET", "/health/ready/", "anonymous"),
        (STRANGER._replace(address="127.0.0.1"), "GET", "/health/ready", "ops"),
        (STRANGER._replace(address="172.17.0.3"), "GET", "/health/ready/", "ops"),
        (STRANGER._replace(address="172.17.0.3", forwarded=True), "GET", "/health/ready/", "anonymous"),
        (STRANGER._replace(address="172.17.0.3"), "GET", "/metrics", "ops"),
        (STRANGER, "GET", "/metrics/", "anonymous"),
    ],
)
def test_who_asks_what_decides_the_lane(caller: Caller, method: str, path: str, lane: str) -> None:
    assert lane_of(caller, method, path, HASHING) == lane


def test_a_token_is_one_client_wherever_it_comes_from_and_an_address_is_one_household() -> None:
    elsewhere = MAKER._replace(address="94.1.2.3")
    assert client_in(MAKER) == client_in(elsewhere)
    assert client_in(STRANGER) != client_in(STRANGER._replace(address="93.184.216.35"))
    home = Caller("2a00:1450:4001:81b::1", "https")
    assert client_in(home) == client_in(home._replace(address="2a00:1450:4001:81b:ffff::2"))


@pytest.mark.parametrize("threads", [LEAST_THREADS, 6, 8, 16, 64])
def test_the_lanes_threads_are_all_there_are_and_each_has_its_own(threads: int) -> None:
    table = lanes(threads)
    assert sum(lane.threads for lane in table) == threads
    assert [lane.name for lane in table if lane.threads < 1] == ["known"]  # borrows from those below, first of all


# --- Who runs, who waits ---

HIGH = Lane("high", threads=1, waiting=10, per_client=100, longest_wait=5.0)
LOW = Lane("low", threads=2, waiting=10, per_client=100, longest_wait=5.0)


def run(scenario: Callable[[Any], Any], *table: Lane) -> list[str]:
    """Runs ``scenario(pool, hold, go)``; what was begun, in order."""
    begun: list[str] = []

    async def main() -> None:
        pool: Pool[Any] = Pool(table)
        go = threading.Event()

        def hold(lane: str, name: str = "", client: str = "") -> Any:
            def work() -> None:
                begun.append(name or lane)
                go.wait(5)

            return pool.offer(work, lane, client or name or lane)

        await scenario(pool, hold, go)
        go.set()
        await pool.close(2)

    asyncio.run(main())
    return begun


def test_a_higher_lane_borrows_and_a_lower_one_never_does() -> None:
    async def scenario(pool: Any, hold: Any, go: Any) -> None:
        low = [hold("low") for _ in range(3)]
        assert [pool.waits(job) for job in low] == [False, False, True]
        high = hold("high")
        assert not pool.waits(high)
        go.set()
        await asyncio.gather(*(job.future for job in [*low, high]))
        go.clear()
        high = [hold("high") for _ in range(4)]
        assert [pool.waits(job) for job in high] == [False, False, False, True]
        assert pool.waits(hold("low"))

    run(scenario, HIGH, LOW)


def test_the_higher_lane_is_served_first() -> None:
    async def scenario(pool: Any, hold: Any, go: Any) -> None:
        first = [hold("low", "first"), hold("low", "first"), hold("high", "first")]
        waiting = [hold("low", "low"), hold("high", "high")]
        go.set()
        await asyncio.gather(*(job.future for job in first + waiting))

    assert run(scenario, HIGH, Lane("low", threads=2, waiting=10, per_client=9))[3] == "high"


def test_whoever_asked_least_is_served_first_and_a_flood_waits_behind() -> None:
    async def scenario(pool: Any, hold: Any, go: Any) -> None:
        jobs = [hold("only", f"flood {n}", "flood") for n in range(5)]
        jobs.append(hold("only", "bystander", "bystander"))
        go.set()
        await asyncio.gather(*(job.future for job in jobs))

    table = Lane("only", threads=1, waiting=10, per_client=100)
    begun = run(scenario, table)
    assert begun == ["flood 0", "bystander", "flood 1", "flood 2", "flood 3", "flood 4"]


def test_what_somebody_asked_of_one_lane_counts_in_no_other() -> None:
    async def scenario(pool: Any, hold: Any, go: Any) -> None:
        looked = [hold("high", "looked", "staff") for _ in range(3)]
        jobs = [hold("low", client, client) for client in ("first", "knocks", "knocks", "staff")]
        go.set()
        await asyncio.gather(*(job.future for job in [*looked, *jobs]))

    table = Lane("high", 1, 10, 100), Lane("low", threads=1, waiting=10, per_client=100)
    assert [name for name in run(scenario, *table) if name != "looked"] == ["first", "knocks", "staff", "knocks"]


def test_who_knocked_minutes_ago_signs_in_after_who_did_not() -> None:
    lane = next(lane for lane in lanes() if lane.name == "sign_in")
    with time_machine.travel(0, tick=False) as clock:
        demand = Demand(half_life=lane.half_life, most=1_000, clock=time.time)
        for knock in range(3_600):  # one a second, from 200 addresses in turn
            clock.shift(1)
            last = demand.arrive(knock % 200)
        assert [demand.arrive("staff") for _ in range(3)][-1] < last


def test_a_known_device_signs_in_at_once_while_fresh_strangers_hold_all_that_strangers_may_begin() -> None:
    async def scenario(pool: Any, hold: Any, go: Any) -> None:
        strangers = [hold("sign_in", f"fresh {number}", number) for number in range(8)]
        known = hold("known", "known", "known")
        go.set()
        await asyncio.gather(known.future, *(job.future for job in strangers[:5]))
        assert all(pool.waits(job) for job in strangers[5:])
        for job in strangers[5:]:
            pool.forget(job)
            job.future.exception()

    assert run(scenario, *lanes())[-1] == "known"


def test_where_the_queue_is_full_whoever_asked_most_goes() -> None:
    async def scenario(pool: Any, hold: Any, go: Any) -> None:
        jobs = [hold("only", "flood", "flood") for _ in range(3)]
        bystander = hold("only", "bystander", "bystander")
        with pytest.raises(NoRoom):
            await jobs[2].future
        with pytest.raises(NoRoom):
            hold("only", "flood", "flood")
        assert pool.lanes["only"].shed == 2
        go.set()
        await bystander.future

    begun = run(scenario, Lane("only", threads=1, waiting=2, per_client=9))
    assert begun == ["flood", "bystander", "flood"]


def test_one_client_holds_so_many_places_and_gets_them_back() -> None:
    async def scenario(pool: Any, hold: Any, go: Any) -> None:
        jobs = [hold("only", "greedy") for _ in range(3)]
        with pytest.raises(TooManyAtOnce):
            hold("only", "greedy")
        other = hold("only", "other")
        pool.forget(jobs[2])
        jobs[2].future.exception()
        jobs[2] = hold("only", "greedy")
        go.set()
        await asyncio.gather(*(job.future for job in [*jobs, other]))
        assert not pool.lanes["only"].clients

    run(scenario, Lane("only", threads=1, waiting=10, per_client=3))


def test_dear_work_begins_at_its_rate_after_a_burst() -> None:
    async def scenario(pool: Any, hold: Any, go: Any) -> None:
        go.set()
        began = asyncio.get_running_loop().time()
        jobs = [hold("dear") for _ in range(4)]
        await asyncio.gather(*(job.future for job in jobs))
        times = [job.begun_at - began for job in jobs]
        assert times[1] < 0.05
        assert times[2] >= 0.05
        assert times[3] - times[2] >= 0.04

    run(scenario, Lane("dear", threads=4, waiting=10, per_client=9, burst=2, begins=20))


@pytest.mark.parametrize(
    ("in_use", "strained", "least"), [(True, False, 0.12), (True, True, 0.6), (False, False, 0.0), (False, True, 0.0)]
)
def test_a_lane_leaves_time_to_higher_ones_as_long_as_they_are_in_use(
    in_use: bool, strained: bool, least: float
) -> None:
    """And more of it when the loop came late to what it had to do."""

    async def scenario(pool: Any, hold: Any, go: Any) -> None:
        go.set()
        if strained:
            pool.strain()
        if in_use:
            await hold("high").future
        jobs = [pool.offer(lambda: threading.Event().wait(0.02), "low", n) for n in range(4)]
        await asyncio.gather(*(job.future for job in jobs))
        rests = [later.begun_at - earlier.begun_at - 0.02 for earlier, later in pairwise(jobs)]
        assert sum(rests) >= least
        assert in_use or sum(rests) < 0.1

    run(scenario, HIGH, Lane("low", threads=1, waiting=10, per_client=9, share=1 / 3))


# --- One client among others ---

SIX = Lane("only", threads=6, waiting=30, per_client=24, longest_wait=5.0)


def test_alone_one_client_runs_in_all_places() -> None:
    async def scenario(pool: Any, hold: Any, go: Any) -> None:
        jobs = [hold("only", client="greedy") for _ in range(8)]
        assert [pool.waits(job) for job in jobs] == [False] * 6 + [True] * 2
        go.set()
        await asyncio.gather(*(job.future for job in jobs))

    run(scenario, SIX)


def test_while_others_came_lately_one_client_runs_in_a_third_of_the_places() -> None:
    async def scenario(pool: Any, hold: Any, go: Any) -> None:
        go.set()
        await hold("only", client="bystander").future
        go.clear()
        jobs = [hold("only", client="greedy") for _ in range(8)]
        assert [pool.waits(job) for job in jobs] == [False] * 2 + [True] * 6
        late = [hold("only", client="bystander") for _ in range(2)]
        assert not any(pool.waits(job) for job in late)
        await asyncio.sleep(IN_USE_S / 2)
        assert pool.running == 4
        go.set()
        await asyncio.gather(*(job.future for job in [*jobs, *late]))

    run(scenario, SIX)


def test_one_client_writes_in_a_third_of_the_places_also_where_nobody_else_asks() -> None:
    """What it writes waits at its maker's row: whoever comes next must find a place."""

    async def scenario(pool: Any, hold: Any, go: Any) -> None:
        jobs = [hold("only", client="greedy") for _ in range(8)]
        assert [pool.waits(job) for job in jobs] == [False] * 2 + [True] * 6
        assert not pool.waits(hold("only", client="bystander"))
        go.set()
        await asyncio.gather(*(job.future for job in jobs))
        go.clear()
        assert [pool.waits(hold("only", client="greedy")) for _ in range(3)] == [False, True, True]

    run(scenario, Lane("only", threads=6, waiting=30, per_client=24, longest_wait=5.0, client_part=1 / 8))


def test_when_the_others_are_gone_one_client_has_all_places_again() -> None:
    async def scenario(pool: Any, hold: Any, go: Any) -> None:
        go.set()
        await hold("only", client="bystander").future
        go.clear()
        jobs = [hold("only", client="greedy") for _ in range(8)]
        await asyncio.sleep(IN_USE_S + 0.2)
        assert [pool.waits(job) for job in jobs] == [False] * 6 + [True] * 2
        go.set()
        await asyncio.gather(*(job.future for job in jobs))

    run(scenario, SIX)


def test_a_client_with_little_work_goes_before_one_with_much_however_often_it_came() -> None:
    async def scenario(pool: Any, hold: Any, go: Any) -> None:
        await pool.offer(lambda: time.sleep(0.3), "only", "dear").future
        go.set()
        for _ in range(20):
            await hold("only", "cheap", "cheap").future
        go.clear()
        jobs = [hold("only", "first", "first"), hold("only", "dear", "dear"), hold("only", "cheap", "cheap")]
        go.set()
        await asyncio.gather(*(job.future for job in jobs))

    assert run(scenario, Lane("only", threads=1, waiting=10, per_client=9))[-3:] == ["first", "cheap", "dear"]


def test_what_a_client_works_on_counts_against_what_it_has_waiting() -> None:
    """All of it came at once: when the first has taken long, the rest goes behind those who came after."""

    async def scenario(pool: Any, hold: Any, go: Any) -> None:
        dear = pool.offer(lambda: time.sleep(0.2), "only", "dear")
        jobs = [hold("only", "dear", "dear"), *(hold("only", "cheap", "cheap") for _ in range(3))]
        go.set()
        await asyncio.gather(dear.future, *(job.future for job in jobs))

    assert run(scenario, Lane("only", threads=1, waiting=10, per_client=9)) == ["cheap"] * 3 + ["dear"]


@pytest.mark.parametrize(("has_others", "seconds", "least"), [(True, 0.1, 0.5), (True, 0.02, 0.0), (False, 0.1, 0.0)])
def test_while_others_ask_one_client_gets_a_part_of_the_time_for_dear_requests(
    has_others: bool, seconds: float, least: float
) -> None:
    async def scenario(pool: Any, hold: Any, go: Any) -> None:
        go.set()
        began = asyncio.get_running_loop().time()
        for _ in range(6):
            if has_others:
                await hold("only", client="bystander").future
            await pool.offer(lambda: time.sleep(seconds), "only", "dear").future
        waited = asyncio.get_running_loop().time() - began - 6 * seconds
        assert waited >= least
        assert least or waited < 0.3

    run(scenario, Lane("only", 6, 30, 24, longest_wait=5.0, half_life=0.05, client_part=1 / 8))


def test_a_part_of_the_time_delays_and_refuses_nothing_while_there_is_a_place() -> None:
    """Else all were refused while the database is slow: then every request is dear."""

    async def scenario(pool: Any, hold: Any, go: Any) -> None:
        go.set()
        await pool.offer(lambda: time.sleep(0.4), "only", "dear").future
        await hold("only", client="bystander").future
        jobs = [pool.offer(lambda: None, "only", "dear") for _ in range(2)]
        assert all(pool.waits(job) for job in jobs)
        await asyncio.gather(*(job.future for job in jobs))
        assert jobs[0].begun_at - jobs[0].asked_at >= 0.1

    run(scenario, Lane("only", 6, 30, 24, longest_wait=0.15, half_life=0.2, client_part=1 / 8))


def test_beyond_a_third_of_the_places_one_client_waits_for_its_own_while_others_ask() -> None:
    async def scenario(pool: Any, hold: Any, go: Any) -> None:
        jobs = [hold("only", client="bystander"), *(hold("only", client="greedy") for _ in range(4))]
        for _ in range(3):  # the bystander goes on asking
            jobs.append(hold("only", client="bystander"))
            await asyncio.sleep(0.1)
        assert pool.waits(jobs[4])  # for longer than anybody else may
        go.set()
        await asyncio.gather(*(job.future for job in jobs))

    run(scenario, Lane("only", 9, 30, 24, longest_wait=0.15))


# --- Demand ---


def test_demand_is_forgotten_by_halves() -> None:
    now = [100.0]
    demand = Demand(half_life=10, most=100, clock=lambda: now[0])
    assert [demand.add("a", 1.0) for _ in range(3)] == [1, 2, 3]
    assert demand.fades_to("a", 0.75) == pytest.approx(20)
    now[0] += 10
    assert demand.add("a", 1.0) == 2.5
    assert demand.arrive("b") == REQUEST_S
    assert demand.fades_to("b", REQUEST_S) == 0


def test_a_crowd_of_addresses_costs_bounded_memory() -> None:
    demand = Demand(half_life=10, most=100)
    for address in range(10_000):
        demand.arrive(address)
    assert len(demand) == 100


# --- Over a socket ---


def test_one_client_that_holds_all_its_places_is_told_so() -> None:
    stuck = Stuck()
    with serve(FrontDoor(stuck, limits=Limits(one_lane(1, 10, per_client=1)))) as service:
        first = service.dial()
        first.sendall(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: service.door.pool.running == 1)
        reply = service.get("/second")
        is_refusal(reply, 503, "too_many_at_once")
        assert reply.headers["retry-after"] == "1"
        stuck.go.set()
        first.close()


def test_a_request_that_takes_too_long_is_answered_and_keeps_its_thread_to_the_end() -> None:
    stuck = Stuck()
    with serve(FrontDoor(stuck, limits=Limits(one_lane(1, 10, longest_wait=5.0, deadline=0.2)))) as service:
        is_refusal(service.get("/slow"), 503, "too_slow")
        assert service.door.pool.running == 1
        is_refusal(service.get("/waits"), 503, "too_slow")
        assert len(service.door.pool) == 0
        stuck.go.set()
        until(lambda: service.door.pool.running == 0)
        assert service.get("/after").status == 200
        assert stuck.paths == ["/slow", "/after"]


def test_one_maker_with_many_tokens_queues_as_one_client() -> None:
    stuck = Stuck()

    def whose(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        environ[WHOSE] = 7
        return stuck(environ, start_response)

    table = (*one_lane(1, 10)[:1], Lane("token", threads=1, waiting=9, per_client=2), *one_lane(1, 10)[2:])
    door = FrontDoor(whose, limits=Limits(table), recognise=lambda header: header.decode())
    with serve(door) as service:
        stuck.go.set()
        assert [service.get("/", {"Authorization": name}).status for name in ("a", "b", "c")] == [200] * 3
        stuck.go.clear()
        held = [service.dial() for _ in "ab"]
        for connection, name in zip(held, "ab", strict=True):
            connection.sendall(f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: {name}\r\n\r\n".encode())
        until(lambda: door.pool.running + len(door.pool) == 2)
        is_refusal(service.get("/", {"Authorization": "c"}), 503, "too_many_at_once")
        stuck.go.set()
        for connection in held:
            connection.close()


def test_several_authorization_headers_are_no_token() -> None:
    seen: list[bytes] = []
    scope = {
        "client": ("93.184.216.34", 1),
        "path": "/",
        "headers": [(b"authorization", b"a"), (b"authorization", b"b")],
    }
    assert identify(scope, [], lambda header: seen.append(header)).token is None
    assert seen == [b"a,b"]


@pytest.mark.parametrize("name", [b"x-forwarded-for", b"x-forwarded-proto", b"forwarded", b"x-real-ip"])
def test_what_any_proxy_hands_on_is_not_near(name: bytes) -> None:
    scope = {"client": ("172.17.0.3", 1), "path": "/metrics/", "headers": [(name, b"1.2.3.4")]}
    assert not is_near(identify(scope, []))
