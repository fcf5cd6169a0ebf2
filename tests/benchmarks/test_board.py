"""How figures are held against goals."""

from xml.etree import ElementTree

from tests.benchmarks.board import Row
from tests.benchmarks.chart import drawn
from tests.benchmarks.load import Figures, Tally


def test_a_goal_is_met_when_every_figure_reaches_it() -> None:
    assert Row("a", "b", 2.0, by_cpu=2.0, measured=2.1).verdict == "met"
    assert Row("a", "b", 2.0, by_cpu=2.0, measured=1.9).verdict == "met by CPU alone"
    assert Row("a", "b", 2.0, by_cpu=1.0, measured=1.9).verdict == "not met"
    assert Row("a", "b", 1.15, measured=1.1, at_most=True).verdict == "met"
    assert Row("a", "b", 1.15, measured=1.2, at_most=True).verdict == "not met"
    assert Row("a", "b", measured=1.2).verdict == "told"


def test_the_chart_is_well_formed_and_shows_each_figure_that_has_a_goal() -> None:
    rows = [Row("a < b", "c", 2.0, by_cpu=1.0, measured=500.0), Row("told", "", measured=1.0)]
    chart = ElementTree.fromstring(drawn([(row.work, row.shares) for row in rows]))  # noqa: S314 - our own
    texts = ["".join(each.itertext()) for each in chart.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["goal", "a < b", "0.50 (CPU)", "250.00 (measured)"]


def test_a_load_ends_with_its_last_request() -> None:
    tally = Tally(iter([b"1", b"2", b"3"]), most=2)
    assert [tally.next(), tally.next(), tally.next()] == [b"1", b"2", None]


def test_figures_keep_what_each_round_was() -> None:
    assert Figures(2.0, 1.0, [(2.04, 1.0)]).told == {"by_cpu": 2.0, "by_wall": 1.0, "rounds": [[2.0, 1.0]]}
