"""What a clean-up hides is in no list, count, day or streak, for its author neither; a moderator sees it, one by one."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from discussions.models import Discussion, Participant, Reply
from makerlog.accounts.models import Maker
from moderation import actions
from moderation.cleanups import Posts, work
from products.models import Membership, Product
from tasks.actions import praise
from tasks.models import DayCount, Task, TaskComment
from tests.discussions.talks import make_discussion, make_reply
from tests.lists.catalogue import BOUNDED, HOST, LISTS, Listing
from tests.lists.reading import alice, linked, readers_of, rows_of
from tests.makers import Caller, caller, make_maker, moderator
from tests.tasks.logs import log

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
POSTS = (Task, TaskComment, Product, Membership, Discussion, Reply, Participant)
LISTED = (Task, Product, Discussion)
OF_POSTS = [each for each in LISTS + BOUNDED if each.model in POSTS or each in BOUNDED]


def clean_up(*makers: Maker) -> list[int]:
    """Hides all they posted: the clean-ups' ids."""
    made = [actions.hide_posts(posts=Posts(maker=maker.pk, until=timezone.now())).pk for maker in makers]
    for pk in made:
        list(work(pk))
    return made


def undo(cleanups: list[int]) -> None:
    for pk in cleanups:
        actions.unhide_posts(cleanup=pk)
        list(work(pk))


def seen(client: Caller, listing: Listing) -> Any:
    """What a list shows; nothing where what it hangs on is not there."""
    response = client.get(listing.url)
    assert response.status_code in (200, 404), response.content
    if response.status_code == 404:
        return []
    return (
        response.json()["products"] if "related/" in listing.url and "projects/" in listing.url else rows_of(response)
    )


@pytest.mark.parametrize("listing", OF_POSTS, ids=str)
def test_what_is_hidden_is_in_no_list(listing: Listing) -> None:
    """What hangs on it is not there. A moderator is listed as little, and is shown what hangs on it."""
    readers = readers_of(listing)
    listing.add(alice(), 5, MINUTE)
    assert all(seen(client, listing) for client in readers.values()), "nothing there that could leak"
    clean_up(*Maker.objects.all())
    assert {who: seen(client, listing) for who, client in readers.items()} == {who: [] for who in readers}
    if listing.model in LISTED and not listing.own:
        assert seen(caller("moderator", is_moderator=True), listing) == []


def test_comments_and_replies_count_no_more_and_their_authors_take_no_part() -> None:
    alice, spammer, bob = caller("alice"), caller("spammer"), make_maker("bob")
    task, discussion = log(alice.maker), make_discussion(alice.maker)
    for maker in (bob, spammer.maker):
        make_reply(discussion, maker)
    spammer.post(f"/tasks/{task.pk}/comments/", {"content": "Buy"})
    spammer.post(f"/discussions/{discussion.slug}/replies/", {"body": "Buy", "parent_reply": None})
    made = clean_up(spammer.maker)
    for client in (alice, spammer):
        assert client.get(f"/tasks/{task.pk}/").json()["comment_count"] == 0
        assert client.get(f"/tasks/{task.pk}/comments/").json() == []
        assert client.get(f"/discussions/{discussion.slug}/").json()["reply_count"] == 1
        people = client.get(f"/discussions/{discussion.slug}/replies/people/").json()
        assert [maker["username"] for maker in people] == ["bob"]
    undo(made)
    assert alice.get(f"/tasks/{task.pk}/").json()["comment_count"] == 1
    assert alice.get(f"/discussions/{discussion.slug}/").json()["reply_count"] == 3
    people = alice.get(f"/discussions/{discussion.slug}/replies/people/").json()
    assert [maker["username"] for maker in people] == ["bob", "spammer"]


def test_days_and_streak_go_with_the_tasks_and_come_back_whatever_the_time_zone_is_by_then() -> None:
    spammer = caller("spammer", timezone="Asia/Tokyo")
    log(spammer.maker, done_at=timezone.now())
    log(spammer.maker, done_at=timezone.now() - timedelta(days=1))
    before = list(DayCount.objects.order_by("day").values_list("day", "done"))
    made = clean_up(spammer.maker)
    assert spammer.get("/me/").json()["streak"] == 0
    assert set(DayCount.objects.values_list("done", flat=True)) == {0}
    spammer.patch("/me/", {"timezone": "America/Los_Angeles"})
    undo(made)
    assert list(DayCount.objects.order_by("day").values_list("day", "done")) == before
    assert spammer.get("/me/").json()["streak"] == 2


def test_its_author_finds_it_no_more_and_a_moderator_does() -> None:
    spammer, moderator = caller("spammer"), caller("moderator", is_moderator=True)
    task = log(spammer.maker)
    clean_up(spammer.maker)
    for method in ("get", "patch", "delete"):
        assert getattr(spammer, method)(f"/tasks/{task.pk}/").status_code == 404
    assert moderator.get(f"/tasks/{task.pk}/").status_code == 200
    assert moderator.get("/tasks/").json()["results"] == []


def test_who_syncs_is_told_that_a_task_was_hidden_and_then_that_it_is_there_again() -> None:
    spammer = caller("spammer")
    task = log(spammer.maker)
    made = clean_up(spammer.maker)
    answer = spammer.get("/tasks/sync/").json()
    assert ([each["id"] for each in answer["data"]], answer["deleted"]) == ([], [task.pk])
    undo(made)
    answer = spammer.get("/tasks/sync/").json()
    assert ([each["id"] for each in answer["data"]], answer["deleted"]) == ([task.pk], [])


def test_what_a_moderator_decides_on_one_of_them_holds_after_the_undo() -> None:
    """And nobody else's hidden posts are shown by it."""
    spammer = make_maker("spammer")
    mod = moderator()
    hidden_before, hidden_after, shown, left = (make_discussion(spammer, title) for title in "abcd")
    mod.patch(f"/discussions/{hidden_before.slug}/", {"hidden": True})
    made = clean_up(spammer)
    mod.patch(f"/discussions/{hidden_after.slug}/", {"hidden": True})
    mod.patch(f"/discussions/{shown.slug}/", {"hidden": False})
    assert list(Discussion.objects.filter(hidden=False)) == [shown]
    undo(made)
    assert set(Discussion.objects.filter(hidden=False, listed=True)) == {shown, left}
    assert not Discussion.objects.exclude(cleanup=None).exists()


def test_praise_that_a_spammer_gave_stays() -> None:
    task, spammer = log(make_maker()), make_maker("spammer")
    praise(task=task, maker=spammer)
    clean_up(spammer)
    task.refresh_from_db()
    assert task.praise == 1


def test_a_page_of_hidden_tasks_leads_on_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """A walk by cursor that meets a clean-up ends, and shows what is left once."""
    spammer, alice = make_maker("spammer"), caller("alice")
    for number in range(6):
        log(spammer if number % 2 else alice.maker, str(number))
    first = alice.get("/tasks/?limit=2")
    clean_up(spammer)
    rest = alice.get(linked(first, "next")).json()
    assert [task["content"] for task in rest["results"]] == ["2", "0"]
    assert HOST not in [task["id"] for task in rest["results"]]
