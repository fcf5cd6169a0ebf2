"""Makers who are made ready before a process serves."""

import logging
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from makerlog.accounts.ahead import makers_who_posted_last, read_ahead
from makerlog.accounts.models import Maker
from makerlog.accounts.serializers import MakerSerializer
from makerlog.api.compiled import kept_form
from tests.makers import anonymous, make_maker
from tests.tasks.logs import NOON, log

pytestmark = pytest.mark.django_db(transaction=True)  # it leaves no connection behind


@pytest.fixture
def makers() -> Iterator[list[Maker]]:
    """Three, of whom the last posted last; nothing of them is kept, nor of a fourth, who has posted nothing."""
    found = [make_maker(name) for name in ("alice", "bob", "charlie", "dora")]
    for number, maker in enumerate(found[:3]):
        log(maker, done_at=NOON.replace(day=NOON.day + number))
    shelf = kept_form(MakerSerializer).shelf
    shelf.clear()
    yield found[:3]
    shelf.clear()


def statements_of_a_page() -> int:
    with CaptureQueriesContext(connection) as captured:
        assert len(anonymous().get("/tasks/").json()) == 3
    return len(captured)


def test_a_page_needs_not_ask_for_its_makers(makers: list[Maker]) -> None:
    assert read_ahead() == 4
    assert connection.connection is None
    assert statements_of_a_page() == 1


def test_who_changed_since_is_asked_for(makers: list[Maker]) -> None:
    read_ahead()
    Maker.objects.filter(username="bob").update(status="changed")
    assert statements_of_a_page() == 2


def test_who_posted_last_comes_first(makers: list[Maker]) -> None:
    assert makers_who_posted_last(2) == [makers[2].pk, makers[1].pk]


def test_no_more_are_made_than_are_kept(makers: list[Maker], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_form(MakerSerializer).shelf, "most", 2)
    assert read_ahead() == 2


def test_a_start_is_not_held_up(makers: list[Maker]) -> None:
    assert read_ahead(seconds=0) == 0
    assert statements_of_a_page() == 2


def test_a_start_does_without_a_database(makers: list[Maker], monkeypatch: Any, caplog: Any) -> None:
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    with caplog.at_level(logging.WARNING, "makerlog.ahead"):
        assert read_ahead() == 0
    assert "Makers are made ready as pages show them" in caplog.text


def test_a_start_does_without_what_cannot_be_made(makers: list[Maker], caplog: Any) -> None:
    Maker.objects.filter(username="bob").update(public_run_length=9, public_last_day=date.max)
    with caplog.at_level(logging.WARNING, "makerlog.ahead"):
        assert read_ahead() == 0
    assert "OverflowError" in caplog.text
    assert connection.connection is None
