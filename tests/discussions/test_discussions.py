"""/discussions/, /discussions/{slug}/ and its lists in other orders"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from discussions.models import Discussion
from discussions.trending import MAX_TRENDING, score
from makerlog import content
from makerlog.accounts.models import Maker
from tests.discussions.talks import make_discussion, make_reply
from tests.errors import assert_error, assert_invalid
from tests.makers import anonymous, caller, make_maker, moderator

pytestmark = pytest.mark.django_db

LISTS = [
    "/discussions/",
    "/discussions/recent_discussions/",
    "/discussions/recent_questions/",
    "/discussions/trending/",
]
WIRE = {
    "id", "slug", "type", "owner", "title", "body", "pinned", "created_at", "updated_at", "reply_count", "og_image",
    "gold", "hidden", "locked",
}  # fmt: skip


def ids(response: Any) -> list[int]:
    body = response.json()
    return [row["id"] for row in (body if isinstance(body, list) else body["results"])]


# --- Works ---


def test_a_discussion_is_opened_and_read_back() -> None:
    alice = caller("alice")
    made = alice.post("/discussions/", {"type": "QUESTION", "title": "Why bees?", "body": "Tell\n me", "gold": True})
    body = made.json()
    assert (made.status_code, set(body)) == (201, WIRE)
    assert (body["slug"], body["type"], body["title"], body["body"]) == (
        "why-bees",
        "QUESTION",
        "Why bees?",
        "Tell\n me",
    )
    assert (body["owner"]["username"], body["reply_count"], body["og_image"]) == ("alice", 0, None)
    assert not any(body[name] for name in ("pinned", "gold", "hidden", "locked"))
    assert anonymous().get("/discussions/why-bees/").json() == body
    assert anonymous().get("/discussions/").json() == {"next": None, "previous": None, "results": [body]}


def test_its_author_changes_and_deletes_it() -> None:
    alice = caller("alice")
    make_discussion(alice.maker)
    body = alice.patch("/discussions/bees/", {"title": "Wasps", "type": "LINK"}).json()
    assert (body["title"], body["type"], body["slug"]) == ("Wasps", "LINK", "bees")
    assert alice.put("/discussions/bees/", {**body, "body": "new"}).json()["body"] == "new"
    assert alice.delete("/discussions/bees/").status_code == 204
    assert_error(anonymous().get("/discussions/bees/"), 404, "not_found")


def test_slugs_are_unique_and_never_numbers_or_route_words() -> None:
    alice = caller("alice")
    titles = ["Bees", "bees!", "2048", "Trending", "東京"]
    slugs = [alice.post("/discussions/", {"title": title}).json()["slug"] for title in titles]
    assert slugs == ["bees", "bees-2", "discussion-2048", "trending-2", "discussion"]


def test_filters_search_and_order() -> None:
    alice, bob = make_maker("alice"), make_maker("bob")
    one = make_discussion(alice, "One", type="QUESTION", body="About bees")
    two = make_discussion(bob, "Two")

    def found(query: str) -> list[int]:
        return ids(anonymous().get(f"/discussions/?{query}"))

    assert found("") == [two.pk, one.pk]
    assert found("ordering=created_at") == [one.pk, two.pk]
    assert found("type=QUESTION") == [one.pk]
    assert found("owner=alice") == found(f"owner={alice.pk}") == found("user=ALICE") == [one.pk]
    assert found("search=BEES") == found("search=one&type=QUESTION") == [one.pk]
    assert found("search=bees&owner=bob") == []
    assert_invalid(anonymous().get("/discussions/?type=SONG"), "type")


def test_what_changed_since_is_told_oldest_change_first() -> None:
    alice = make_maker("alice")
    one, two = make_discussion(alice, "One"), make_discussion(alice, "Two")
    Discussion.objects.filter(pk=one.pk).update(updated_at=datetime(2026, 1, 2, tzinfo=UTC))
    Discussion.objects.filter(pk=two.pk).update(updated_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert ids(anonymous().get("/discussions/?updated_since=2025-12-31")) == [two.pk, one.pk]
    assert ids(anonymous().get("/discussions/?updated_since=2026-01-02")) == [one.pk]


def test_recent_questions_are_questions() -> None:
    alice = make_maker("alice")
    talk, question = make_discussion(alice, "Talk"), make_discussion(alice, "Why", type="QUESTION")
    assert ids(anonymous().get("/discussions/recent_discussions/")) == [question.pk, talk.pk]
    assert ids(anonymous().get("/discussions/recent_questions/")) == [question.pk]


def test_trending_ranks_by_replies_and_age() -> None:
    alice = make_maker("alice")
    old, talked, new = (make_discussion(alice, title) for title in ("Old", "Talked", "New"))
    for _ in range(3):
        make_reply(talked, alice)
    Discussion.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=3), reply_count=3)
    assert ids(anonymous().get("/discussions/trending/")) == [talked.pk, new.pk, old.pk]


def test_the_score_rises_with_replies_and_falls_with_age() -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert score(5, now, now) > score(4, now, now) > score(4, now - timedelta(hours=1), now) > 0
    assert score(0, now + timedelta(days=1), now) == score(0, now, now)


# --- Somebody else's ---


def test_others_may_read_a_discussion_and_nothing_else() -> None:
    make_discussion(make_maker("alice"))
    bob = caller("bob")
    for values in ({"title": "x"}, {"pinned": True}, {}):
        assert_error(bob.patch("/discussions/bees/", values), 403, "not_yours")
    assert_error(bob.delete("/discussions/bees/"), 403, "not_yours")
    assert_error(anonymous().post("/discussions/", {"title": "x"}), 401, "not_authenticated")
    assert_error(
        caller("charlie", scopes=["discussions:read"]).post("/discussions/", {"title": "x"}), 403, "missing_scope"
    )


@pytest.mark.parametrize("name", ["pinned", "locked", "hidden"])
def test_moderators_alone_pin_lock_and_hide(name: str) -> None:
    alice, mod = caller("alice"), moderator()
    make_discussion(alice.maker)
    assert_error(alice.patch("/discussions/bees/", {name: True}), 403, "not_moderator")
    assert_error(alice.post("/discussions/", {"title": "x", name: True}), 403, "not_moderator")
    assert alice.patch("/discussions/bees/", {name: False, "title": "y"}).json()["title"] == "y"
    for _ in range(2):
        assert mod.patch("/discussions/bees/", {name: True}).json()[name] is True
    assert_error(mod.patch("/discussions/bees/", {"title": "mine"}), 403, "not_yours")
    assert_error(mod.delete("/discussions/bees/"), 403, "not_yours")
    assert mod.patch("/discussions/bees/", {name: False}).json()[name] is False


def test_a_moderator_needs_a_token_that_may_write() -> None:
    make_discussion(make_maker("alice"))
    reader = caller("mod", scopes=["discussions:read"], is_moderator=True)
    assert_error(reader.patch("/discussions/bees/", {"pinned": True}), 403, "missing_scope")


def test_a_hidden_discussion_is_there_for_moderators_alone() -> None:
    alice, mod = caller("alice"), moderator()
    discussion = make_discussion(alice.maker, type="QUESTION")
    mod.patch("/discussions/bees/", {"hidden": True})
    for path in LISTS:
        assert ids(anonymous().get(path)) == ids(alice.get(path)) == ids(mod.get(path)) == []
    assert_error(anonymous().get("/discussions/bees/"), 404, "not_found")
    assert_error(alice.get("/discussions/bees/"), 404, "not_found")
    assert mod.get("/discussions/bees/").json()["hidden"] is True
    mod.patch("/discussions/bees/", {"hidden": "0"})
    assert ids(anonymous().get("/discussions/")) == [discussion.pk]


def test_a_private_makers_discussions_are_there_for_themselves() -> None:
    alice = caller("alice", private=True)
    discussion = make_discussion(alice.maker, type="QUESTION")
    for path in LISTS:
        assert ids(anonymous().get(path)) == ids(caller("bob").get(path)) == []
    for part in ("", "replies/", "replies/people/"):
        assert_error(anonymous().get(f"/discussions/bees/{part}"), 404, "not_found")
    assert ids(alice.get("/discussions/")) == ids(alice.get("/discussions/?type=QUESTION")) == [discussion.pk]
    assert alice.get("/discussions/bees/").status_code == 200


def test_a_maker_who_becomes_private_takes_their_discussions_along_and_brings_them_back() -> None:
    alice = make_maker("alice")
    discussion = make_discussion(alice)
    for private, listed in ((True, []), (False, [discussion.pk])):
        Maker.objects.filter(pk=alice.pk).update(private=private)
        content.relist(makers=[alice.pk])
        assert ids(anonymous().get("/discussions/")) == listed


def test_hiding_a_private_makers_discussion_and_showing_it_again_does_not_list_it() -> None:
    make_discussion(make_maker("alice", private=True))
    mod = moderator()
    Discussion.objects.update(hidden=True)
    mod.patch("/discussions/bees/", {"hidden": False})
    assert ids(anonymous().get("/discussions/")) == []


# --- Bad input ---


@pytest.mark.parametrize(
    ("field", "value"),
    [("title", ""), ("title", None), ("title", "x" * 201), ("body", "x" * 20_001), ("type", "SONG"), ("body", "\x00"),
     ("title", ["x"]), ("pinned", "perhaps")],
)  # fmt: skip
def test_bad_fields_are_named(field: str, value: Any) -> None:
    assert_invalid(caller("alice").post("/discussions/", {"title": "x", field: value}), field)


def test_a_slug_that_cannot_be_is_not_found() -> None:
    for slug in ("no", "%00", "a.b", "x" * 500):
        assert_error(anonymous().get(f"/discussions/{slug}/"), 404, "not_found")


# --- Limits ---


def test_pages_are_bounded_and_followed() -> None:
    alice = make_maker("alice")
    made = [make_discussion(alice, f"Talk {number}").pk for number in range(3)]
    page = anonymous().get("/discussions/?limit=2").json()
    rest = anonymous().get(page["next"].split("8000")[1]).json()
    assert [row["id"] for row in page["results"] + rest["results"]] == made[::-1]
    bare = anonymous().get("/discussions/recent_discussions/?limit=2")
    assert (ids(bare), 'rel="next"' in bare["Link"]) == (made[:0:-1], True)
    for path in LISTS[:3]:
        assert_error(anonymous().get(path + "?limit=0"), 400, "bad_limit")


def test_trending_is_bounded(django_assert_num_queries: Any) -> None:
    alice = make_maker("alice")
    for number in range(MAX_TRENDING + 2):
        make_discussion(alice, f"Talk {number}")
    anonymous().get("/discussions/trending/")
    with django_assert_num_queries(2):
        assert len(ids(anonymous().get("/discussions/trending/"))) == MAX_TRENDING


def test_a_page_of_the_longest_discussions_is_shorter_and_goes_on() -> None:
    alice = make_maker("alice", description="\x01" * 2000)
    Discussion.objects.bulk_create(
        Discussion(author=alice, title="🐝" * 200, body="🐝" * 20_000, slug=f"talk-{number}") for number in range(60)
    )
    page = anonymous().get("/discussions/?limit=100").json()
    rest = anonymous().get(page["next"].split("8000")[1]).json()
    assert len(page["results"]) + len(rest["results"]) == len({row["id"] for row in page["results"] + rest["results"]})
    for path in LISTS[1:]:
        assert anonymous().get(path).status_code == 200


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(("path", "queries"), [*zip(LISTS, [1, 1, 1, 2], strict=True)])
def test_lists_ask_as_often_however_long(path: str, queries: int, count: int, django_assert_num_queries: Any) -> None:
    for number in range(count):
        make_discussion(make_maker(f"maker{number}"), f"Talk {number}", type="QUESTION")
    anonymous().get(path)
    with django_assert_num_queries(queries):
        assert len(ids(anonymous().get(path))) == count


def test_a_free_slug_tells_nothing_of_what_a_private_maker_discusses() -> None:
    alice, bob = caller("alice", private=True), caller("bob")
    assert alice.post("/discussions/", {"title": "Going bust"}).json()["slug"].startswith("going-bust-")
    assert bob.post("/discussions/", {"title": "Going bust"}).json()["slug"] == "going-bust"
