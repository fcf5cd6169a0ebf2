"""Uses of tokens are noted by requests, and written together by somebody else (makerlog.accounts.uses)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError

from makerlog.accounts import uses as module
from makerlog.accounts.models import AccessToken
from makerlog.accounts.uses import Use, Uses, uses
from tests.makers import caller
from tests.tasks.logs import NOON

pytestmark = pytest.mark.django_db
HERE = "93.184.216.7"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[Uses]:
    """As in a process that serves, whose teller writes now and then."""
    monkeypatch.setattr(uses, "written", lambda: True)
    yield uses
    uses._noted.clear()


@pytest.fixture
def token() -> int:
    caller()
    return AccessToken.objects.get().pk


def used() -> list[tuple[Any, Any]]:
    return list(AccessToken.objects.order_by("pk").values_list("last_used_at", "last_used_from"))


def test_no_read_writes_and_all_uses_are_one_statement(written: Uses, django_assert_num_queries: Any) -> None:
    alice, bob = caller(), caller("bob")
    for each in (alice, bob, alice):
        assert each.get("/users/", REMOTE_ADDR=HERE).status_code == 200
    assert used() == [(None, None)] * 2
    with django_assert_num_queries(1):
        written.write()
    assert [(at is None, address) for at, address in used()] == [(False, HERE)] * 2
    with django_assert_num_queries(0):
        written.write()


def test_a_use_that_came_later_stays(written: Uses, token: int) -> None:
    AccessToken.objects.update(last_used_at=NOON, last_used_from=HERE)
    written.note(token, Use(NOON - timedelta(seconds=1), "2a00:1450::7"))
    written.write()
    assert used() == [(NOON, HERE)]


def test_what_could_not_be_written_is_kept_and_what_is_newer_wins(
    written: Uses, token: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    older, newer = Use(NOON, HERE), Use(NOON + timedelta(seconds=1), None)

    def fail(taken: dict[int, Use]) -> None:
        written.note(token, newer)
        raise DatabaseError

    written.note(token, older)
    written.note(token + 1, older)  # one that is gone by now
    with monkeypatch.context() as patch:
        patch.setattr(module, "write", fail)
        with pytest.raises(DatabaseError):
            written.write()
    written.write()
    assert used() == [(newer.at, newer.address)]
    assert not written._noted


def test_no_more_wait_than_there_is_room_for() -> None:
    full = Uses(most=2)
    full.written = lambda: True
    for number in (1, 2, 3, 1):
        full.note(number, Use(NOON, None))
    assert list(full._noted) == [1, 2]
