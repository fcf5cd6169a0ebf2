"""The streams of replies."""

from discussions import actions
from discussions.models import Discussion, Reply
from makerlog.accounts.actions import update_profile
from tests.discussions.talks import make_discussion, make_reply
from tests.live.serving import Live
from tests.makers import anonymous, caller


def test_a_reply_reaches_its_discussion_and_the_stream_of_all(service: Live) -> None:
    alice, bob = caller("alice"), caller("bob")
    talk = make_discussion(alice.maker)
    readers = [service.follows(f"/discussions/{talk.slug}/"), service.follows("/discussions/")]
    bob.post(f"/discussions/{talk.slug}/replies/", {"body": "Yes"})
    shown = anonymous().get(f"/discussions/{talk.slug}/replies/").json()
    for reader in readers:
        assert reader.frame() == {"type": "reply.created", "payload": shown[0]}


def test_changes_and_deletions_are_told(service: Live) -> None:
    alice = caller("alice").maker
    talk = make_discussion(alice)
    reply = make_reply(talk, alice)
    reader = service.follows(f"/discussions/{talk.slug}")
    actions.change_reply(reply=reply, body="No")
    frame = reader.frame()
    assert (frame["type"], frame["payload"]["body"]) == ("reply.updated", "No")
    actions.delete_reply(reply=reply)
    assert reader.frame() == {"type": "reply.deleted", "payload": {"id": reply.pk}}


def test_a_hidden_reply_is_gone_and_back_when_shown(service: Live) -> None:
    alice = caller("alice").maker
    talk = make_discussion(alice)
    reply = make_reply(talk, alice)
    reader = service.follows("/discussions/")
    actions.change_reply(reply=reply, hidden=True)
    assert reader.frame() == {"type": "reply.deleted", "payload": {"id": reply.pk}}
    actions.change_reply(reply=Reply.objects.select_related("discussion").get(pk=reply.pk), body="Spam")
    assert reader.hears_nothing()
    actions.change_reply(reply=Reply.objects.select_related("discussion").get(pk=reply.pk), hidden=False)
    assert reader.frame()["type"] == "reply.created"


def test_a_private_discussion_is_its_authors_alone(service: Live) -> None:
    alice, bob = caller("alice"), caller("bob")
    talk = make_discussion(alice.maker)
    path = f"/discussions/{talk.slug}/"
    own, others, explore = service.follows(path, alice.token), service.follows(path), service.follows("/discussions/")
    update_profile(maker=alice.maker, private=True)
    make_reply(talk, bob.maker, "Seen by alice")
    assert own.frame()["payload"]["body"] == "Seen by alice"
    assert others.hears_nothing()
    assert explore.hears_nothing()
    assert service.follow(path).closed()[0] == 4404


def test_a_discussion_that_is_hidden_or_deleted_closes_its_sockets_and_says_nothing(service: Live) -> None:
    alice = caller("alice")
    hidden, deleted, other = (make_discussion(alice.maker) for _ in range(3))
    follow = [
        service.follows(f"/discussions/{talk.slug}/", token)
        for talk in (hidden, deleted)
        for token in (alice.token, None)
    ]
    stays, explore = service.follows(f"/discussions/{other.slug}/"), service.follows("/discussions/")
    actions.change_discussion(discussion=hidden, hidden=True)
    actions.delete_discussion(discussion=deleted)
    assert [reader.closed() for reader in follow] == [(4404, "There is no such stream.")] * 4
    make_reply(Discussion.objects.get(pk=hidden.pk), alice.maker)
    assert stays.hears_nothing()
    assert explore.hears_nothing()
