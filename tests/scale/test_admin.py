"""The admin at a million tasks: no page counts, and none reads more than it shows. What pages read at 100,000 rows of every
table is the crawler's (tests/attack/crawler)."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from makerlog.accounts.models import Maker
from tests.attack.crawler.targets import admin_paths
from tests.scale.crowd import disperse, gather
from tests.scale.plans import looked_at, nodes, plan

pytestmark = [pytest.mark.django_db, pytest.mark.scale]

MOST = 2_500  # rows that one scan may look at: a page's window, and as much again
SLOW_S = 2.0  # on a machine that does other things too; "about a second" is for whoever reads what is printed
BIG = {"tasks_task", "tasks_taskproject", "tasks_taskproduct"}


@pytest.fixture(scope="module", params=[100_000, 1_000_000], ids=lambda rows: f"{rows:,}")
def crowd(request: Any, django_db_setup: None, django_db_blocker: Any) -> Iterator[int]:
    with django_db_blocker.unblock():
        gather(request.param)
    yield request.param
    with django_db_blocker.unblock():
        disperse()


@pytest.fixture
def staff(crowd: int) -> Client:
    client = Client(REMOTE_ADDR="8.8.8.8")
    client.force_login(
        Maker.objects.create(pk=1_000, username="root", email="root@example.com", is_staff=True, is_superuser=True)
    )
    client.get("/admin/")
    return client


def pages() -> list[str]:
    """Every page, and of the lists of what makers post those that search, order and lie deep."""
    lists = ["/admin/tasks/task/", "/admin/accounts/maker/"]
    ways = ["?q=maker1", "?q=999999", "?q=nobody", "?p=2", "?p=20", "?o=1", "?o=-2", "?all="]
    return [*(f"/{path}" for path in admin_paths()), *(f"{page}{way}" for page in lists for way in ways)]


def test_no_page_counts_or_reads_more_than_it_shows(staff: Client, crowd: int, say: Callable[[str], None]) -> None:
    took, faults, opened = {}, [], 0
    for page in pages():
        began = time.perf_counter()
        with CaptureQueriesContext(connection) as queries:
            answer = staff.get(page)
        took[page] = time.perf_counter() - began
        opened += answer.status_code == 200
        faults += [f"{page}: {fault}" for query in queries for fault in wrong_with(query["sql"])]
        assert answer.status_code < 500, page
    slowest = sorted(took, key=took.__getitem__, reverse=True)[:3]
    say(f"{len(took)} pages at {crowd:,} tasks, {opened} opened; slowest: {[(p, round(took[p], 2)) for p in slowest]}")
    assert opened > 40
    assert faults == []
    assert took[slowest[0]] < SLOW_S


def wrong_with(sql: str) -> list[str]:
    if not sql.startswith("SELECT"):
        return []
    found = [node for node in nodes(plan(sql)) if node.get("Relation Name") in BIG]
    return [
        f"{looked_at(node)} rows by a {node['Node Type']}: {sql[:300]}"
        for node in found
        if looked_at(node) > MOST or node["Node Type"] == "Seq Scan"
    ]
