"""The newest refusals of each token, of all processes: a list a token in Redis. With Redis away: those of this process."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
import redis
from django.conf import settings

from makerlog.api.store import Breaker, client
from makerlog.gate.refusals import EACH, Refused, refusals

KEPT_S = 24 * 3600
MOST = 50  # told at once
AT_ONCE = 200  # tokens in one pipeline

store = client(settings.REDIS_URL)
breaker = Breaker("telling makers what they were refused")


def key_of(token: str) -> str:
    return f"refusals:{token}"


def tell(taken: dict[str, list[Refused]]) -> None:
    """Raises redis.RedisError; what was not told then is lost to the other processes."""
    tokens = list(taken)
    for start in range(0, len(tokens), AT_ONCE):
        with store.pipeline(transaction=False) as pipe:
            for token in tokens[start : start + AT_ONCE]:
                pipe.lpush(key_of(token), *(orjson.dumps([*each]) for each in taken[token]))
                pipe.ltrim(key_of(token), 0, EACH - 1)
                pipe.expire(key_of(token), KEPT_S)
            pipe.execute()


def forget(tokens: Iterable[str]) -> None:
    """With Redis away they are forgotten after ``KEPT_S``."""
    keys = [key_of(token) for token in tokens]
    try:
        if keys:
            store.delete(*keys)
    except redis.RedisError as error:
        breaker.open(error)


def newest(tokens: Sequence[str]) -> list[Refused]:
    """Of these tokens, the newest first."""
    found = {each.request_id: each for each in [*told(tokens), *refusals.of(tokens)]}
    return sorted(found.values(), key=lambda each: each.at, reverse=True)[:MOST]


def told(tokens: Sequence[str]) -> Iterable[Refused]:
    if not (breaker.closed or breaker.may_probe()):
        return []
    try:
        with store.pipeline(transaction=False) as pipe:
            for token in tokens:
                pipe.lrange(key_of(token), 0, EACH - 1)
            lists: list[list[Any]] = pipe.execute()
    except redis.RedisError as error:
        breaker.open(error)
        return []
    breaker.close()
    return [Refused(*orjson.loads(each)) for texts in lists for each in texts]
