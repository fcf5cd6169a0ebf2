"""Where more changed than is told one by one, whoever follows is told to read again, and what."""

from typing import Any

import pytest
from django.utils import timezone

from discussions.actions import change_discussion, delete_discussion
from moderation import actions as moderation
from moderation.cleanups import Posts, work
from products.actions import change_product, change_project, create_product, delete_product
from products.models import Project
from tests.discussions.talks import make_discussion, make_reply
from tests.live.serving import Live, Reader
from tests.makers import caller, just_logged_in
from tests.tasks.logs import log

MANY = 101


def resync(*paths: str) -> dict[str, Any]:
    return {"type": "resync", "payload": {"read": list(paths)}}


def until_resync(reader: Reader) -> tuple[list[str], dict[str, Any]]:
    """The types of the frames before it, and it."""
    kinds = []
    while (frame := reader.frame())["type"] != "resync":
        kinds.append(frame["type"])
    return kinds, frame


def project_of(maker: Any, tasks: int, name: str = "bees") -> Project:
    for number in range(tasks):
        log(maker, f"Task {number} #{name}")
    return maker.projects.get(name=name)


def test_a_project_with_many_tasks_made_private_and_public_again_says_to_read_again(service: Live) -> None:
    alice = caller("alice").maker
    project = project_of(alice, MANY + 1)
    create_product(author=alice, name="Hive", projects=[project.pk])
    streams = {
        "/explore/stream/": "/tasks/",
        "/users/alice/stream/": "/tasks/?user=alice",
        "/products/hive/stream/": "/tasks/?product=hive",
    }
    readers = {path: service.follows(path) for path in streams}
    for private, deleted in ((True, 100), (False, 0)):
        change_project(project=project, private=private)
        for path, reader in readers.items():
            assert until_resync(reader) == (["task.deleted"] * deleted, resync(streams[path]))


def test_few_tasks_that_go_are_told_one_by_one_and_nothing_more(service: Live) -> None:
    alice = caller("alice").maker
    project = project_of(alice, 3)
    explore = service.follows("/explore/stream/")
    change_project(project=project, private=True)
    assert [explore.frame()["type"] for _ in range(3)] == ["task.deleted"] * 3
    with pytest.raises(TimeoutError):
        explore.socket.recv(1.5)


def test_a_project_with_another_name_is_read_again_and_a_private_one_by_its_author_alone(service: Live) -> None:
    alice = caller("alice")
    public, private = project_of(alice.maker, 1), project_of(alice.maker, 1, "ants")
    change_project(project=private, private=True)
    explore, own = service.follows("/explore/stream/"), service.follows("/stream/", alice.token)
    change_project(project=private, name="wasps")
    assert own.frame() == resync(f"/tasks/?user={alice.maker.pk}")
    assert explore.hears_nothing()
    change_project(project=public, name="hornets")
    assert explore.frame() == resync("/tasks/")


def test_projects_that_come_to_a_product_and_leave_it_are_read_again(service: Live) -> None:
    alice = caller("alice")
    project = project_of(alice.maker, 1)
    product = create_product(author=alice.maker, name="Hive")
    public, team = service.follows("/products/hive/stream/"), service.follows("/products/hive/stream/", alice.token)
    for projects in ([project.pk], []):
        change_product(product=product, maker=alice.maker, projects=projects)
        assert [reader.frame() for reader in (public, team)] == [resync("/tasks/?product=hive")] * 2


def test_a_product_that_is_renamed_hidden_or_deleted_is_read_again(service: Live) -> None:
    alice = caller("alice").maker
    project = project_of(alice, 1)
    product = create_product(author=alice, name="Hive", projects=[project.pk])
    reader = service.follows("/products/hive/stream/")
    change_product(product=product, maker=alice, name="Beehive")
    assert reader.frame() == resync("/tasks/?product=hive")
    delete_product(product=product, maker=alice)
    assert reader.frame() == resync("/tasks/?product=hive")


def test_what_moderation_hides_and_shows_again_is_read_again(service: Live) -> None:
    spammer, alice = caller("spammer"), caller("alice").maker
    discussion = make_discussion(alice)
    log(spammer.maker)
    make_reply(discussion, spammer.maker)
    create_product(author=spammer.maker, name="Hive")
    cleanup = moderation.hide_posts(posts=Posts(maker=spammer.maker.pk, until=timezone.now()))
    list(work(cleanup.pk))
    readers = {
        path: (service.follows(path, token), says)
        for path, token, says in (
            ("/explore/stream/", "", "/tasks/"),
            ("/stream/", spammer.token, f"/tasks/?user={spammer.maker.pk}"),
            ("/users/spammer/stream/", "", "/tasks/?user=spammer"),
            (f"/discussions/{discussion.slug}/", "", f"/discussions/{discussion.slug}/replies/"),
            ("/discussions/", "", "/discussions/"),
        )
    }
    moderation.unhide_posts(cleanup=cleanup.pk)
    list(work(cleanup.pk))
    for reader, says in readers.values():
        assert reader.frame() == resync(says)


def test_all_that_moderation_hides_after_the_first_is_said_to_the_stream_of_all(
    service: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moderation.cleanups.BATCH", 2)
    spammer = caller("spammer").maker
    for _ in range(5):
        log(spammer)
    explore = service.follows("/explore/stream/")
    cleanup = moderation.hide_posts(posts=Posts(maker=spammer.pk, until=timezone.now()))
    list(work(cleanup.pk))
    assert until_resync(explore) == (["task.deleted"] * 2, resync("/tasks/"))


def test_a_discussion_that_is_deleted_or_hidden_takes_its_replies_off_the_stream_of_all(service: Live) -> None:
    alice = caller("alice").maker
    talks = [make_discussion(alice, title) for title in ("Bees", "Ants")]
    replies = [make_reply(talk, alice).pk for talk in talks]
    reader = service.follows("/discussions/")
    change_discussion(discussion=talks[0], hidden=True)
    delete_discussion(discussion=talks[1])
    assert [reader.frame() for _ in replies] == [{"type": "reply.deleted", "payload": {"id": pk}} for pk in replies]
    change_discussion(discussion=talks[0], hidden=False)
    assert reader.frame() == resync("/discussions/")


def test_a_maker_who_goes_private_takes_their_discussions_off_the_public_streams_alone(service: Live) -> None:
    alice = caller("alice")
    talk = make_discussion(alice.maker)
    reply = make_reply(talk, alice.maker)
    everybody, one = service.follows("/discussions/"), service.follows(f"/discussions/{talk.slug}/")
    own = service.follows(f"/discussions/{talk.slug}/", alice.token)
    assert alice.patch("/me/", {"private": True}).status_code == 200
    assert [reader.frame() for reader in (everybody, one)] == [
        {"type": "reply.deleted", "payload": {"id": reply.pk}}
    ] * 2
    assert own.hears_nothing()


def test_an_account_that_goes_has_the_discussions_it_replied_in_read_again(service: Live) -> None:
    alice, bob = just_logged_in("alice"), caller("bob").maker
    talk = make_discussion(bob)
    make_reply(talk, alice.maker)
    readers = [service.follows("/discussions/"), service.follows(f"/discussions/{talk.slug}/")]
    assert alice.post("/accounts/delete_account/", {"validation": "alice"}).status_code == 200
    assert [reader.frame() for reader in readers] == [
        resync("/discussions/"),
        resync(f"/discussions/{talk.slug}/replies/"),
    ]


def test_however_often_it_is_said_whoever_follows_reads_every_few_seconds_at_most(service: Live) -> None:
    alice = caller("alice").maker
    project = project_of(alice, 1)
    explore = service.follows("/explore/stream/")
    for number in range(20):
        change_project(project=project, name=f"bees{number}")
    assert explore.frame() == resync("/tasks/")
    change_project(project=project, name="ants")
    with pytest.raises(TimeoutError):
        explore.socket.recv(1.5)
    assert explore.frame() == resync("/tasks/")
