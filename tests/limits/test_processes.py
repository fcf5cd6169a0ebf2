"""Several OS processes and one bucket: the production script, the real clock."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.limits.conftest import OwnRedis, Spenders, eventually

Make = Callable[..., Spenders]
LONGEST_S = 0.5


def granted(answers: list[dict[str, Any]]) -> int:
    return sum(answer["granted"] for answer in answers)


def slowest(answers: list[dict[str, Any]]) -> float:
    return max(answer["slowest"] for answer in answers)


def test_fifty_of_640_calls_by_64_callers_of_two_processes_are_let_through(own_redis: OwnRedis, spenders: Make) -> None:
    answers = spenders(own_redis).spend(320, 32)
    assert granted(answers) == 50
    assert [answer["fallbacks"] for answer in answers] == [0, 0]


def test_three_plain_commands_let_more_through(own_redis: OwnRedis, spenders: Make) -> None:
    """The control: what the test above would see if decisions were not atomic."""
    assert granted(spenders(own_redis, way="plain").spend(320, 32)) > 50


@pytest.mark.parametrize("trouble", ["stopped", "frozen"])
def test_while_redis_is_away_the_bound_holds_and_nobody_waits_and_then_the_counter_is_right(
    own_redis: OwnRedis, spenders: Make, trouble: str
) -> None:
    both = spenders(own_redis)
    assert granted(both.spend(10, 5)) == 20  # so each knows the bucket
    both.spend(1, 1, "warm")
    away(own_redis, trouble)

    answers = both.spend(300, 8)
    assert 0 < granted(answers) <= 30
    assert slowest(answers) < LONGEST_S
    assert all(answer["fallbacks"] for answer in answers)

    back(own_redis, trouble)
    left = 30 - granted(answers)
    fallbacks = [answer["fallbacks"] for answer in answers]
    eventually(lambda: decided_by_redis(both, fallbacks))
    assert granted(both.spend(100, 8)) == left


def decided_by_redis(both: Spenders, before: list[int]) -> bool:
    """Whether a call about something else was decided by Redis in each process."""
    first, second = both.spend(1, 1, "other"), both.spend(1, 1, "other")
    return [answer["fallbacks"] for answer in first] == [answer["fallbacks"] for answer in second]


def away(own_redis: OwnRedis, trouble: str) -> None:
    own_redis.freeze() if trouble == "frozen" else own_redis.stop()


def back(own_redis: OwnRedis, trouble: str) -> None:
    own_redis.thaw() if trouble == "frozen" else own_redis.start()


def test_a_redis_that_comes_and_goes_gives_nobody_more(own_redis: OwnRedis, spenders: Make) -> None:
    both = spenders(own_redis)
    total = granted(both.spend(1, 1))
    for trouble in ("frozen", "stopped", "frozen", "stopped"):
        away(own_redis, trouble)
        total += granted(both.spend(3, 1))
        back(own_redis, trouble)
        eventually(lambda: decided_by_redis(both, []))
        total += granted(both.spend(3, 1))
    total += granted(both.spend(100, 4))
    assert total == 50


def test_a_process_that_starts_while_redis_is_away_lets_through_its_share(own_redis: OwnRedis, spenders: Make) -> None:
    own_redis.stop()
    answers = spenders(own_redis).spend(100, 4)
    assert [answer["granted"] for answer in answers] == [25, 25]
    assert slowest(answers) < LONGEST_S
