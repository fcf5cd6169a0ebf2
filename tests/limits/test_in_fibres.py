"""Limits decided on the event loop: by the same buckets, and never at the loop's expense."""

from collections.abc import Callable
from typing import Any

from makerlog.api.buckets import Charge, Limiter
from makerlog.api.limits import MINUTE, Limit
from tests.fibres import THREAD, Loop, run
from tests.limits.conftest import OwnRedis

FIFTY = Limit("fifty", "subject", 51, MINUTE * 60, 50, "Hardly refilled.")


def decide(limiter: Limiter) -> Callable[[], Any]:
    return lambda: limiter.decide([Charge(FIFTY, "alice", FIFTY.time_for(1))]).allowed


def test_fibres_and_threads_charge_the_same_bucket(own_redis: OwnRedis, limiter_of: Callable[..., Limiter]) -> None:
    limiter = limiter_of(own_redis)
    spend = decide(limiter)

    async def scenario(loop: Loop) -> list[bool]:
        await loop.once(lambda: None, spend)  # a thread: the script is known from then on
        await loop.in_fibre(spend)
        return [await loop.once(spend, spend) for _ in range(60)]

    granted = run(scenario)
    assert sum(granted) == 48
    assert limiter.fallbacks == 0


def test_a_frozen_redis_holds_nothing_up(own_redis: OwnRedis, limiter_of: Callable[..., Limiter]) -> None:
    limiter = limiter_of(own_redis)

    async def scenario(loop: Loop) -> Any:
        await loop.once(lambda: None, decide(limiter))
        assert await loop.in_fibre(decide(limiter)) is True
        own_redis.freeze()
        loop.longest = 0.0
        first = await loop.once(decide(limiter))
        then = await loop.once(decide(limiter))  # who finds out whether it is back may wait: a thread
        return first, then, loop.longest

    first, then, longest = run(scenario)
    own_redis.thaw()
    assert (first, then) == (True, THREAD)
    assert longest < 0.1
    assert limiter.fallbacks == 1


def test_a_redis_that_was_restarted_is_found_again(own_redis: OwnRedis, limiter_of: Callable[..., Limiter]) -> None:
    limiter = limiter_of(own_redis)

    async def scenario(loop: Loop) -> Any:
        await loop.once(lambda: None, decide(limiter))
        await loop.in_fibre(decide(limiter))
        own_redis.stop(forgetting=True)
        own_redis.start()
        # Its connection is gone, and the script with it: a thread sees to both.
        assert await loop.once(decide(limiter), decide(limiter)) is True
        return await loop.in_fibre(decide(limiter))

    assert run(scenario) is True


def test_what_is_owed_to_redis_is_still_owed_where_a_fibre_has_no_connection_yet(
    own_redis: OwnRedis, limiter_of: Callable[..., Limiter]
) -> None:
    limiter = limiter_of(own_redis)
    key = limiter.key(Charge(FIFTY, "alice", 0))
    limiter.mirror.spend([(key, FIFTY.time_for(20), FIFTY.span)], limiter.now(), insist=False)

    async def scenario(loop: Loop) -> list[Any]:
        assert await loop.once(decide(limiter)) == THREAD
        return [await loop.once(lambda: None, decide(limiter)) for _ in range(40)]

    assert sum(run(scenario)) == 30
