"""Django's cache, for django-ratelimit: in Redis, and in this process while Redis is away or frozen.

Without it the admin's log-in would fail with Redis: django-ratelimit fails open where a cache answers nothing, not where
it raises.
"""

from typing import Any

import redis
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient

from makerlog.api import store

breaker = store.Breaker("the cache")


class SharedClient(RedisCacheClient):
    """On the process's own connections, which do not wait for long."""

    def get_client(self, key: Any = None, *, write: bool = False) -> redis.Redis:
        return store.redis_client


class SharedCache(RedisCache):
    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = SharedClient


class SturdyCache(BaseCache):
    """What counts attempts asks of a cache: add, get, set, incr, touch and delete."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self.redis = SharedCache(server, params)
        self.local = LocMemCache(server, params)

    def either(self, act: str, *args: Any) -> Any:
        if breaker.closed or breaker.may_probe():
            try:
                answer = getattr(self.redis, act)(*args)
            except redis.RedisError as error:
                breaker.open(error)
            else:
                breaker.close()
                return answer
        return getattr(self.local, act)(*args)

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        return self.either("add", key, value, timeout, version)

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        return self.either("get", key, default, version)

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        self.either("set", key, value, timeout, version)

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> int:
        return self.either("incr", key, delta, version)

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        return self.either("touch", key, timeout, version)

    def delete(self, key: Any, version: int | None = None) -> bool:
        return self.either("delete", key, version)
