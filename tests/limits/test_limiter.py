"""Buckets, one process: what is let through, and what is remembered while Redis is away."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import time_machine

from makerlog.api import store
from makerlog.api.buckets import Charge, Decision, Limiter, arguments
from makerlog.api.limits import LIMITS, MINUTE, PRICES, ROWS_A_UNIT, Limit
from makerlog.api.mirror import Mirror
from makerlog.api.throttling import limiter as service_limiter
from tests.limits.conftest import OwnRedis
from tests.limits.process import limit

DAY = 86_400
SLOW = limit(50, DAY)


def spend(limiter: Limiter, units: int = 1, *limits: Limit, subject: str = "alice", insist: bool = False) -> Decision:
    charges = [Charge(each, subject, each.time_for(units)) for each in limits or (SLOW,)]
    return limiter.decide(charges, insist=insist)


def granted(limiter: Limiter, calls: int, subject: str = "alice") -> int:
    return sum(spend(limiter, subject=subject).allowed for _ in range(calls))


def left(limiter: Limiter) -> int:
    return spend(limiter, 0).standings[0].remaining


# --- The table ---


@pytest.mark.parametrize("each", LIMITS.values(), ids=LIMITS)
def test_every_limit_is_possible_and_says_what_it_is_for(each: Limit) -> None:
    assert 0 < each.burst < each.quota
    assert each.about.endswith(".")
    assert each.time_for(each.burst) == each.span
    assert each.units_in(each.span) == each.burst


def test_in_any_window_the_quota_is_the_most() -> None:
    for each in LIMITS.values():
        assert each.burst + each.units_in(each.window * 1_000_000) <= each.quota


def test_a_token_pages_a_thousand_times_a_hundred_rows_and_posts_sixty_tasks_at_once() -> None:
    units = 1000 * (PRICES["read"] + 100 // ROWS_A_UNIT) + 60 * PRICES["write"]
    assert units <= min(LIMITS["token"].burst, LIMITS["maker"].burst)
    assert LIMITS["write"].burst >= 60


def test_a_history_of_a_thousand_commits_is_imported_by_batches_without_a_wait() -> None:
    own = [LIMITS["token"], LIMITS["maker"]]
    for _ in range(20):
        assert spend(service_limiter, PRICES["write"], *own).allowed
        assert spend(service_limiter, 50, LIMITS["write"]).allowed


# --- Decisions ---


def test_a_bucket_gives_what_it_holds_and_says_when_to_come_back() -> None:
    assert granted(service_limiter, 50) == 50
    refused = spend(service_limiter)
    assert not refused.allowed
    assert DAY - 5 <= refused.retry_after <= DAY
    assert refused.standings[0].remaining == 0
    assert 50 * DAY - 5 <= refused.standings[0].reset <= 50 * DAY


def test_what_is_used_comes_back_evenly() -> None:
    quick = Limit("test", "subject", 30, 1, 10, "For tests.")  # one every 50 ms
    assert spend(service_limiter, 10, quick).allowed
    assert not spend(service_limiter, 10, quick).allowed
    end = time.monotonic() + 5
    while not spend(service_limiter, 10, quick).allowed:
        assert time.monotonic() < end


def test_of_several_limits_all_are_charged_or_none() -> None:
    narrow = Limit("narrow", "subject", 3, DAY, 2, "For tests.")
    assert spend(service_limiter, 2, SLOW, narrow).allowed
    refused = spend(service_limiter, 1, SLOW, narrow)
    assert [standing.remaining for standing in refused.standings] == [48, 0]
    assert [standing.fits_in > 0 for standing in refused.standings] == [False, True]
    assert left(service_limiter) == 48


def test_a_debt_is_charged_where_it_does_not_fit_and_looking_is_free() -> None:
    assert spend(service_limiter, 50).allowed
    assert spend(service_limiter, 3, insist=True).allowed
    assert spend(service_limiter, 0).allowed
    assert 3 * DAY < spend(service_limiter).retry_after <= 4 * DAY


def test_a_key_goes_when_its_bucket_is_full() -> None:
    charge = Charge(SLOW, "alice", SLOW.time_for(2))
    service_limiter.decide([charge])
    lives: Any = store.redis_client.pttl(service_limiter.key(charge))
    assert 2 * DAY * 1000 - 5000 < lives <= 2 * DAY * 1000 + 1


def test_only_what_takes_more_than_a_minute_to_refill_is_written_to_redis_s_log(own_redis: OwnRedis) -> None:
    connection = store.client(own_redis.url)
    limiter = Limiter(connection, processes=1)

    def written() -> int:
        return connection.info("persistence")["aof_current_size"]  # type: ignore[index]

    quick = Limit("test", "subject", 8, MINUTE, 2, "For tests.")  # one every 10 s
    for limits in ([quick], [quick, SLOW]):
        before = written()
        assert spend(limiter, 1, *limits).allowed
        assert (written() > before) == (SLOW in limits)


def test_all_keys_lie_in_one_slot_of_a_cluster() -> None:
    keys = {service_limiter.key(Charge(limit, "alice", 0)) for limit in LIMITS.values()}
    assert {key[: key.index("}") + 1] for key in keys} == {"{makerlog}"}


def test_redis_s_clock_is_the_one_that_counts() -> None:
    assert granted(service_limiter, 10) == 10
    with time_machine.travel(time.time() + 100 * DAY):
        assert left(service_limiter) == 40
        assert granted(service_limiter, 1) == 1


# --- Redis away ---


def away_and_back(limiter: Limiter, redis: OwnRedis, meanwhile: Callable[[], Any]) -> Any:
    redis.stop(forgetting=True)
    result = meanwhile()
    redis.start()
    limiter.breaker.next_probe = 0
    return result


def test_a_redis_that_comes_back_empty_is_told_what_was_spent_before_and_since(
    own_redis: OwnRedis, limiter_of: Callable[..., Limiter]
) -> None:
    limiter = limiter_of(own_redis)
    assert granted(limiter, 20) == 20
    assert away_and_back(limiter, own_redis, lambda: granted(limiter, 10)) == 10
    assert left(limiter) == 20
    assert left(limiter_of_same(limiter, own_redis)) == 20
    assert granted(limiter, 50) == 20
    assert limiter.fallbacks == 10


def limiter_of_same(limiter: Limiter, redis: OwnRedis) -> Limiter:
    """Another process's, on the same buckets."""
    return Limiter(store.client(redis.url), processes=1, prefix=limiter.prefix)


def test_what_is_owed_is_told_at_once_also_of_buckets_nobody_asks_for_again(
    own_redis: OwnRedis, limiter_of: Callable[..., Limiter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("makerlog.api.buckets.SETTLE_US", 10_000_000)  # how much fits into less is the machine's affair
    limiter = limiter_of(own_redis)
    away_and_back(limiter, own_redis, lambda: [granted(limiter, 1, f"maker {n}") for n in range(500)])
    granted(limiter, 1)
    assert limiter.mirror.owing == set()
    other = limiter_of_same(limiter, own_redis)
    assert granted(other, 60, "maker 499") == 49


def test_the_breaker_is_logged_once_when_it_opens_and_once_when_it_closes(
    own_redis: OwnRedis, limiter_of: Callable[..., Limiter], caplog: pytest.LogCaptureFixture
) -> None:
    limiter = limiter_of(own_redis)
    away_and_back(limiter, own_redis, lambda: granted(limiter, 5))
    granted(limiter, 5)
    said = [record.getMessage() for record in caplog.records if record.name == "makerlog.store"]
    assert len(said) == 2
    assert "does not answer" in said[0]
    assert "answers again" in said[1]


def test_nobody_waits_for_a_frozen_redis_but_one_probe_a_second(
    own_redis: OwnRedis, limiter_of: Callable[..., Limiter]
) -> None:
    limiter = limiter_of(own_redis)
    granted(limiter, 1)
    own_redis.freeze()
    times = []
    for _ in range(200):
        begun = time.monotonic()
        granted(limiter, 1)
        times.append(time.monotonic() - begun)
    own_redis.thaw()
    assert max(times) < 0.5
    assert len([each for each in times if each > 0.1]) <= 2


def test_a_script_that_is_read_too_late_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a frozen Redis wakes up: its caller has decided without it long ago."""
    granted(service_limiter, 1)
    charge = Charge(SLOW, "alice", SLOW.time_for(1))
    wanted = [(service_limiter.key(charge), charge.time, SLOW.span)]
    late: Any = service_limiter.evaluated(arguments(wanted, [(0, 0)], deadline=1, insist=False))
    assert late[1] == -1
    assert left(service_limiter) == 49


def test_clocks_that_part_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_limiter, "ahead", service_limiter.ahead - 3_600_000_000)
    assert granted(service_limiter, 1) == 1
    assert service_limiter.breaker.closed


# --- What a process knows by itself ---


def test_each_of_n_processes_lets_through_an_nth_at_an_nth_of_the_rate() -> None:
    mirror, unit = Mirror(processes=4), SLOW.time_for(1)
    wanted = [("alice", unit, SLOW.span)]
    now = 1_000 * unit
    assert sum(mirror.spend(wanted, now, insist=False)[0] for _ in range(50)) == 12
    later = now + 8 * unit
    assert sum(mirror.spend(wanted, later, insist=False)[0] for _ in range(50)) == 2


def test_what_it_knows_is_bounded_and_the_oldest_is_forgotten() -> None:
    mirror, unit = Mirror(processes=1, most=3), SLOW.time_for(1)
    for name in ("a", "b", "a", "c", "d"):
        mirror.spend([(name, unit, SLOW.span)], 10 * unit, insist=False)
    assert list(mirror.buckets) == ["a", "c", "d"]
    assert mirror.owing == {"a", "c", "d"}


def test_what_is_taken_to_be_told_and_given_back_is_still_owed() -> None:
    mirror, unit, now = Mirror(processes=2), SLOW.time_for(1), 1_000 * SLOW.time_for(1)
    mirror.spend([("alice", 3 * unit, SLOW.span)], now, insist=False)
    taken = mirror.take_owed(["alice"], now)
    assert taken == [(0, 3 * unit)]
    assert mirror.take_owed(["alice"], now) == [(0, 0)]
    mirror.give_back(["alice"], taken, now)
    assert mirror.take_owed(["alice"], now) == taken
