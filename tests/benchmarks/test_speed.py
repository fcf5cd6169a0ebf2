"""`make bench`: requests a second of one worker, beside those of its peers on the same rows and with the same answers."""

import itertools
import json
import random
from collections.abc import Callable, Iterator, Sequence

import pytest

from tests.benchmarks import servers
from tests.benchmarks.answers import posted, rows_of, same
from tests.benchmarks.board import Board, Row
from tests.benchmarks.conftest import Stands
from tests.benchmarks.data import MARK, Community, Data, Facts, Place
from tests.benchmarks.load import Contestant, Figures, contest, request
from tests.benchmarks.servers import Server
from tests.benchmarks.size import SIZE

pytestmark = pytest.mark.bench

COMPARED = 50
DICE = random.Random(5)
# As a proxy in front tells them: so many that none meets a limit.
ADDRESSES = [f"{DICE.randrange(1, 9)}.{DICE.randrange(256)}.{DICE.randrange(256)}.7" for _ in range(4_000)]
NAMES = {
    "stock": "stock DRF",
    "fast": "FastAPI, asyncpg, pydantic",
    "limit": "psycopg2 and orjson, the limit",
}


def path_of(name: str, place: Place) -> str:
    return f"/tasks/?cursor={ {'ours': place.ours, 'stock': place.stock}.get(name, place.plain) }"


def tokens_of(name: str, facts: Facts) -> Iterator[str]:
    return itertools.cycle(facts.tokens if name == "ours" else facts.peer_tokens)


def pages(name: str, facts: Facts, places: Sequence[Place]) -> list[bytes]:
    return [request(path_of(name, place), token) for place, token in zip(places, tokens_of(name, facts), strict=False)]


def compared(figures: dict[str, Figures], table: Board, work: str, goals: dict[str, float]) -> None:
    for name, goal in goals.items():
        ours, other = figures["ours"], figures[name]
        ratios = ours.by_cpu / other.by_cpu, ours.by_wall / other.by_wall
        details = {"ours": ours.told, NAMES[name]: other.told}
        table.add(Row(work, NAMES[name], goal, *ratios, details=details))


def bout(stands: Stands, requests: dict[str, list[bytes]], status: int = 200) -> dict[str, Figures]:
    contestants = {
        name: Contestant(stands[name].port, stands[name].cpu, each, status) for name, each in requests.items()
    }
    return contest(contestants, SIZE.rounds, SIZE.seconds)


def test_a_list_with_a_token(stands: Stands, community: Community, table: Board) -> None:
    facts = community.facts
    places = DICE.sample(facts.places, len(facts.places))
    for place in places[:COMPARED]:
        ours = rows_of(stands["ours"].ask("GET", path_of("ours", place), facts.tokens[0]))
        for name in NAMES:
            theirs = rows_of(stands[name].ask("GET", path_of(name, place), facts.peer_tokens[0]))
            assert same(ours, theirs), (name, place)
    figures = bout(stands, {name: pages(name, facts, places) for name in stands})
    compared(figures, table, "GET /tasks/, token", {"stock": 8, "fast": 1.0, "limit": 0.6})


def test_a_page_read_by_many(stands: Stands, table: Board) -> None:
    pair = {name: stands[name] for name in ("ours", "stock")}
    first, other = (rows_of(each.ask("GET", "/tasks/")) for each in pair.values())
    assert same(first, other)
    figures = bout(pair, {name: [request("/tasks/", address=address) for address in ADDRESSES] for name in pair})
    compared(figures, table, "GET /tasks/, one page, no credential", {"stock": 15})


def test_a_task(stands: Stands, community: Community, table: Board) -> None:
    facts = community.facts
    pair = {name: stands[name] for name in ("ours", "stock")}
    ids = DICE.sample(facts.tasks, len(facts.tasks))
    for pk in ids[:COMPARED]:
        ours, other = (each.ask("GET", f"/tasks/{pk}/") for each in pair.values())
        assert same(ours, other), pk
    asked = {
        name: [request(f"/tasks/{pk}/", token) for pk, token in zip(ids, tokens_of(name, facts), strict=False)]
        for name in pair
    }
    compared(bout(pair, asked), table, "GET /tasks/{id}/, token", {"stock": 5})


def test_a_post_with_a_hashtag(stands: Stands, community: Community, table: Board) -> None:
    facts = community.facts
    pair = {name: stands[name] for name in ("ours", "stock")}
    task = {"content": f"Measure what a post costs {MARK}", "done": True}
    first, other = (
        posted(each.ask("POST", "/tasks/", next(tokens_of(name, facts)), task)) for name, each in pair.items()
    )
    assert same(first, other), (first, other)
    body = json.dumps(task).encode()
    asked = {
        name: [request("/tasks/", token, body=body) for token in set(itertools.islice(tokens_of(name, facts), 200))]
        for name in pair
    }
    compared(bout(pair, asked, status=201), table, "POST /tasks/ with a hashtag", {"stock": 2})


def grows(data: Data, table: Board, work: str, against: str, sides: dict[str, tuple[Server, list[bytes]]]) -> None:
    """``large`` against ``small``: what the server and PostgreSQL compute for a request, and how long it takes."""

    def cpu_of(server: Server) -> Callable[[], float]:
        return lambda: server.cpu() + servers.database_cpu(data.folder)

    contestants = {name: Contestant(server.port, cpu_of(server), asked) for name, (server, asked) in sides.items()}
    figures = contest(contestants, SIZE.rounds, SIZE.seconds)
    large, small = figures["large"], figures["small"]
    ratios = small.by_cpu / large.by_cpu, small.by_wall / large.by_wall
    details = {work: large.told, against: small.told}
    table.add(Row(work, against, 1.15, *ratios, at_most=True, details=details))


def test_a_page_far_in(stands: Stands, community: Community, data: Data, table: Board) -> None:
    data.forget_posts(SIZE.tasks)
    facts, server = community.facts, stands["ours"]
    first = [request("/tasks/", token) for token in facts.tokens]
    sides = {"large": (server, pages("ours", facts, facts.deep)), "small": (server, first)}
    grows(data, table, f"page {SIZE.deep:,}", "page 1", sides)


def test_a_table_that_has_grown(data: Data, table: Board) -> None:
    both = {
        "large": data.community(SIZE.grown, SIZE.makers, SIZE.deep),
        "small": data.community(SIZE.small, 1_000, 10),
    }
    started = {name: servers.ours(each.variables) for name, each in both.items()}
    try:
        for server in started.values():
            server.wait()
        sides = {name: (started[name], pages("ours", each.facts, each.facts.places)) for name, each in both.items()}
        grows(data, table, f"GET /tasks/, {SIZE.grown:,} rows", f"{SIZE.small:,} rows", sides)
    finally:
        for server in started.values():
            server.stop()
