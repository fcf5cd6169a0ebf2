"""No parameter of a GET that OpenAPI documents makes the database read through a table, or sort more than a page.

What is new in the schema is asked by itself.

20,000 rows of every model in ``make test``, five times as many in ``make scale``. Two parameters together are asked by one
reader in ``make test``, by all of them in ``make scale``.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from makerlog.api import prepared, statements
from makerlog.api.checks import routes
from makerlog.api.renderers import MAX_ROWS
from makerlog.api.statements import ANY_LIMIT
from tasks.models import Task
from tests.attack.crawler import corpus
from tests.attack.crawler.contract import NOT_FILTERS, Contract
from tests.attack.crawler.crawl import Crawler, quiet
from tests.attack.crawler.growth import looked_at
from tests.attack.crawler.targets import PROLIFIC, READERS, Shot, address
from tests.scale.plans import nodes, plan, sorted_rows

pytestmark = pytest.mark.django_db

FEW, MANY = 20_000, 100_000
CONTRACT = Contract.current()
ASKED = {
    route.path: [query for query, usual in CONTRACT.filters(route.path) if usual]
    for route in routes()
    if route.ours and route.reader
}
GROWING = {model._meta.db_table for model in corpus.filled()}


@pytest.fixture(scope="module", params=[FEW, pytest.param(MANY, marks=pytest.mark.scale)], ids="{0:,} rows".format)
def rows(request: Any) -> int:
    return int(request.param)


@pytest.fixture(scope="module")
def crawler(rows: int, django_db_setup: None, django_db_blocker: Any) -> Iterator[Crawler]:
    with django_db_blocker.unblock(), quiet():
        corpus.fill(rows)
        try:
            yield Crawler()
        finally:
            corpus.empty()


@pytest.fixture(params=["each for its values", "all for any"])
def planned(request: Any, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Statements as they are, and prepared with the plan that PostgreSQL makes for no values in particular."""
    if request.param == "all for any":
        settings.PREPARED_STATEMENTS = True
        monkeypatch.setattr(prepared, "WORTH", 1)
        monkeypatch.setattr(prepared, "MOST", 10_000)
        monkeypatch.setattr(statements, "USUAL", range(ANY_LIMIT))
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")


@pytest.mark.parametrize("path", [path for path, queries in ASKED.items() if queries])
def test_each_parameter_and_each_two_of_them_are_answered_by_an_index(
    path: str, rows: int, crawler: Crawler, planned: None
) -> None:
    found = [fault for shot in shots(path, everything=rows == MANY) for fault in faults(shot, crawler)]
    assert not found, "\n".join(found[:20])


def test_what_no_index_serves_would_be_found(crawler: Crawler) -> None:
    tasks = Task.objects.values_list("pk")
    for unserved in (tasks.order_by("content"), tasks.filter(content="nowhere")):
        sql, params = unserved[:5].query.sql_with_params()
        with connection.cursor() as cursor:
            found = list(faults_of(cursor.mogrify(sql, params).decode(), MAX_ROWS))
        assert "reads through tasks_task" in found
    assert list(faults_of("SELECT id FROM tasks_task ORDER BY id LIMIT 5", 0)) == []


def test_every_documented_parameter_is_asked() -> None:
    documented = {
        (path, each["name"])
        for path in ASKED
        for each in CONTRACT.operation(path, "GET").get("parameters", [])
        if each["in"] == "query" and each["name"] not in NOT_FILTERS
    }
    assert documented == {(path, name) for path, queries in ASKED.items() for query in queries for name, _ in query}
    assert ("tasks/", "search") in documented


def shots(path: str, *, everything: bool) -> Iterator[Shot]:
    for caller in READERS:
        for query in ASKED[path]:
            if everything or caller == PROLIFIC or len(query) == 1:
                yield Shot(path, f"{address(path, corpus.COMMON)}?{urlencode(query)}", caller)


def faults(shot: Shot, crawler: Crawler) -> Iterator[str]:
    """What is wrong with the plans of a request's statements."""
    for sql in selects(shot, crawler):
        for fault in faults_of(sql, MAX_ROWS + 1 + looked_at(shot)):
            yield f"{shot} {fault}: {sql}"


def faults_of(sql: str, most: int) -> Iterator[str]:
    """``most``: rows that may be sorted."""
    for node in nodes(plan(sql)):
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in GROWING:
            yield f"reads through {node['Relation Name']}"
        if sorted_rows(node) > most:
            yield f"sorts {sorted_rows(node):,} rows"


def selects(shot: Shot, crawler: Crawler) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        response = crawler.send(shot)
    assert response.status_code < 500
    return [each["sql"] for each in captured if each["sql"].startswith(("SELECT", "WITH", "EXECUTE"))]
