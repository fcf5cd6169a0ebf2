"""The watcher, one look at a time; tests/moderation has it as a thread, over several processes."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.db.transaction import TransactionManagementError
from django.utils import timezone

from makerlog.changes.journal import announce, latest
from makerlog.changes.models import Change, Process
from makerlog.changes.watch import KEPT, Watcher, in_force_since, is_lost, purge


class Follower:
    topic = "ban"

    def __init__(self) -> None:
        self.heard: list[list[str]] = []
        self.loads = 0

    def load(self) -> None:
        self.loads += 1

    def refresh(self, keys: list[str]) -> None:
        self.heard.append(keys)


@pytest.mark.django_db
def test_a_process_loads_all_once_and_then_what_changed() -> None:
    announce("ban", [1])
    follower = Follower()
    watcher = Watcher([follower])
    watcher.catch_up()
    assert (follower.loads, follower.heard) == (1, [])
    announce("ban", [2, 3, 2])
    announce("route", ["tasks/"])
    watcher.catch_up()
    watcher.catch_up()
    assert (follower.loads, follower.heard) == (1, [["2", "3"]])
    assert watcher.version == latest()


@pytest.mark.django_db
def test_nothing_new_costs_one_query(django_assert_num_queries) -> None:
    watcher = Watcher([Follower()])
    watcher.catch_up()
    with django_assert_num_queries(1):
        watcher.catch_up()


@pytest.mark.django_db(transaction=True)
def test_a_change_is_announced_within_the_transaction_that_makes_it() -> None:
    with pytest.raises(TransactionManagementError):
        announce("ban", [1])
    with transaction.atomic():
        announce("ban", [1])
        transaction.set_rollback(True)
    assert not Change.objects.exists()


@pytest.mark.django_db
def test_a_heartbeat_tells_since_when_a_change_is_in_force() -> None:
    watcher = Watcher([Follower()])
    watcher.catch_up()
    announce("ban", [1])
    number = latest()
    watcher.beat()
    assert in_force_since(Process.objects.get(), number) is None
    watcher.catch_up()
    watcher.beat()
    process = Process.objects.get()
    since = in_force_since(process, number)
    assert since is not None
    assert timezone.now() - since < timedelta(seconds=5)
    assert not is_lost(process)


@pytest.mark.django_db
def test_a_heartbeat_without_news_is_not_written_each_time(django_assert_num_queries) -> None:
    watcher = Watcher()
    watcher.catch_up()
    watcher.beat()
    with django_assert_num_queries(0):
        watcher.beat()


@pytest.mark.django_db
def test_who_was_cut_off_for_longer_than_changes_are_kept_loads_all_anew(time_machine) -> None:
    follower = Follower()
    watcher = Watcher([follower])
    watcher.catch_up()
    announce("ban", [1, 2])
    Change.objects.update(at=timezone.now())
    time_machine.move_to(timezone.now() + KEPT + timedelta(minutes=1))
    assert purge() == 1
    watcher.catch_up()
    assert follower.loads == 2
    assert watcher.version == latest()


@pytest.mark.django_db(transaction=True)
def test_a_process_serves_when_it_has_loaded() -> None:
    follower = Follower()
    watcher = Watcher([follower])
    watcher.start()
    try:
        assert (follower.loads, watcher.version) == (1, latest())
    finally:
        watcher.stop()
    assert not Process.objects.filter(pk=watcher.id).exists()
