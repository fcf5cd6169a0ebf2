"""A username that was given up is nobody else's for 90 days."""

import threading
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from makerlog.accounts.actions import change_username, delete_account
from makerlog.accounts.models import FreedUsername, Maker
from makerlog.accounts.purges import purge_freed_usernames
from tests.errors import assert_invalid
from tests.makers import anonymous, caller, just_logged_in, make_maker

pytestmark = pytest.mark.django_db

PATH = "/accounts/change_username/"
PASSWORD = "correct horse battery"


def register(username: str) -> Any:
    body = {"email": "new@example.com", "username": username, "password": PASSWORD, "repeat_password": PASSWORD}
    return anonymous().post("/accounts/register/", body)


def give_up(way: str) -> None:
    alice = caller()
    if way == "renamed":
        change_username(maker=alice.maker, username="alicia")
    else:
        delete_account(maker=alice.maker)


@pytest.mark.parametrize("way", ["renamed", "deleted"])
@pytest.mark.parametrize("spelling", ["alice", "ALICE"])
def test_a_name_that_was_given_up_is_nobody_elses_for_90_days(way: str, spelling: str) -> None:
    give_up(way)
    bob = just_logged_in("bob")
    assert_invalid(bob.get(PATH, {"username": spelling}), "username")
    assert_invalid(bob.post(PATH, {"username": spelling}), "username")
    assert_invalid(register(spelling), "username")
    assert not Maker.objects.filter(folded_username="alice").exists()


@pytest.mark.parametrize("way", ["renamed", "deleted"])
def test_after_90_days_it_is_free_and_nothing_is_kept_of_it(way: str) -> None:
    give_up(way)
    with time_machine.travel(timezone.now() + timedelta(days=91), tick=False):
        assert just_logged_in("bob").post(PATH, {"username": "alice"}).status_code == 200
        assert purge_freed_usernames() == 1
    # What bob gave up then is newer.
    assert FreedUsername.objects.count() == 1


def test_who_had_it_may_have_it_back() -> None:
    alice = just_logged_in()
    for name in ("alicia", "Alice", "alicia", "alice"):
        assert alice.get(PATH, {"username": name}).json() == {"available": True}
        assert alice.post(PATH, {"username": name}).status_code == 200


def test_another_spelling_of_ones_own_name_gives_nothing_up() -> None:
    just_logged_in().post(PATH, {"username": "ALICE"})
    assert not FreedUsername.objects.exists()


def test_nobody_keeps_many_names_from_others_by_passing_through_them() -> None:
    alice = make_maker("alice")
    for number in range(FreedUsername.MAX_OF_A_MAKER + 3):
        change_username(maker=alice, username=f"alice{number}")
    assert alice.freed_usernames.count() == FreedUsername.MAX_OF_A_MAKER
    bob = just_logged_in("bob")
    assert bob.get(PATH, {"username": "alice0"}).json() == {"available": True}
    assert_invalid(bob.get(PATH, {"username": "alice6"}), "username")


def test_of_an_account_that_is_erased_no_name_is_kept_in_clear() -> None:
    give_up("deleted")
    [row] = FreedUsername.objects.values()
    assert row["maker_id"] is None
    assert b"alice" not in bytes(row["digest"])


def test_a_name_stays_kept_back_when_the_secret_key_changes(settings: Any) -> None:
    give_up("renamed")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another one", [settings.SECRET_KEY]
    assert_invalid(register("alice"), "username")


def test_a_registration_that_nobody_opened_gives_nothing_up() -> None:
    register("carol")
    Maker.objects.filter(username="carol").update(date_joined=timezone.now() - timedelta(days=30))
    assert register("carol").status_code == 201


@pytest.mark.django_db(transaction=True)
def test_who_waits_for_a_name_to_be_given_up_does_not_get_it() -> None:
    """The check before the write saw the name taken by nobody but its maker; the write waits for theirs to commit."""
    from django.db import transaction
    from rest_framework.exceptions import ValidationError

    alice, bob = make_maker("alice"), make_maker("bob")
    refused = []

    def take() -> None:
        try:
            change_username(maker=bob, username="alice")
        except ValidationError as error:
            refused.append(error)
        finally:
            connection.close()

    with transaction.atomic():
        change_username(maker=alice, username="alicia")
        thread = threading.Thread(target=take)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
    thread.join(10)
    assert len(refused) == 1
    assert Maker.objects.get(pk=bob.pk).username == "bob"
