"""The admin's log-in form: limited by address, by django-ratelimit, with or without Redis."""

import time
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client, RequestFactory

from makerlog.accounts.models import Maker
from makerlog.api import cache as sturdy
from makerlog.api import store
from makerlog.api.limits import LIMITS
from makerlog.gate.networks import SITE_CLIENTS
from moderation.sign_in import seconds_to_wait

pytestmark = pytest.mark.django_db

LIMIT = LIMITS["admin-log-in"]
PASSWORD, WRONG = "correct horse battery", "battery staple"


@pytest.fixture
def root() -> Maker:
    root = Maker(username="root", email="root@example.com", is_staff=True, is_superuser=True)
    root.set_password(PASSWORD)
    root.save()
    return root


@pytest.fixture
def no_redis(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(store, "redis_client", store.client(f"unix://{tmp_path}/nobody.sock"))
    monkeypatch.setattr(sturdy, "breaker", store.Breaker("the cache"))


def log_in(username: str = "root", password: str = WRONG, address: str = "8.8.8.8") -> Any:
    return Client().post("/admin/login/", {"username": username, "password": password}, REMOTE_ADDR=address)


def test_too_many_from_an_address_are_a_429_that_a_phone_can_read(root: Maker) -> None:
    statuses = [log_in(f"somebody {number}").status_code for number in range(LIMIT.burst)]
    assert set(statuses) == {200}
    response = log_in(password=PASSWORD)
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= LIMIT.window
    assert response["Content-Type"].startswith("text/html")
    page = response.content.decode()
    assert "width=device-width" in page
    assert f"Try again in {response['Retry-After']} second" in page
    assert "no-store" in response["Cache-Control"]


def test_nobody_is_locked_out_by_who_tries_their_name_elsewhere(root: Maker) -> None:
    for _ in range(LIMIT.burst + 1):
        log_in()
    assert log_in(password=PASSWORD, address="9.9.9.9").status_code == 302


def test_looking_at_the_form_counts_for_nothing(root: Maker) -> None:
    for _ in range(LIMIT.burst + 1):
        assert Client().get("/admin/login/", REMOTE_ADDR="8.8.8.8").status_code == 200
    assert log_in(password=PASSWORD).status_code == 302


def test_one_household_s_ipv6_addresses_are_one(root: Maker) -> None:
    statuses = [log_in(address=f"2a00:1:2:3::{number:x}").status_code for number in range(LIMIT.burst + 1)]
    assert statuses[-1] == 429


@pytest.mark.usefixtures("no_redis")
def test_without_redis_it_is_limited_all_the_same_and_at_once(root: Maker) -> None:
    begun = time.monotonic()
    statuses = [log_in().status_code for _ in range(LIMIT.burst + 1)]
    assert (set(statuses[:-1]), statuses[-1]) == ({200}, 429)
    assert log_in(password=PASSWORD, address="9.9.9.9").status_code == 302
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize("away", [False, True])
def test_the_cache_keeps_what_counting_needs(away: bool, request: pytest.FixtureRequest) -> None:
    if away:
        request.getfixturevalue("no_redis")
    key = request.node.name
    cache.delete(key)
    assert [cache.add(key, 1, 60), cache.add(key, 5, 60)] == [True, False]
    assert cache.incr(key) == 2
    assert cache.get(key) == 2
    cache.set(key, "words", 60)
    assert cache.touch(key, 60)
    assert cache.get(key) == "words"
    assert cache.delete(key)
    assert cache.get(key, "gone") == "gone"
    assert sturdy.breaker.closed != away


def test_guesses_from_all_of_a_48_are_a_429(root: Maker) -> None:
    tried = LIMIT.burst * SITE_CLIENTS
    for number in range(tried // LIMIT.burst):
        for _ in range(LIMIT.burst):
            request = RequestFactory().post("/admin/login/", REMOTE_ADDR=f"2a00:1450:4001:{number:x}::1")
            assert seconds_to_wait(request, LIMIT) == 0
    assert log_in(address="2a00:1450:4001:ffff::1").status_code == 429
    assert log_in(address="2a00:1450:4002::1").status_code == 200
