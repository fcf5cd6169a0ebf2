"""`make attack`: the night of 2019 again, without any human. A flood on one list, then a crawl of all endpoints, from one
address and from fifty, while fifty makers, who share an attacker's address, go on with genuine tokens. Two real workers."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from typing import Any

import orjson
import pytest

from discussions.models import Discussion
from makerlog.api.checks import routes
from moderation.models import AuditEntry, Ban, RuleAct
from moderation.rules import RULES, SPANS
from products.models import Product, Project
from tasks.models import Task
from tests.attack.floods.flood import NUMBER, Flooded, Plan
from tests.attack.floods.service import flood
from tests.makers import Caller, caller
from tests.moderation.workers import Workers

pytestmark = [pytest.mark.attack, pytest.mark.django_db(transaction=True)]

STOPPED_S = 10.0
ONE, FIFTY = "93.184.216.7", [f"93.184.217.{number}" for number in range(1, 51)]
CRAWLER, FIFTY_CRAWLERS = "93.184.218.7", [f"93.184.219.{number}" for number in range(1, 51)]
PAGE = "93.184.220.7"
FLOOD_CONNECTIONS = 400  # eight of each of the fifty, as browsers open
MAKERS, LEAST_REQUESTS, ASKING = 50, 5_000, 8
MADE_UP = "Token mkl_00000000000_made_up_by_a_web_page"
PARAMETER = re.compile(r"<[^>]+>")


@pytest.fixture
def makers() -> list[Caller]:
    apps = [caller(f"maker{number}") for number in range(MAKERS)]
    for app in apps[:3]:
        app.post("/tasks/", {"content": "Ship #night", "done": True})
        app.post("/products/", {"name": f"Night {app.maker.pk}"})
        app.post("/discussions/", {"type": "TEXT", "title": "Night", "body": "watch"})
    assert Project.objects.exists()
    return apps


@pytest.fixture
def workers(makers: list[Caller]) -> Iterator[Workers]:
    with Workers() as service:
        yield service


class Tokens:
    """Makers with genuine tokens, who all sit behind ``address``. ``answers``: every status they were given."""

    def __init__(self, workers: Workers, makers: list[Caller], address: str) -> None:
        self.workers, self.makers, self.address = workers, makers, address
        self.answers: list[int] = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.ask, args=(number,)) for number in range(ASKING)]

    def ask(self, number: int) -> None:
        http = HTTPConnection("127.0.0.1", self.workers.port, timeout=10)
        mine = self.makers[number::ASKING]
        turn = 0
        while not self.over.is_set():
            app = mine[turn % len(mine)]
            turn += 1
            headers = {"X-Forwarded-For": self.address, "Authorization": f"Token {app.token}"}
            http.request("GET", "/tasks/?limit=5", headers=headers)
            answer = http.getresponse()
            answer.read()
            self.answers.append(answer.status)
        http.close()

    def __enter__(self) -> "Tokens":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(15)


def endpoints() -> list[str]:
    """A path to each route, to things that are there."""
    there = {
        "tasks": Task.objects.values_list("pk", flat=True).first(),
        "products": Product.objects.values_list("slug", flat=True).first(),
        "discussions": Discussion.objects.values_list("slug", flat=True).first(),
    }
    return [f"/{PARAMETER.sub(str(there.get(route.path.split('/')[0], 'maker0')), route.path)}" for route in routes()]


def until_banned(addresses: list[str], since: float) -> float:
    """Seconds until a rule had banned all of them."""
    networks = {f"{address}/32" for address in addresses}
    while True:
        banned = set(Ban.objects.standing().filter(origin="rule").values_list("network", flat=True))
        if networks <= banned:
            return time.monotonic() - since
        assert time.monotonic() - since < STOPPED_S, f"{len(networks - banned)} of {len(networks)} are not stopped"
        time.sleep(0.05)


def flooded(workers: Workers, addresses: list[str], say: Callable[[str], None]) -> float:
    """One list, and each time another search of it, so that nobody is answered from memory."""
    paths = [f"/tasks/?search=night{NUMBER}"] * 2_000
    return stopped(workers, addresses, paths, say, rate=900.0, connections=FLOOD_CONNECTIONS)


def crawled(workers: Workers, addresses: list[str], say: Callable[[str], None]) -> float:
    """All endpoints, again and again: 20 requests a second from each address, by eight at a time. Nor is anybody answered
    from memory here."""
    count, paths = len(addresses), [f"{path}?night={NUMBER}" for path in endpoints()]
    return stopped(workers, addresses, paths, say, rate=20.0 * count, connections=8 * count)


def stopped(workers: Workers, addresses: list[str], paths: list[str], say: Callable[[str], None], **how: Any) -> float:
    plan = Plan(workers.port, seconds=STOPPED_S + 2, target="lists", paths=paths, addresses=addresses, **how)
    with flood(plan) as tool:
        try:
            return until_banned(addresses, time.monotonic())
        finally:
            say(f"from {len(addresses)} addresses: {Flooded(**tool.result())}")


def lines(workers: Workers) -> list[str]:
    """What the workers logged that rules did."""
    logged = (workers.folder / "web.log").read_text().splitlines()
    records = [orjson.loads(line) for line in logged if line.startswith("{")]
    return [record["message"] for record in records if record["logger"] == "makerlog.rules"]


def test_rules_stop_the_night_of_2019_and_no_token_holder_notices(
    workers: Workers, makers: list[Caller], say: Callable[[str], None]
) -> None:
    with Tokens(workers, makers, ONE) as tokens:
        took = {
            "flood, one address": flooded(workers, [ONE], say),
            "crawl, one address": crawled(workers, [CRAWLER], say),
            "flood, fifty addresses": flooded(workers, FIFTY, say),
            "crawl, fifty addresses": crawled(workers, FIFTY_CRAWLERS, say),
        }
        ends = time.monotonic() + 60
        while len(tokens.answers) < LEAST_REQUESTS and time.monotonic() < ends:
            time.sleep(0.1)
    for what, seconds in took.items():
        say(f"{what}: stopped after {seconds:.1f} s")
    refused = [status for status in tokens.answers if status != 200]
    say(f"{len(tokens.answers):,} requests with tokens meanwhile, {len(refused)} refused")
    assert len(tokens.answers) >= LEAST_REQUESTS
    assert refused == []
    nothing_but_short_anonymous_bans()
    acts = list(RuleAct.objects.values_list("sentence", flat=True))
    assert sorted(lines(workers)) == sorted(acts), "what was logged is what was done, and nothing was done twice"
    by_rule = {made.rule for made in RuleAct.objects.filter(subject__in=[CRAWLER, *FIFTY_CRAWLERS])}
    say(f"{len(acts)} acts; crawls were stopped by {', '.join(sorted(by_rule))}")
    assert RuleAct.objects.get(subject=CRAWLER).rule == "enumeration"


def nothing_but_short_anonymous_bans() -> None:
    bans = list(Ban.objects.all())
    assert {(ban.applies_to, ban.origin) for ban in bans} == {("anonymous", "rule")}
    spans = [ban.expires_at - ban.created_at for ban in bans if ban.expires_at]
    assert len(spans) == len(bans)
    assert max(spans) <= SPANS[0]
    assert all(
        entry.act.removeprefix("rule.") in RULES for entry in AuditEntry.objects.filter(subject__startswith="ban:")
    )
    assert len({ban.network for ban in bans}) == len(bans)


def test_a_web_page_that_sends_bad_tokens_refuses_no_token_holder_at_its_visitor_s_address(
    workers: Workers, makers: list[Caller], say: Callable[[str], None]
) -> None:
    http, statuses = HTTPConnection("127.0.0.1", workers.port, timeout=10), []
    with Tokens(workers, makers[:8], PAGE) as tokens:
        for number in range(1_000):
            headers = {"X-Forwarded-For": PAGE, "Authorization": MADE_UP, "Origin": "https://evil.example"}
            http.request("GET", endpoints()[number % 20], headers=headers)
            answer = http.getresponse()
            answer.read()
            statuses.append(answer.status)
        time.sleep(5)  # two rounds of judging
    http.close()
    say(f"1,000 calls with a bad token: {statuses.count(401)} times 401, {statuses.count(429)} times 429")
    assert set(tokens.answers) == {200}
    assert set(statuses) <= {200, 401, 403, 404, 405, 429}, "some look at no token, some only take a POST"
    assert not Ban.objects.exists()
    assert not RuleAct.objects.exists()
