"""Revoked tokens: announced whoever revokes them, known to the front door, and told to who still uses them."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from makerlog.accounts import actions
from makerlog.accounts.authentication import genuine_token, note_use
from makerlog.accounts.links import reset_tokens
from makerlog.accounts.models import AccessToken
from makerlog.accounts.revoked import Revoked, revoked
from makerlog.changes.models import Change
from moderation.standing import watcher
from tests.errors import assert_error
from tests.makers import Caller, anonymous, caller, make_maker

pytestmark = pytest.mark.django_db


def announced() -> set[str]:
    return set(Change.objects.filter(topic="token").values_list("key", flat=True))


def ids(client: Caller) -> set[str]:
    return set(client.maker.tokens.values_list("public_id", flat=True))


def header(client: Caller) -> bytes:
    return f"Token {client.token}".encode()


# --- Every way a token ends is announced ---


def test_a_deleted_token_is_announced() -> None:
    alice = caller()
    actions.revoke_token(token=alice.maker.tokens.get())
    assert announced() == ids(alice)


def test_log_ins_beyond_the_newest_are_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AccessToken, "MAX_LOGINS", 1)
    alice = make_maker()
    actions.log_in(maker=alice)
    assert announced() == set()
    actions.log_in(maker=alice)
    assert announced() == {alice.tokens.order_by("id")[0].public_id}


def test_a_reset_announces_all_tokens_and_a_change_the_other_log_ins() -> None:
    alice, bob = caller("alice"), caller("bob")
    actions.log_in(maker=bob.maker)
    actions.change_password(maker=bob.maker, password="x", own=bob.maker.tokens.get(kind="personal"))
    assert announced() == {bob.maker.tokens.get(kind="login").public_id}
    actions.log_in(maker=alice.maker)
    actions.reset_password(maker=alice.maker, token=reset_tokens.make_token(alice.maker), password="x")
    assert announced() >= ids(alice)


def test_an_erased_account_is_announced_with_its_tokens() -> None:
    alice = caller()
    gone, pk = ids(alice), alice.maker.pk
    actions.delete_account(maker=alice.maker)
    assert announced() == gone
    assert Change.objects.get(topic="maker").key == str(pk)


# --- The front door's memory ---


def test_the_front_door_takes_a_revoked_token_for_none() -> None:
    alice, bob = caller("alice"), caller("bob")
    watcher.catch_up()
    actions.revoke_token(token=alice.maker.tokens.get())
    watcher.catch_up()
    assert (genuine_token(header(alice)), genuine_token(header(bob))) == (None, bob.maker.tokens.get().public_id)


def test_the_tokens_of_an_erased_account_are_none_either() -> None:
    alice = caller()
    watcher.catch_up()
    actions.delete_account(maker=alice.maker)
    watcher.catch_up()
    assert genuine_token(header(alice)) is None


def test_a_process_that_starts_later_knows_the_newest_that_have_not_expired() -> None:
    alice = make_maker()
    made = [actions.create_token(maker=alice)[0] for _ in range(4)]
    for hours, token in enumerate(made[:3]):
        AccessToken.objects.filter(pk=token.pk).update(revoked_at=timezone.now() - timedelta(hours=hours))
    AccessToken.objects.filter(pk=made[0].pk).update(expires_at=timezone.now() - timedelta(minutes=1))
    index = Revoked(most=2)
    index.load()
    assert [token.public_id in index for token in made] == [False, True, False, False]


def test_the_memory_is_bounded_and_the_oldest_goes_first() -> None:
    index = Revoked(most=3)
    for number in range(5):
        index.refresh([f"id{number}"])
    assert len(index) == 3
    assert ["id1" in index, "id2" in index, "id4" in index] == [False, True, True]


def test_a_token_that_is_live_is_not_remembered_as_revoked() -> None:
    alice = caller()
    revoked.refresh(list(ids(alice)))
    assert genuine_token(header(alice)) is not None


# --- What is told to who still uses one ---


@pytest.mark.parametrize(
    ("values", "detail"),
    [
        ({"revoked_at": timezone.now()}, "This token was revoked by its owner's account."),
        (
            {"revoked_at": timezone.now(), "revoked_because": "found on bob's page"},
            "This token was revoked by moderation.",
        ),
        ({"expires_at": timezone.now()}, "This token has expired."),
    ],
)
def test_a_token_that_ended_says_whose_act_it_was_and_no_more(values: Any, detail: str) -> None:
    alice = caller()
    AccessToken.objects.update(**values)
    code = "token_revoked" if "revoked_at" in values else "token_expired"
    assert assert_error(alice.get("/tasks/"), 401, code)["detail"] == detail


def test_where_a_token_was_last_used_is_noted_in_the_same_write(django_assert_num_queries: Any) -> None:
    alice = caller()
    anonymous().get("/users/")  # from here on, the page's makers are known
    with django_assert_num_queries(3):  # the token and its maker, its use, the page
        alice.get("/users/", REMOTE_ADDR="93.184.216.7")
    token = AccessToken.objects.get()
    assert (token.last_used_from, token.last_used_at is None) == ("93.184.216.7", False)
    alice.get("/users/", REMOTE_ADDR="2a00:1450::7")
    assert AccessToken.objects.get().last_used_from == "93.184.216.7"


def test_a_token_that_is_used_from_no_known_address_is_noted_so() -> None:
    caller()
    note_use(AccessToken.objects.select_related("maker").get(), "")
    token = AccessToken.objects.get()
    assert (token.last_used_from, token.last_used_at is None) == (None, False)
