"""The attacker of 2019 on every route: what a request costs does not grow with the tables, and nothing breaks.

The routes come from the URLconf, parameters and bodies from OpenAPI, rows from the models: what is new is crawled by
itself. ``make attack`` sends all there is to send, to 100,000 rows of everything; ``make test`` a share of what is merely
hostile, to 50,000: five times what the rule of growth lets the widest request look at.
"""

from typing import Any

import pytest
from django.test import override_settings

from makerlog.api.budgets import OVER
from makerlog.api.checks import routes
from tests.attack.crawler import controls, corpus
from tests.attack.crawler.conftest import REPORTS
from tests.attack.crawler.crawl import Crawler, quiet
from tests.attack.crawler.growth import Growth, grown
from tests.attack.crawler.measure import Cost
from tests.attack.crawler.targets import ANONYMOUS, NEWCOMER, Shot, admin_paths, shots

pytestmark = pytest.mark.django_db

SMALL = 100
A_SHARE, EVERYTHING = "a share", "everything"
LARGE = {A_SHARE: 50_000, EVERYTHING: 100_000}
CONTROLS = "tests.attack.crawler.controls"
Costs = list[list[Cost]]


class Crawl:
    """All shots at both sizes, of the service and of the controls, and what they showed."""

    def __init__(self, which: str) -> None:
        self.large = LARGE[which]
        self.filled: dict[int, dict[str, int]] = {}
        self.shots = [shot for shot in shots() if shot.chosen or which == EVERYTHING]
        with override_settings(ROOT_URLCONF=CONTROLS):
            self.control_shots = [shot for shot in shots() if sent_to_control(shot)]
        self.dearest: dict[str, str] = {}
        self.growing: list[Growth] = []
        self.broken: list[str] = []
        self.dear: set[str] = set()
        self.caught: dict[str, set[str]] = {route: set() for route in controls.VIEWS}
        self.requests = 0

    def run(self) -> None:
        small, small_controls = self.at(SMALL)
        large, large_controls = self.at(self.large, look=small)
        self.judge(small, large)
        self.judge_controls(small_controls, large_controls)

    def at(self, rows: int, look: Costs | None = None) -> tuple[Costs, Costs]:
        """The costs of all shots at so many rows. ``look``: those of the small table, to find the statement to blame."""
        corpus.fill(rows)
        try:
            self.filled[rows] = dict(corpus.counts())
            crawler = Crawler()
            before = over_budget()
            found = [crawler.costs(shot) for shot in self.shots]
            self.dear |= {route for route, times in over_budget().items() if times > before.get(route, 0.0)}
            if look:
                found = [self.look_again(crawler, *each) for each in zip(self.shots, look, found, strict=True)]
            with override_settings(ROOT_URLCONF=CONTROLS):
                found_controls = [crawler.costs(shot) for shot in self.control_shots]
        finally:
            corpus.empty()
        self.requests += sum(map(len, found))
        return found, found_controls

    def look_again(self, crawler: Crawler, shot: Shot, before: list[Cost], after: list[Cost]) -> list[Cost]:
        """What was slow alone may have met the machine at something else: it is sent once more. Of the rest, the statement
        to blame is noted."""
        found = {growth.measure for growth in grown(shot, before, after)}
        if found == {"ms"}:
            return crawler.costs(shot)
        if found and shot.route not in self.dearest:
            self.dearest[shot.route] = crawler.dearest(shot)
        return after

    def judge(self, small: Costs, large: Costs) -> None:
        for shot, before, after in zip(self.shots, small, large, strict=True):
            self.growing += grown(shot, before, after)
            self.broken += failures(shot, [*before, *after])
        took = [(max(cost.ms for cost in costs), str(shot)) for shot, costs in zip(self.shots, large, strict=True)]
        self.slowest = sorted(took)[-5:]

    def judge_controls(self, small: Costs, large: Costs) -> None:
        for shot, before, after in zip(self.control_shots, small, large, strict=True):
            self.caught[shot.route] |= {growth.measure for growth in grown(shot, before, after)}
            self.caught[shot.route] |= {"5xx"} if failures(shot, [*before, *after]) else set()

    def report(self) -> str:
        filled = f"{SMALL:,} and at {self.large:,} rows of {len(self.filled[self.large])} models"
        lines = [
            f"Routes crawled: {len({shot.route for shot in self.shots})}. Requests: {self.requests:,}, at {filled}."
            f" Growing: {len(self.growing)}. 5xx: {len(self.broken)}.",
            *(f"  {ms:,.0f} ms: {shot}" for ms, shot in reversed(self.slowest)),
        ]
        return "\n".join(lines)


def sent_to_control(shot: Shot) -> bool:
    asked = shot.url.partition("?")[2]
    return (
        shot.route in controls.VIEWS and shot.core and shot.caller in (ANONYMOUS, NEWCOMER) and asked in controls.SENT
    )


def over_budget() -> dict[str, float]:
    """How often each route was over its budget so far, as the metrics tell it."""
    [metric] = OVER.collect()
    return {each.labels["route"]: each.value for each in metric.samples if each.name.endswith("_total")}


def failures(shot: Shot, costs: list[Cost]) -> list[str]:
    return [f"{cost.status} {cost.error} /{shot.route}: {shot}" for cost in costs if cost.status >= 500]


@pytest.fixture(
    scope="module", params=[A_SHARE, pytest.param(EVERYTHING, marks=pytest.mark.attack)], ids=lambda which: which
)
def crawl(request: Any, django_db_setup: None, django_db_blocker: Any) -> Crawl:
    made = Crawl(request.param)
    with django_db_blocker.unblock(), quiet():
        made.run()
    request.config.stash.setdefault(REPORTS, []).append(made.report())
    return made


def test_nothing_grows_with_the_tables(crawl: Crawl) -> None:
    found = [f"{growth}\n    {crawl.dearest.get(growth.shot.route, '')}" for growth in crawl.growing]
    assert not found, crawl.report() + "\n" + "\n".join(found[:60])


def test_nothing_answers_with_a_5xx(crawl: Crawl) -> None:
    assert not crawl.broken, "\n".join(crawl.broken[:60])


def test_nothing_costs_more_than_its_route_says(crawl: Crawl) -> None:
    assert crawl.dear == set()


def test_every_route_is_crawled(crawl: Crawl) -> None:
    wanted = {route.path for route in routes()} | set(admin_paths())
    assert not wanted - {shot.route for shot in crawl.shots}


def test_every_model_is_filled(crawl: Crawl) -> None:
    short = {rows: [label for label, count in filled.items() if count < rows] for rows, filled in crawl.filled.items()}
    assert short == {SMALL: [], crawl.large: []}


@pytest.mark.parametrize("control", controls.VIEWS)
def test_an_unbounded_view_is_caught_for_what_it_is(crawl: Crawl, control: str) -> None:
    reasons = controls.CAUGHT_BY[control]
    assert reasons <= crawl.caught[control] <= reasons | {"ms"}  # what is unbounded may well be slow
