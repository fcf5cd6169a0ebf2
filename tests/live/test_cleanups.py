"""What a clean-up hides is told as deleted to whoever has it on the screen."""

from django.utils import timezone

from moderation import actions
from moderation.cleanups import Posts, work
from tests.discussions.talks import make_discussion, make_reply
from tests.live.serving import Live
from tests.makers import caller
from tests.tasks.logs import log


def test_hidden_tasks_and_replies_are_told_as_deleted_and_comments_to_nobody(service: Live) -> None:
    spammer, alice = caller("spammer"), caller("alice").maker
    discussion = make_discussion(alice)
    task, reply, private = log(spammer.maker), make_reply(discussion, spammer.maker), log(spammer.maker, "Mine")
    readers = [
        service.follows("/explore/stream/"),
        service.follows("/users/spammer/stream/"),
        service.follows("/stream/", spammer.token),
    ]
    talk = service.follows(f"/discussions/{discussion.slug}/")
    cleanup = actions.hide_posts(posts=Posts(maker=spammer.maker.pk, until=timezone.now()))
    list(work(cleanup.pk))
    for reader in readers:
        frames = [reader.frame(), reader.frame()]
        assert {frame["type"] for frame in frames} == {"task.deleted"}
        assert {frame["payload"]["id"] for frame in frames} == {task.pk, private.pk}
    assert talk.frame() == {"type": "reply.deleted", "payload": {"id": reply.pk}}


def test_a_discussion_that_goes_takes_its_replies_off_the_screen(service: Live) -> None:
    spammer, alice = caller("spammer").maker, caller("alice").maker
    discussion = make_discussion(spammer)
    reply = make_reply(discussion, alice)
    readers = [service.follows("/discussions/"), service.follows(f"/discussions/{discussion.slug}/")]
    cleanup = actions.hide_posts(posts=Posts(maker=spammer.pk, until=timezone.now()))
    list(work(cleanup.pk))
    for reader in readers:
        assert reader.frame() == {"type": "reply.deleted", "payload": {"id": reply.pk}}
