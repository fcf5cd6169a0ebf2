"""`make bench`: a worker's memory, after few requests and after many."""

import itertools
import json
import random
from collections.abc import Iterator

import pytest

from tests.benchmarks import servers
from tests.benchmarks.board import Board, Row
from tests.benchmarks.data import MARK, Community, Facts
from tests.benchmarks.load import Tally, request, send
from tests.benchmarks.size import SIZE
from tests.benchmarks.test_speed import ADDRESSES

pytestmark = pytest.mark.bench
MIB = 2**20


def mixed(facts: Facts) -> Iterator[bytes]:
    """What makers' apps ask, right and wrong, without end."""
    dice = random.Random(6)
    body = json.dumps({"content": f"Measure what a worker keeps {MARK}", "done": True}).encode()
    for token, address in zip(itertools.cycle(facts.tokens), itertools.cycle(ADDRESSES), strict=False):
        place, pk = dice.choice(facts.places), dice.choice(facts.tasks)
        yield request(f"/tasks/?cursor={place.ours}", token)
        yield request("/tasks/", address=address)
        yield request(f"/tasks/{pk}/", token)
        yield request(f"/tasks/?done=true&limit={dice.randint(1, 60)}", token)
        yield request("/users/?limit=5", address=address)
        yield request("/products/", address=address)
        yield request("/me/", token)
        yield request(f"/tasks/?search={pk}", token)
        yield request(f"/tasks/{10**9 + pk}/", token)
        yield request("/tasks/", token, body=b'{"content": ""}')
        if dice.random() < 0.2:
            yield request("/tasks/", token, body=body)


def test_a_worker_keeps_nothing_of_what_it_answered(community: Community, table: Board) -> None:
    server = servers.ours(community.variables)
    try:
        server.wait()
        requests, after = mixed(community.facts), []
        few, many = SIZE.mixed
        for count in (few, many - few):
            tally = Tally(requests, most=count)
            send(server.port, tally)
            after.append(server.memory() / MIB)
            assert set(tally.statuses) - {503} == {200, 201, 400, 404}, tally.statuses
    finally:
        server.stop()
    details = {"MiB": [round(each, 1) for each in after]}
    work, against = f"memory after {many:,} mixed requests", f"after {few:,}"
    table.add(Row(work, against, 1.05, measured=after[1] / after[0], at_most=True, details=details))
