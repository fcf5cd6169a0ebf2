"""A ban, set or lifted, is in force in every worker within a second, and over at its second; without Redis too."""

import http.client
import itertools
import time
import urllib.parse
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from deploy.embedded import wait_until
from makerlog.gate.bans import network_of
from moderation import actions
from moderation.enforcement import enforcement
from moderation.models import Ban
from tests.makers import caller, make_maker
from tests.moderation.workers import Workers, distribution, timed

TRIALS = 5
FOLLOWED_S = 10.0  # in force after some two seconds, and longer on a machine that has other things to do
numbers = itertools.count(1)


# Real workers see committed rows only.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def workers(django_db_setup: None, django_db_blocker: Any) -> Iterator[Workers]:
    with django_db_blocker.unblock(), Workers() as service:
        yield service


def fresh() -> str:
    """An address that no trial has used."""
    number = next(numbers)
    return f"93.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def by_command(address: str, workers: Workers) -> tuple[float, float]:
    """Seconds until a ban, and until its end, was in force everywhere."""
    banned = workers.reach(address, 403, since=timed(lambda: call_command("ban", address, verbosity=0, stdout=Quiet())))
    lifted = workers.reach(address, 404, since=timed(lambda: call_command("unban", address, stdout=Quiet())))
    return banned, lifted


def by_admin(address: str, workers: Workers) -> tuple[float, float]:
    page = Page(workers)
    form = {
        "network": address,
        "applies_to": "everything",
        "span": "1h",
        "previewed": f"{network_of(address)} everything",
    }
    banned = workers.reach(address, 403, since=timed(lambda: page.post("/admin/moderation/ban/add/", form)))
    chosen = {"action": "lift", "_selected_action": Ban.objects.standing().get(network=f"{address}/32").pk}
    lifted = workers.reach(address, 404, since=timed(lambda: page.post("/admin/moderation/ban/", chosen)))
    return banned, lifted


def expiring(address: str, workers: Workers) -> tuple[float, float]:
    """Seconds until the ban was in force, and how far from its second its end was."""
    expires_at = timezone.now() + timedelta(seconds=1.5)
    since = timed(lambda: actions.ban(network=network_of(address), expires_at=expires_at))
    banned = workers.reach(address, 403, since=since)
    while (left := (expires_at - timezone.now()).total_seconds()) > 0.05:
        time.sleep(left - 0.05)
        assert {worker.status(address) for worker in workers.each} == {403} or timezone.now() >= expires_at
    workers.reach(address, 404, since=time.monotonic(), seconds=1.5)
    return banned, (timezone.now() - expires_at).total_seconds()


class Quiet:
    """What a command says is of no interest here."""

    def write(self, text: str) -> None: ...


class Page:
    """An admin in a browser."""

    def __init__(self, workers: Workers) -> None:
        client = Client()
        client.force_login(make_maker(f"root{next(numbers)}", is_staff=True, is_superuser=True))
        self.workers = workers
        self.csrf = "c" * 32
        self.cookie = f"sessionid={client.cookies['sessionid'].value}; csrftoken={self.csrf}"

    def post(self, path: str, form: dict[str, Any]) -> None:
        body = urllib.parse.urlencode({**form, "csrfmiddlewaretoken": self.csrf}, doseq=True)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": self.cookie,
            "X-Forwarded-For": "8.8.8.8",
        }
        connection = http.client.HTTPConnection("127.0.0.1", self.workers.port, timeout=30)
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        assert answer.status == 302, content


def try_all(workers: Workers, trials: int, title: str = "") -> list[str]:
    """Every way to ban and lift, so many times; the distributions."""
    lines = []
    for way, what in ((by_command, "command"), (by_admin, "admin"), (expiring, "expiry")):
        banned, lifted = zip(*(way(fresh(), workers) for _ in range(trials)), strict=True)
        lines += [distribution(f"{title}{what}: ban", banned), distribution(f"{title}{what}: end", lifted)]
    return lines


def test_bans_and_lifts_reach_every_worker_within_a_second(workers: Workers) -> None:
    assert len(try_all(workers, TRIALS)) == 6


def test_the_file_of_trusted_proxies_is_followed_in_every_worker_without_a_restart(workers: Workers) -> None:
    """Who is no proxy any more forwards nobody's address: what a banned client sends through them is theirs."""
    address, trusted, pids = fresh(), workers.proxies.read_text(), {worker.pid for worker in workers.each}
    call_command("ban", address, stdout=Quiet())
    workers.reach(address, 403, since=time.monotonic())
    workers.proxies.write_text("10.0.0.1/32\n")
    try:
        workers.reach(address, 404, since=time.monotonic(), seconds=FOLLOWED_S)
    finally:
        workers.proxies.write_text(trusted)
    workers.reach(address, 403, since=time.monotonic(), seconds=FOLLOWED_S)
    assert {workers.holder(worker.http) for worker in workers.each} == pids


def test_a_ban_holds_on_real_views_and_spares_the_neighbours_and_genuine_tokens(workers: Workers) -> None:
    address, neighbour = fresh(), fresh()
    alice = caller(f"alice{next(numbers)}")
    call_command("ban", address, "--applies-to", "anonymous", stdout=Quiet())
    workers.reach(address, 403, since=time.monotonic())
    for worker in workers.each:
        assert worker.status(address, "/tasks/?limit=1") == 403
        assert worker.status(neighbour, "/tasks/?limit=1") == 200
        assert worker.status(address, "/tasks/?limit=1", Authorization=f"Token {alice.token}") == 200


def test_what_each_worker_refused_is_counted_and_where_it_is_in_force_is_known(workers: Workers) -> None:
    made = actions.ban(network=network_of(fresh()))
    address = made.network.partition("/")[0]
    workers.reach(address, 403, since=time.monotonic())
    before = sum(worker.status(address) == 403 for worker in workers.each for _ in range(10))
    assert before == 20
    ends = time.monotonic() + 6
    while made.refused < 20 and time.monotonic() < ends:
        time.sleep(0.05)
        made.refresh_from_db()
    assert made.refused >= 20
    assert made.last_refused_at is not None
    known = {each.process.pid: each for each in enforcement(made)}
    assert all(known[worker.pid].holds for worker in workers.each)


def levels(workers: Workers) -> set[str]:
    return {worker.answer("8.8.8.8", "/health").headers["X-Makerlog-Level"] for worker in workers.each}


def test_a_lockdown_level_is_declared_in_every_worker_within_a_second_and_over_at_its_second(workers: Workers) -> None:
    expires_at = timezone.now() + timedelta(seconds=2)
    since = timed(lambda: actions.lock_down(level="guarded", expires_at=expires_at))
    assert wait_until(lambda: levels(workers) == {"guarded"}, seconds=1), levels(workers)
    assert time.monotonic() - since < 1
    answers = [
        worker.answer("8.8.8.8", path) for worker in workers.each for path in ("/tasks/", "/nowhere", "/status/")
    ]
    assert {answer.headers["X-Makerlog-Level"] for answer in answers} == {"guarded"}
    assert timezone.now() < expires_at
    assert wait_until(lambda: levels(workers) == {"normal"}, seconds=3)
    assert timedelta(0) <= timezone.now() - expires_at < timedelta(seconds=0.5)


def test_without_redis_bans_and_lifts_reach_every_worker_within_a_second_all_the_same(workers: Workers) -> None:
    workers.kill_redis()
    assert len(try_all(workers, TRIALS, "without Redis, ")) == 6
