"""What happens where a request costs more than its route says: it is answered, counted and told."""

import logging
from itertools import count

import pytest
from prometheus_client import REGISTRY

from makerlog.api.budgets import SAY_EVERY_S, Budget, Watch, budget_of, over
from makerlog.api.checks import routes
from tasks.views import TaskViewSet
from tests.lists.test_fast_path import Ways, asked, ways  # noqa: F401  (a fixture)
from tests.makers import anonymous, caller
from tests.tasks.logs import bulk

pytestmark = pytest.mark.django_db
SMALL = Budget(queries=3, rows=100, bytes=10_000)


def counted(route: str) -> float:
    return REGISTRY.get_sample_value("makerlog_over_budget_total", {"route": route}) or 0.0


def test_what_is_over_is_named() -> None:
    assert list(over(SMALL, SMALL)) == []
    assert list(over(Budget(4, 100, 10_001), SMALL)) == ["queries", "bytes"]
    assert list(over(Budget(0, 101, 0), SMALL)) == ["rows"]


def test_it_is_counted_each_time_and_said_once_a_minute_for_each_route(caplog: pytest.LogCaptureFixture) -> None:
    seconds = count(step=SAY_EVERY_S / 2)
    watch = Watch(clock=lambda: next(seconds))
    before = counted("a/")
    with caplog.at_level(logging.WARNING):
        for _ in range(5):  # at 0, 30, 60, 90 and 120 s
            watch.note("a/", SMALL, Budget(4, 1, 1))
        watch.note("a/", SMALL, SMALL)
        watch.note("b/", SMALL, Budget(1, 101, 1))
    assert counted("a/") - before == 5
    assert caplog.messages == [
        *["/a/ cost 4 queries, 1 rows, 1 bytes; its budget is 3 queries, 100 rows, 10,000 bytes."] * 3,
        "/b/ cost 1 queries, 101 rows, 1 bytes; its budget is 3 queries, 100 rows, 10,000 bytes.",
    ]


def test_a_route_that_drifts_shows_in_the_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TaskViewSet, "budgets", {**TaskViewSet.budgets, "list": Budget(6, 2, 100_000)})
    alice = caller("alice")
    bulk(alice.maker, 3)
    before = counted("tasks/")
    assert alice.get("/tasks/").status_code == 200
    assert counted("tasks/") == before + 1
    metrics = anonymous().get("/metrics/", **{"makerlog.lane": "ops"}).content.decode()
    assert counted("metrics/") == 0
    assert f'makerlog_over_budget_total{{route="tasks/"}} {before + 1}' in metrics


def test_the_fast_path_is_watched_as_well(ways: Ways, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    bulk(caller("alice").maker, 3)
    ways.learnt(asked("/tasks/"))
    [read] = [read for read in ways.fast.reads.values() if read.route == "tasks/"]
    monkeypatch.setitem(ways.fast.fixed, "/tasks/", read._replace(budget=Budget(6, 100, 50)))
    before = counted("tasks/")
    assert ways.quick(asked("/tasks/"))
    assert counted("tasks/") == before + 1


def test_one_url_has_a_budget_for_each_of_its_handlers() -> None:
    [route] = [route for route in routes() if route.path == "tasks/<int:pk>/"]
    found = {method: budget_of(route.callback, method) for method in ("GET", "HEAD", "PATCH")}
    assert found["GET"] == found["HEAD"] == TaskViewSet.budgets["retrieve"]
    assert found["PATCH"] == TaskViewSet.budgets["partial_update"]
