"""The streams of tasks."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from products.actions import change_product, create_product
from tasks import actions
from tasks.consumers import Followed, MakerTaskStream
from tasks.models import Task, TaskProduct, TaskProject
from tests.live.serving import Live, Reader
from tests.makers import anonymous, caller, just_logged_in
from tests.products.products import make_product
from tests.tasks.logs import log


def test_a_task_posted_reaches_the_explore_stream_as_the_api_shows_it(service: Live) -> None:
    alice = caller("alice")
    reader = service.follows("/explore/stream/")
    posted = alice.post("/tasks/", {"content": "Ship #makerlog", "done": True}).json()
    frame = reader.frame()
    assert frame == {"type": "task.created", "payload": anonymous().get(f"/tasks/{posted['id']}/").json()}


def test_without_the_slash_too(service: Live) -> None:
    reader = service.follows("/explore/stream")
    log(caller("alice").maker)
    assert reader.frame()["type"] == "task.created"


def test_changes_and_deletions_are_told(service: Live) -> None:
    task = log(caller("alice").maker)
    reader = service.follows("/explore/stream/")
    actions.change_task(task=task, content="Better")
    frame = reader.frame()
    assert (frame["type"], frame["payload"]["content"]) == ("task.updated", "Better")
    pk = task.pk
    actions.delete_task(task=task)
    assert reader.frame() == {"type": "task.deleted", "payload": {"id": pk}}


def test_what_is_rolled_back_is_not_told(service: Live) -> None:
    alice = caller("alice")
    reader = service.follows("/explore/stream/")
    assert alice.post("/tasks/", {"content": ""}).status_code == 400
    assert reader.hears_nothing()


@pytest.mark.parametrize("name", ["bob", "BOB", "{pk}"])
def test_a_makers_stream_has_their_tasks_alone(service: Live, name: str) -> None:
    alice, bob = caller("alice").maker, caller("bob").maker
    reader = service.follows(f"/users/{name.format(pk=bob.pk)}/stream/")
    log(alice, "By alice")
    log(bob, "By bob")
    assert reader.frame()["payload"]["content"] == "By bob"


def test_whoever_sees_it_open_misses_nothing(service: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it took to find out what they follow."""
    followed = MakerTaskStream.followed

    def slowly(stream: MakerTaskStream, reader: Any) -> Followed:
        time.sleep(0.3)
        return followed(stream, reader)

    monkeypatch.setattr(MakerTaskStream, "followed", slowly)
    bob = caller("bob").maker
    reader = service.follow("/users/bob/stream/")
    log(bob, "By bob")
    assert reader.frame()["payload"]["content"] == "By bob"


def test_a_stream_of_nobody_is_closed(service: Live) -> None:
    assert service.follow("/users/nobody/stream/").closed()[0] == 4404
    assert service.follow("/products/nothing/stream/").closed()[0] == 4404
    assert service.follow("/elsewhere/").closed() == (4404, "There is no such stream.")


def test_ones_own_stream_needs_a_token_and_has_the_private_tasks(service: Live) -> None:
    alice = caller("alice", private=True)
    own, explore, theirs = (
        service.follows("/stream/", alice.token),
        service.follows("/explore/stream/"),
        service.follows("/users/alice/stream/"),
    )
    log(alice.maker, "Secret #plan")
    frame = own.frame()
    assert (frame["type"], frame["payload"]["project_set"][0]["name"]) == ("task.created", "plan")
    assert explore.hears_nothing()
    assert theirs.hears_nothing()
    assert service.follow("/stream/").closed()[0] == 4401


def test_ones_own_name_is_ones_own_stream(service: Live) -> None:
    alice, bob = caller("alice", private=True), caller("bob")
    own, others = (
        service.follows("/users/alice/stream/", alice.token),
        service.follows("/users/alice/stream/", bob.token),
    )
    log(alice.maker, "Secret")
    assert own.frame()["payload"]["content"] == "Secret"
    assert others.hears_nothing()


def test_a_private_products_tasks_reach_its_team_alone(service: Live) -> None:
    alice, bob, charlie = caller("alice"), caller("bob"), caller("charlie")
    log(alice.maker, "#bees are here, #secret too")
    bees = alice.maker.projects.get(name="bees")
    product = make_product(alice.maker, "Hive", team=[bob.maker.pk], projects=[bees.pk], private=True)
    team, explore = service.follows("/products/hive/stream/", bob.token), service.follows("/explore/stream/")
    assert service.follow("/products/hive/stream/", charlie.token).closed()[0] == 4404
    assert service.follow("/products/hive/stream/").closed()[0] == 4404
    log(alice.maker, "Fed the #bees")
    assert team.frame()["payload"]["content"] == "Fed the #bees"
    assert explore.hears_nothing()
    change_product(product=product, maker=alice.maker, private=False)
    log(alice.maker, "Fed the #bees again")
    assert explore.frame()["payload"]["content"] == "Fed the #bees again"


def test_going_private_takes_the_tasks_from_the_public_streams(service: Live) -> None:
    alice = caller("alice")
    tasks = [log(alice.maker, f"Task {number}") for number in range(3)]
    explore, theirs = service.follows("/explore/stream/"), service.follows("/users/alice/stream/")
    own = service.follows("/stream/", alice.token)
    assert alice.patch("/me/", {"private": True}).status_code == 200
    for reader in (explore, theirs):
        frames = [reader.frame() for _ in tasks]
        assert [frame["payload"]["id"] for frame in frames] == [task.pk for task in reversed(tasks)]
        assert {frame["type"] for frame in frames} == {"task.deleted"}
    assert own.hears_nothing()


def test_a_task_edited_into_a_private_project_leaves(service: Live) -> None:
    alice = caller("alice")
    alice.post("/projects/", {"name": "secret", "private": True})
    task = log(alice.maker, "Open")
    explore, own = service.follows("/explore/stream/"), service.follows("/stream/", alice.token)
    actions.change_task(task=task, content="Now #secret")
    assert explore.frame() == {"type": "task.deleted", "payload": {"id": task.pk}}
    assert own.frame()["type"] == "task.updated"
    actions.change_task(task=task, content="Still #secret")
    assert explore.hears_nothing()


def test_what_is_hidden_is_told_to_nobody(service: Live) -> None:
    alice = caller("alice")
    task = log(alice.maker, "Spam")
    Task.objects.filter(pk=task.pk).update(hidden=True, listed=False)
    own, explore = service.follows("/stream/", alice.token), service.follows("/explore/stream/")
    actions.change_task(task=task, done=True)
    assert own.hears_nothing()
    assert explore.hears_nothing()


def test_an_account_that_goes_takes_its_tasks_along(service: Live) -> None:
    alice = just_logged_in("alice")
    task = log(alice.maker)
    explore = service.follows("/explore/stream/")
    assert alice.post("/accounts/delete_account/", {"validation": "alice"}).status_code == 200
    assert explore.frame() == {"type": "task.deleted", "payload": {"id": task.pk}}


# --- task.sync ---


def long_unchanged(*tasks: Task) -> None:
    """As if nothing had happened to them for two hours."""
    moment = timezone.now() - timedelta(hours=2)
    pks = [task.pk for task in tasks]
    Task.objects.filter(pk__in=pks).update(created_at=moment, updated_at=moment)
    for filings in (TaskProject, TaskProduct):
        filings.objects.filter(task__in=pks).update(created_at=moment)


def synced(reader: Reader, **said: Any) -> tuple[list[str], list[int], dict[str, Any]]:
    """What the frames of one task.sync hold, up to the last: contents, ids that are gone, and that frame."""
    contents, gone, frame = [], [], {"next": ""}
    while frame["next"] is not None:
        reader.say("task.sync", **said, cursor=frame["next"])
        frame = reader.frame()
        contents += [task["content"] for task in frame["payload"]]
        gone += frame["deleted"]
    return contents, gone, frame


STREAMS = ["/explore/stream/", "/users/alice/stream/", "/products/hive/stream/"]


@pytest.mark.parametrize("path", [*STREAMS, "/stream/"])
def test_sync_tells_what_changed_and_what_is_gone_while_the_app_slept(service: Live, path: str) -> None:
    alice = caller("alice")
    old, changed, deleted = (log(alice.maker, f"{word} #bees") for word in ("Old", "Changed", "Deleted"))
    create_product(author=alice.maker, name="Hive", projects=[alice.maker.projects.get().pk])
    long_unchanged(old, changed, deleted)
    slept = (timezone.now() - timedelta(hours=1)).isoformat()
    actions.change_task(task=changed, content="Better #bees")
    gone = deleted.pk
    actions.delete_task(task=deleted)
    reader = service.follows(path, alice.token if path == "/stream/" else "")
    contents, removed, frame = synced(reader, last_date=slept)
    assert (contents, removed) == (["Better #bees"], [gone])
    assert frame["sync_date"] > slept[:19]


def test_sync_from_the_sync_date_of_the_last_one_misses_nothing(service: Live) -> None:
    alice = caller("alice")
    reader = service.follows("/users/alice/stream/")
    _, _, frame = synced(reader)
    task = log(alice.maker, "Later")
    assert reader.frame()["type"] == "task.created"
    assert synced(reader, last_date=frame["sync_date"])[0] == ["Later"]
    long_unchanged(task)
    assert synced(reader, last_date=frame["sync_date"])[0] == []


def test_sync_tells_nobody_of_what_was_never_public(service: Live) -> None:
    alice = caller("alice", private=True)
    secret = log(alice.maker, "Secret")
    pk = secret.pk
    actions.delete_task(task=secret)
    for path in ("/explore/stream/", "/users/alice/stream/"):
        assert synced(service.follows(path))[1] == [], path
    assert synced(service.follows("/stream/", alice.token))[1] == [pk]


def test_sync_takes_back_what_became_private_or_was_hidden(service: Live) -> None:
    alice = caller("alice")
    tasks = [log(alice.maker, f"Task {number}") for number in range(2)]
    Task.objects.filter(pk=tasks[0].pk).change(hidden=True, listed=False)
    for path, token in [("/explore/stream/", ""), ("/users/alice/stream/", ""), ("/stream/", alice.token)]:
        assert synced(service.follows(path, token))[:2] == (["Task 1"], [tasks[0].pk]), path
    alice.patch("/me/", {"private": True})
    assert set(synced(service.follows("/explore/stream/"))[1]) == {task.pk for task in tasks}
    assert synced(service.follows("/stream/", alice.token))[:2] == (["Task 1"], [tasks[0].pk])


def test_sync_tells_all_that_is_gone_however_much(service: Live) -> None:
    alice = caller("alice")
    tasks = [log(alice.maker, f"Task {number}") for number in range(130)]
    gone = {task.pk for task in tasks}
    for task in tasks:
        actions.delete_task(task=task)
    for path, token in [("/explore/stream/", ""), ("/stream/", alice.token)]:
        contents, removed, _ = synced(service.follows(path, token))
        assert (contents, set(removed), len(removed)) == ([], gone, 130), path


@pytest.mark.parametrize("path", STREAMS[1:])
def test_sync_finds_the_one_change_in_a_long_log(service: Live, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("makerlog.api.keyset.WINDOW", 10)
    alice = caller("alice")
    tasks = [log(alice.maker, f"Task {number} #bees") for number in range(95)]
    create_product(author=alice.maker, name="Hive", projects=[alice.maker.projects.get().pk])
    long_unchanged(*tasks)
    actions.change_task(task=tasks[90], content="Better #bees")
    since = (timezone.now() - timedelta(hours=1)).isoformat()
    reader = service.follows(path)
    reader.say("task.sync", last_date=since)
    frame = reader.frame()
    assert (frame["payload"], frame["sync_date"]) == ([], None)  # some windows hold nothing
    contents = []
    while frame["next"]:
        reader.say("task.sync", cursor=frame["next"])  # which says since when, too
        frame = reader.frame()
        contents += [task["content"] for task in frame["payload"]]
    assert contents == ["Better #bees"]


def test_sync_answers_what_was_made_since_in_payload_and_batch(service: Live) -> None:
    alice = caller("alice")
    long_unchanged(log(alice.maker, "Before"))
    since = log(alice.maker, "From here").created_at.isoformat()
    log(alice.maker, "After")
    reader = service.follows("/users/alice/stream/")
    reader.say("task.sync", last_date=since)
    frame = reader.frame()
    assert [task["content"] for task in frame["payload"]] == ["From here", "After"]
    assert frame["batch"] == frame["payload"]
    assert frame["type"] == "task.sync"


def test_sync_shows_to_each_what_they_may_see(service: Live) -> None:
    alice, bob = caller("alice", private=True), caller("bob")
    log(alice.maker, "Secret")
    log(bob.maker, "Open")
    for path, token, seen in [
        ("/explore/stream/", "", ["Open"]),
        ("/explore/stream/", bob.token, ["Open"]),
        ("/users/alice/stream/", bob.token, []),
        ("/users/alice/stream/", alice.token, ["Secret"]),
        ("/stream/", alice.token, ["Secret"]),
    ]:
        reader = service.follows(path, token)
        reader.say("task.sync")
        assert [task["content"] for task in reader.frame()["payload"]] == seen, path


def test_sync_of_a_product_is_of_its_tasks(service: Live) -> None:
    alice, bob = caller("alice"), caller("bob")
    log(alice.maker, "Fed the #bees")
    log(alice.maker, "Fed the #ants")
    bees, ants = (alice.maker.projects.get(name=name) for name in ("bees", "ants"))
    create_product(author=alice.maker, name="Hive", projects=[bees.pk], team=[bob.maker.pk])
    create_product(author=alice.maker, name="Hill", projects=[ants.pk])
    reader = service.follows("/products/hive/stream/")
    reader.say("task.sync", last_date="2020-01-01T00:00:00Z")
    assert [task["content"] for task in reader.frame()["payload"]] == ["Fed the #bees"]


def test_sync_is_bounded(service: Live) -> None:
    alice = caller("alice").maker
    for number in range(60):
        log(alice, f"Task {number}")
    reader = service.follows("/explore/stream/")
    reader.say("task.sync")
    assert len(reader.frame()["payload"]) <= 50


@pytest.mark.parametrize("path", ["/explore/stream/", "/users/alice/stream/", "/products/hive/stream/"])
def test_sync_says_that_there_is_more_and_goes_on_until_there_is_none(service: Live, path: str) -> None:
    alice = caller("alice").maker
    logged = [log(alice, f"Task {number} #bees") for number in range(120)]
    Task.objects.update(
        created_at=logged[0].created_at, updated_at=logged[0].created_at
    )  # at one moment, as an import has them
    TaskProject.objects.update(created_at=logged[0].created_at)
    create_product(author=alice, name="Hive", projects=[alice.projects.get().pk])
    reader = service.follows(path)
    heard, more = [], ""
    while more is not None:
        reader.say("task.sync", last_date="2020-01-01T00:00:00Z", cursor=more)
        frame = reader.frame()
        heard += [task["id"] for task in frame["payload"]]
        more = frame["next"]
    assert heard == [task.pk for task in logged]


def test_sync_from_nowhere_is_an_error(service: Live) -> None:
    reader = service.follows("/explore/stream/")
    day = "2020-01-01T00:00:00Z"
    whole = f"{day} {day} 1 {day} 1 {day}"
    for cursor in (
        "x",
        day,
        f"{day} 1",
        whole.replace(" 1 ", " -1 "),
        whole.replace(" 1 ", " ٣ "),
        f"{whole} x" * 9,
        7,
    ):
        reader.say("task.sync", cursor=cursor)
        assert reader.frame()["payload"]["code"] == "bad_parameter"


@pytest.mark.parametrize(
    "said", ["", "nonsense", "[" * 3000, '"text"', "[1]", '{"type": 5}', '{"type":"task.sync","payload":7}']
)
def test_nonsense_is_answered_or_passed_over(service: Live, said: str) -> None:
    reader = service.follows("/explore/stream/")
    reader.socket.send(said)
    reader.say("task.sync")
    kinds = {reader.frame()["type"]}
    assert kinds <= {"error", "task.sync"}


def test_a_date_that_is_none_is_an_error(service: Live) -> None:
    reader = service.follows("/explore/stream/")
    reader.say("task.sync", last_date="yesterday")
    assert reader.frame()["payload"]["code"] == "bad_parameter"
