"""Which posts a clean-up is about: by token, maker, address, time, and all of these together."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from discussions.models import Discussion, Reply
from makerlog.accounts.actions import delete_account
from makerlog.accounts.models import AccessToken
from makerlog.content import ADDRESSES_KEPT
from makerlog.gate.bans import network_of
from moderation import actions, cleanups
from moderation.cleanups import Posts, hit, token_named, work
from moderation.models import AuditEntry, Cleanup
from moderation.purges import purge_addresses
from moderation.revocation import NothingChosen
from moderation.roles import NotAllowed
from products.models import Product
from tasks.models import Task, TaskComment
from tests.jobs.queue import run_jobs
from tests.makers import Caller, caller, make_maker

pytestmark = pytest.mark.django_db

KINDS = (Task, TaskComment, Discussion, Reply, Product)


def post_all(client: Caller, address: str = "93.184.216.34") -> None:
    """One of each kind."""
    client.defaults["REMOTE_ADDR"] = address
    task = client.post("/tasks/", {"content": "Buy", "done": True}).json()
    client.post(f"/tasks/{task['id']}/comments/", {"content": "Buy"})
    talk = client.post("/discussions/", {"title": "Buy", "body": ""}).json()
    client.post(f"/discussions/{talk['slug']}/replies/", {"body": "Buy"})
    client.post("/products/", {"name": "Buy"})
    client.post("/tasks/batch/", [{"content": "Buy"}])


def counts(**values: Any) -> dict[str, int]:
    return {each.kind: each.count for each in hit(Posts(**{"until": timezone.now(), **values})).found}


ALL = {"tasks": 2, "comments": 1, "discussions": 1, "replies": 1, "products": 1}


def test_every_kind_knows_with_which_token_and_from_where_it_was_posted() -> None:
    client = caller("alice")
    post_all(client)
    for kind in KINDS:
        for row in kind._base_manager.all():
            assert (row.posted_with, row.posted_from) == (client.maker.tokens.get().pk, "93.184.216.34")


def test_posts_are_chosen_by_token_maker_address_time_and_all_of_it_together() -> None:
    with time_machine.travel(datetime(2026, 5, 1, tzinfo=UTC), tick=False):
        alice = caller("alice")
        post_all(alice, "93.184.216.34")
    with time_machine.travel(datetime(2026, 5, 2, tzinfo=UTC), tick=False):
        other = caller("alice")
        post_all(other, "93.184.216.77")
        post_all(caller("bob"), "2600:1f00::7")
        first, second = AccessToken.objects.filter(maker=alice.maker).order_by("pk").values_list("pk", flat=True)
        day = datetime(2026, 5, 2, tzinfo=UTC)
        twice = {kind: 2 * count for kind, count in ALL.items()}
        assert counts(token=first) == ALL
        assert counts(maker=alice.maker.pk) == twice
        assert counts(network=network_of("93.184.216.0/24")) == twice
        assert counts(network=network_of("93.184.216.77")) == ALL
        assert counts(network=network_of("2600:1f00::1")) == ALL  # of the same /64
        assert counts(since=day) == twice
        assert counts(since=day, maker=alice.maker.pk, token=second, network=network_of("93.184.216.0/24")) == ALL
        assert counts(since=day, token=first) == {}
        assert counts(maker=alice.maker.pk, until=day - timedelta(hours=1)) == ALL


def test_nothing_is_chosen_by_nothing() -> None:
    with pytest.raises(NothingChosen):
        hit(Posts(until=timezone.now()))
    with pytest.raises(NothingChosen):
        token_named("mkl_aaaaaaaaaaa")


def test_a_count_that_would_cost_is_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    client = caller("alice")
    for _ in range(3):
        post_all(client)
    monkeypatch.setattr(cleanups, "COUNTED", 4)
    found = hit(Posts(maker=client.maker.pk, until=timezone.now()))
    assert [(each.kind, each.count, each.more) for each in found.found][:2] == [
        ("tasks", 4, True),
        ("comments", 3, False),
    ]
    assert (found.more, [(maker.username, posts) for maker, posts in found.most]) == (True, [("alice", 16)])


def test_a_job_hides_it_all_and_another_shows_it_again() -> None:
    client = caller("spammer")
    post_all(client)
    cleanup = actions.hide_posts(posts=Posts(maker=client.maker.pk, until=timezone.now()), reason="spam")
    post_all(client)  # after the act: whoever goes on is stopped by another
    run_jobs()
    cleanup.refresh_from_db()
    assert (cleanup.state, cleanup.hidden, cleanup.expected) == ("hidden", ALL, 6)
    assert counts(maker=client.maker.pk) == ALL
    actions.unhide_posts(cleanup=cleanup.pk, reason="no spam")
    run_jobs()
    cleanup.refresh_from_db()
    assert (cleanup.state, cleanup.shown) == ("shown", ALL)
    entries = AuditEntry.objects.filter(subject=f"cleanup:{cleanup.pk}").order_by("pk")
    assert [(entry.act, entry.reason) for entry in entries] == [("hide_posts", "spam"), ("unhide_posts", "no spam")]
    assert entries[0].details["maker"] == client.maker.pk


def test_no_address_stands_in_the_audit_log() -> None:
    post_all(caller("alice"))
    actions.hide_posts(posts=Posts(network=network_of("93.184.216.34"), until=timezone.now()))
    assert "93.184" not in str(AuditEntry.objects.values_list("details", "subject"))


def test_it_is_undone_within_thirty_days_and_once() -> None:
    client = caller("spammer")
    post_all(client)
    cleanup = actions.hide_posts(posts=Posts(maker=client.maker.pk, until=timezone.now()))
    with time_machine.travel(timezone.now() + timedelta(days=31)), pytest.raises(actions.TooLate):
        actions.unhide_posts(cleanup=cleanup.pk)
    actions.unhide_posts(cleanup=cleanup.pk)
    with pytest.raises(actions.TooLate):
        actions.unhide_posts(cleanup=cleanup.pk)


def test_a_helper_hides_nothing() -> None:
    helper = make_maker("helper", is_staff=True)
    with pytest.raises(NotAllowed):
        actions.hide_posts(posts=Posts(maker=helper.pk, until=timezone.now()), actor=helper)


def test_addresses_are_forgotten_after_thirty_days_hidden_or_not() -> None:
    client = caller("alice")
    post_all(client)
    cleanup = actions.hide_posts(posts=Posts(network=network_of("93.184.216.34"), until=timezone.now()))
    list(work(cleanup.pk))
    post_all(client)
    assert purge_addresses() == 0
    with time_machine.travel(timezone.now() + ADDRESSES_KEPT + timedelta(minutes=1)):
        assert purge_addresses() == 12
    assert {row.posted_from for kind in KINDS for row in kind._base_manager.all()} == {None}
    assert Cleanup.objects.get().network == ""


def test_an_erasure_reaches_what_a_spammer_posted() -> None:
    client = caller("spammer")
    post_all(client)
    cleanup = actions.hide_posts(posts=Posts(maker=client.maker.pk, until=timezone.now()))
    list(work(cleanup.pk))
    delete_account(maker=client.maker)
    actions.unhide_posts(cleanup=cleanup.pk)
    list(work(cleanup.pk))
    assert not any(kind._base_manager.exists() for kind in KINDS)
