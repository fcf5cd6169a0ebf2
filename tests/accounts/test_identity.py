"""Who holds a token is remembered while the watcher hears of changes: what is taken from a maker is gone within a second."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from makerlog.accounts.actions import delete_account, end_tokens, update_profile
from makerlog.accounts.authentication import genuine_token
from makerlog.accounts.identity import identities
from makerlog.accounts.models import Maker
from moderation.actions import set_open, set_role, suspend, unsuspend
from moderation.roles import Role
from moderation.standing import watcher
from tests.makers import Caller, anonymous, caller
from tests.tasks.logs import log

pytestmark = pytest.mark.django_db(transaction=True)

WITHIN_S = 1.0
SLACK_S = 2.0  # for a busy machine; what is measured is said


@pytest.fixture(autouse=True)
def watching() -> Iterator[None]:
    watcher.start()
    yield
    watcher.stop()
    watcher.version = None


@pytest.fixture
def alice() -> Caller:
    client = caller("alice")
    log(client.maker, "Built #site")
    for _ in range(2):
        assert client.get("/tasks/").status_code == 200
    return client


def queries(client: Caller, url: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return [each["sql"] for each in captured]


def test_a_read_with_a_token_is_one_query(alice: Caller) -> None:
    for url in ("/tasks/", "/discussions/", "/users/", "/me/", "/me/privileged/"):
        alice.get(url)
        [sql] = queries(alice, url)
        assert "accesstoken" not in sql


def test_nothing_is_remembered_where_no_watcher_runs(alice: Caller) -> None:
    watcher.stop()
    for _ in range(2):
        assert len([sql for sql in queries(alice, "/tasks/") if "accesstoken" in sql]) == 1


def until_status(client: Caller, wanted: int, within: float = WITHIN_S + SLACK_S) -> None:
    began = time.monotonic()
    while client.get("/tasks/").status_code != wanted:
        assert time.monotonic() - began < within
        time.sleep(0.02)


TAKEN: dict[str, Callable[[Maker], Any]] = {
    "revoked": lambda maker: in_transaction(lambda: end_tokens(maker.tokens.all())),
    "closed": lambda maker: set_open(maker=maker, is_open=False),
    "suspended": lambda maker: suspend(maker=maker, kind=Maker.Suspension.OUT),
    "erased": lambda maker: delete_account(maker=maker),
}


def in_transaction(act: Callable[[], Any]) -> None:
    with transaction.atomic():
        act()


@pytest.mark.parametrize("act", TAKEN)
def test_what_is_taken_is_gone_within_a_second(alice: Caller, act: str) -> None:
    TAKEN[act](alice.maker)
    until_status(alice, 401)
    assert alice.get("/tasks/").status_code == 401


def test_the_moment_the_watcher_stops_the_database_is_asked(alice: Caller) -> None:
    watcher.stop()
    set_open(maker=alice.maker, is_open=False)
    assert alice.get("/tasks/").status_code == 401


def test_a_role_is_in_force_within_a_second(alice: Caller) -> None:
    hidden = log(caller("bob").maker)
    type(hidden).objects.filter(pk=hidden.pk).update(hidden=True, listed=False)
    url = f"/tasks/{hidden.pk}/"
    assert alice.get(url).status_code == 404
    set_role(maker=alice.maker, role=Role.MODERATOR)
    began = time.monotonic()
    while alice.get(url).status_code != 200:
        assert time.monotonic() - began < WITHIN_S + SLACK_S
        time.sleep(0.02)
    assert anonymous().get(url).status_code == 404


def test_the_use_of_a_token_is_still_noted_once_a_minute(alice: Caller) -> None:
    noted = [sql for _ in range(5) for sql in queries(alice, "/tasks/") if sql.startswith("UPDATE")]
    assert noted == []
    alice.maker.tokens.update(last_used_at=None)
    identities.drop(lambda token: True)
    noted = [sql for _ in range(5) for sql in queries(alice, "/tasks/") if sql.startswith("UPDATE")]
    assert len(noted) == 1


def test_one_s_own_page_is_never_remembered(alice: Caller) -> None:
    for number in range(3):
        update_profile(maker=alice.maker, status=f"Status {number}")
        assert alice.get("/me/").json()["status"] == f"Status {number}"


def test_what_was_read_before_a_change_is_not_remembered_after_it(alice: Caller) -> None:
    """Threat: a request reads its token, the token is revoked and dropped, and the request then remembers what it read."""
    [public_id] = alice.maker.tokens.values_list("public_id", flat=True)
    drops, found = identities.drops, identities.look_up(public_id)
    assert found is not None
    identities.drop(lambda token: True)
    identities._keep(found, drops)
    assert public_id not in identities._known


def test_no_more_are_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identities, "most", 2)
    for number in range(4):
        caller(f"maker{number}").get("/tasks/")
    assert len(identities._known) <= 2


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_token_of_a_maker_who_is_suspended_is_not_genuine_for_the_door(alice: Caller, method: str) -> None:
    """Its 401s were free, and in the first lane."""
    header = f"Token {alice.token}".encode()
    assert genuine_token(header)
    suspend(maker=alice.maker, kind=Maker.Suspension.OUT, reason="Spam", expires_at=None)
    wait_until(lambda: getattr(alice, method)("/tasks/").status_code == 401 and genuine_token(header) is None)
    unsuspend(maker=alice.maker)
    wait_until(lambda: genuine_token(header) is not None)


def test_a_token_of_a_closed_account_is_not_genuine_for_the_door(alice: Caller) -> None:
    header = f"Token {alice.token}".encode()
    set_open(maker=alice.maker, is_open=False)
    wait_until(lambda: alice.get("/tasks/").status_code == 401 and genuine_token(header) is None)


def wait_until(happens: Callable[[], bool]) -> None:
    end = time.monotonic() + WITHIN_S + SLACK_S
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.02)
