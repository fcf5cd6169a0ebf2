"""/discussions/{slug}/replies/ and what hangs on it"""

from typing import Any

import pytest

from discussions.models import Discussion, Participant, Reply
from makerlog import content
from tests.discussions.talks import make_discussion, make_reply
from tests.errors import assert_error, assert_invalid
from tests.makers import anonymous, caller, make_maker, moderator

pytestmark = pytest.mark.django_db

REPLIES = "/discussions/bees/replies/"
PEOPLE = f"{REPLIES}people/"


def names(response: Any) -> list[str]:
    return [person["username"] for person in response.json()]


def reply_count() -> int:
    return anonymous().get("/discussions/bees/").json()["reply_count"]


# --- Works ---


def test_a_reply_is_posted_and_read_back_oldest_first() -> None:
    alice, bob = caller("alice"), caller("bob")
    make_discussion(alice.maker)
    first = bob.post(REPLIES, {"body": "Yes"})
    second = alice.post(REPLIES, {"body": "Why?", "parent_reply": first.json()["id"]}).json()
    assert first.status_code == 201
    assert set(second) == {
        "id", "parent", "parent_reply", "owner", "body", "praise", "created_at", "updated_at", "hidden",
    }  # fmt: skip
    assert (second["parent"], second["parent_reply"], second["owner"]["username"]) == (
        "bees",
        first.json()["id"],
        "alice",
    )
    assert anonymous().get(REPLIES).json() == [first.json(), second]
    assert anonymous().get(f"{REPLIES}{second['id']}/").json() == second
    assert reply_count() == 2


@pytest.mark.parametrize("nothing", [None, "", "null"])
def test_a_reply_may_answer_the_discussion_itself(nothing: str | None) -> None:
    alice = caller("alice")
    make_discussion(alice.maker)
    assert alice.post(REPLIES, {"body": "Yes", "parent_reply": nothing}).json()["parent_reply"] is None


def test_its_author_changes_and_deletes_a_reply_and_the_replies_to_it_stay() -> None:
    alice, bob = caller("alice"), caller("bob")
    discussion = make_discussion(alice.maker)
    reply = make_reply(discussion, bob.maker)
    child = make_reply(discussion, alice.maker, parent_reply=reply.pk)
    path = f"{REPLIES}{reply.pk}/"
    body = bob.patch(path, {"body": "No", "parent_reply": child.pk, "hidden": False}).json()
    assert (body["body"], body["parent_reply"]) == ("No", None)
    assert body["updated_at"] > body["created_at"]
    assert bob.delete(path).status_code == 204
    assert [row["parent_reply"] for row in anonymous().get(REPLIES).json()] == [None]
    assert reply_count() == 1
    assert_error(bob.delete(path), 404, "not_found")


def test_a_reply_is_seen_by_apps_that_tail_discussions() -> None:
    alice = make_maker("alice")
    discussion = make_discussion(alice)
    before = Discussion.objects.get().updated_at
    make_reply(discussion, alice)
    assert Discussion.objects.get().updated_at > before


# --- Somebody else's ---


def test_others_may_read_a_reply_and_nothing_else() -> None:
    alice, bob = caller("alice"), caller("bob")
    reply = make_reply(make_discussion(alice.maker), bob.maker)
    path = f"{REPLIES}{reply.pk}/"
    assert_error(alice.patch(path, {"body": "x"}), 403, "not_yours")
    assert_error(alice.delete(path), 403, "not_yours")
    assert_error(anonymous().post(REPLIES, {"body": "x"}), 401, "not_authenticated")


def test_a_locked_discussion_takes_no_replies() -> None:
    alice, mod = caller("alice"), moderator()
    discussion = make_discussion(alice.maker)
    reply = make_reply(discussion, alice.maker)
    mod.patch("/discussions/bees/", {"locked": True})
    assert_error(alice.post(REPLIES, {"body": "x"}), 403, "locked")
    assert alice.patch(f"{REPLIES}{reply.pk}/", {"body": "edited"}).status_code == 200
    mod.patch("/discussions/bees/", {"locked": False})
    assert alice.post(REPLIES, {"body": "x"}).status_code == 201


def test_a_hidden_reply_is_there_for_moderators_alone() -> None:
    alice, bob, mod = caller("alice"), caller("bob"), moderator()
    reply = make_reply(make_discussion(alice.maker), bob.maker)
    path = f"{REPLIES}{reply.pk}/"
    assert_error(bob.patch(path, {"hidden": True}), 403, "not_moderator")
    assert_error(bob.post(REPLIES, {"body": "x", "hidden": True}), 403, "not_moderator")
    assert mod.patch(path, {"hidden": True}).json()["hidden"] is True
    for reader in (anonymous(), alice, bob):
        assert reader.get(REPLIES).json() == reader.get(PEOPLE).json() == []
        assert_error(reader.get(path), 404, "not_found")
        assert_error(reader.get(f"{path}praise/"), 404, "not_found")
    assert len(mod.get(REPLIES).json()) == 1
    assert reply_count() == 0
    assert_invalid(alice.post(REPLIES, {"body": "x", "parent_reply": reply.pk}), "parent_reply")
    mod.patch(path, {"hidden": False})
    assert (reply_count(), names(anonymous().get(PEOPLE))) == (1, ["bob"])


def test_deleting_a_hidden_reply_is_not_counted_twice() -> None:
    alice, mod = caller("alice"), moderator()
    discussion = make_discussion(alice.maker)
    reply = make_reply(discussion, mod.maker)
    make_reply(discussion, alice.maker)
    mod.patch(f"{REPLIES}{reply.pk}/", {"hidden": True})
    mod.delete(f"{REPLIES}{reply.pk}/")
    assert reply_count() == 1


def test_replies_of_one_discussion_are_not_found_in_another() -> None:
    alice = caller("alice")
    make_discussion(alice.maker)
    foreign = make_reply(make_discussion(alice.maker, "Wasps"), alice.maker)
    assert_error(alice.get(f"{REPLIES}{foreign.pk}/"), 404, "not_found")
    assert_error(alice.put(f"{REPLIES}{foreign.pk}/praise/"), 404, "not_found")
    assert_invalid(alice.post(REPLIES, {"body": "x", "parent_reply": foreign.pk}), "parent_reply")


# --- Bad input, limits ---


@pytest.mark.parametrize(
    ("field", "value"),
    [("body", ""), ("body", None), ("body", "x" * 20_001), ("parent_reply", 10**9), ("parent_reply", "x"),
     ("parent_reply", 2**70), ("parent_reply", 0)],
)  # fmt: skip
def test_bad_fields_are_named(field: str, value: Any) -> None:
    alice = caller("alice")
    make_discussion(alice.maker)
    assert_invalid(alice.post(REPLIES, {"body": "x", field: value}), field)
    assert reply_count() == 0


def test_pages_are_bounded() -> None:
    alice = make_maker("alice")
    discussion = make_discussion(alice)
    made = [make_reply(discussion, alice).pk for _ in range(3)]
    page = anonymous().get(f"{REPLIES}?limit=2")
    assert [row["id"] for row in page.json()] == made[:2]
    assert 'rel="next"' in page["Link"]
    assert_error(anonymous().get(f"{REPLIES}?limit=0"), 400, "bad_limit")


def test_a_page_of_the_longest_replies_is_shorter_and_goes_on() -> None:
    alice = make_maker("alice", description="\x01" * 2000, status="🐝" * 140, first_name="🐝" * 150)
    discussion = make_discussion(alice)
    Reply.objects.bulk_create(Reply(discussion=discussion, author=alice, body="🐝" * 20_000) for _ in range(100))
    answer = anonymous().get(REPLIES)
    assert (answer.status_code, len(answer.json())) == (200, 2)  # of 92 KB each
    assert 'rel="next"' in answer["Link"]


def test_control_characters_are_left_out() -> None:
    alice = caller("alice")
    make_discussion(alice.maker)
    assert alice.post(REPLIES, {"body": "a\x01\x1f\n\tb"}).json()["body"] == "a\n\tb"


@pytest.mark.parametrize("count", [1, 3])
def test_replies_ask_as_often_however_many(count: int, django_assert_num_queries: Any) -> None:
    discussion = make_discussion(make_maker("alice"))
    for number in range(count):
        reply = make_reply(discussion, make_maker(f"maker{number}"))
        make_reply(discussion, reply.author, parent_reply=reply.pk)
    anonymous().get(REPLIES)
    with django_assert_num_queries(2):
        assert len(anonymous().get(REPLIES).json()) == 2 * count
    with django_assert_num_queries(2):
        assert len(anonymous().get(PEOPLE).json()) == count


# --- People ---


def test_people_are_those_who_replied_each_once() -> None:
    alice, bob = caller("alice"), caller("bob")
    discussion = make_discussion(alice.maker)
    replies = [make_reply(discussion, maker) for maker in (bob.maker, alice.maker, bob.maker)]
    assert names(anonymous().get(PEOPLE)) == ["bob", "alice"]
    assert names(anonymous().get(f"{PEOPLE}?exclude_owner=true")) == ["bob"]
    assert names(anonymous().get(f"{PEOPLE}?limit=1")) == ["bob"]
    assert_invalid(anonymous().get(f"{PEOPLE}?exclude_owner=perhaps"), "exclude_owner")
    bob.delete(f"{REPLIES}{replies[0].pk}/")
    assert names(anonymous().get(PEOPLE)) == ["bob", "alice"]
    bob.delete(f"{REPLIES}{replies[2].pk}/")
    assert names(anonymous().get(PEOPLE)) == ["alice"]


# --- Praise ---


def test_praise_toggles_and_is_set_and_withdrawn() -> None:
    alice, bob = caller("alice"), caller("bob")
    reply = make_reply(make_discussion(alice.maker), alice.maker)
    path = f"{REPLIES}{reply.pk}/praise/"
    assert anonymous().get(path).json() == {"total": 0, "praised": False, "praised_by": []}
    answer = bob.post(path).json()
    assert (answer["praised"], answer["total"], answer["user"]["username"]) == (True, 1, "bob")
    assert bob.post(path).json()["total"] == 0
    for _ in range(2):
        assert bob.put(path).json()["total"] == 1
    seen = bob.get(path).json()
    assert (seen["praised"], [person["username"] for person in seen["praised_by"]]) == (True, ["bob"])
    assert anonymous().get(REPLIES).json()[0]["praise"] == 1
    for _ in range(2):
        assert bob.delete(path).json()["total"] == 0
    assert_error(anonymous().post(path), 401, "not_authenticated")


# --- Erasure ---


def test_what_an_erased_maker_counted_for_is_taken_back() -> None:
    alice, bob = make_maker("alice"), caller("bob")
    discussion = make_discussion(alice)
    own = make_discussion(bob.maker, "Own")
    kept = make_reply(discussion, alice)
    gone = make_reply(discussion, bob.maker)
    child = make_reply(discussion, alice, parent_reply=gone.pk)
    make_reply(own, alice)
    bob.put(f"{REPLIES}{kept.pk}/praise/")
    caller("charlie").put(f"{REPLIES}{gone.pk}/praise/")
    content.erase(maker=bob.maker.pk)
    bob.maker.delete()
    assert reply_count() == 2
    assert set(Reply.objects.values_list("pk", "praise", "parent_reply")) == {(kept.pk, 0, None), (child.pk, 0, None)}
    assert list(Participant.objects.values_list("maker__username", flat=True)) == ["alice"]
