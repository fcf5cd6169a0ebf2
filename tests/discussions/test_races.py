"""Two requests at once, each in a transaction of its own: counters are right, and what is locked stays locked."""

import pytest
from django.db import transaction

from discussions import actions
from discussions.models import Discussion, Participant, Reply, ReplyPraise
from discussions.visibility import relist
from tests.discussions.talks import make_discussion, make_reply
from tests.makers import make_maker
from tests.products.test_races import in_thread, wait_until_somebody_waits

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_replies_at_once_are_both_counted() -> None:
    alice, bob = make_maker("alice"), make_maker("bob")
    discussion = make_discussion(alice)
    with transaction.atomic():
        make_reply(discussion, alice)
        other = in_thread(make_reply, discussion=discussion, author=bob)
        wait_until_somebody_waits()
    other.join(5)
    assert (Discussion.objects.get().reply_count, Participant.objects.count()) == (2, 2)


def test_a_reply_deleted_twice_at_once_is_counted_once() -> None:
    alice = make_maker("alice")
    discussion = make_discussion(alice)
    make_reply(discussion, alice)
    reply = make_reply(discussion, alice)
    with transaction.atomic():
        actions.delete_reply(reply=reply)
        other = in_thread(actions.delete_reply, reply=reply)
        wait_until_somebody_waits()
    other.join(5)
    assert (Discussion.objects.get().reply_count, Participant.objects.count()) == (1, 1)


def test_a_discussion_opened_by_one_who_becomes_private_is_not_listed() -> None:
    alice = make_maker("alice")
    with transaction.atomic():
        type(alice).objects.filter(pk=alice.pk).update(private=True)
        relist([alice.pk], [])
        other = in_thread(make_discussion, author=alice)
        wait_until_somebody_waits()
    other.join(5)
    assert not Discussion.objects.get().listed


def test_a_discussion_is_deleted_with_the_reply_that_comes_at_that_moment() -> None:
    alice, bob = make_maker("alice"), make_maker("bob")
    discussion = make_discussion(alice)
    with transaction.atomic():
        make_reply(discussion, bob)
        other = in_thread(actions.delete_discussion, discussion=discussion)
        wait_until_somebody_waits()
    other.join(5)
    assert (Discussion.objects.count(), Reply.objects.count()) == (0, 0)


def test_a_reply_is_deleted_with_the_praise_that_comes_at_that_moment() -> None:
    alice = make_maker("alice")
    reply = make_reply(make_discussion(alice), alice)
    with transaction.atomic():
        actions.praise(reply=reply, maker=alice)
        other = in_thread(actions.delete_reply, reply=reply)
        wait_until_somebody_waits()
    other.join(5)
    assert (Reply.objects.count(), ReplyPraise.objects.count()) == (0, 0)
