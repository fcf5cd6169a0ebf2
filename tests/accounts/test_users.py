"""GET /users/, GET PATCH /users/{username or id}/, following, GET /me/following/"""

from typing import Any

import pytest

from makerlog.accounts.actions import follow
from makerlog.accounts.models import Follow, Maker
from makerlog.accounts.serializers import FIELDS
from tests.errors import assert_error, assert_invalid
from tests.makers import anonymous, caller, make_maker

pytestmark = pytest.mark.django_db


def names(response: Any) -> list[str]:
    body = response.json()
    return [maker["username"] for maker in (body["results"] if isinstance(body, dict) else body)]


def test_makers_are_listed_newest_first() -> None:
    for name in ("alice", "bob", "charlie"):
        make_maker(name)
    response = anonymous().get("/users/")
    assert names(response) == ["charlie", "bob", "alice"]
    assert set(response.json()["results"][0]) == set(FIELDS)


def test_closed_accounts_are_not_there() -> None:
    make_maker("alice", is_active=False)
    make_maker("bob")
    assert names(anonymous().get("/users/")) == ["bob"]
    assert_error(anonymous().get("/users/alice/"), 404, "not_found")


def test_the_list_is_walked_page_by_page() -> None:
    for number in range(5):
        make_maker(f"m{number}")
    first = anonymous().get("/users/?limit=2").json()
    second = anonymous().get(first["next"]).json()
    third = anonymous().get(second["next"]).json()
    walked = [maker["username"] for page in (first, second, third) for maker in page["results"]]
    assert walked == ["m4", "m3", "m2", "m1", "m0"]
    assert third["next"] is None


@pytest.mark.parametrize("count", [1, 3])
def test_a_list_is_one_query(count: int, django_assert_num_queries: Any) -> None:
    for number in range(count):
        make_maker(f"m{number}")
    anonymous().get("/users/")
    with django_assert_num_queries(1):
        assert len(names(anonymous().get("/users/"))) == count


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "cursor=x", "offset=20", "page=2"])
def test_a_page_that_cannot_be_is_a_400(query: str) -> None:
    assert anonymous().get(f"/users/?{query}").status_code == 400


def test_a_maker_is_found_by_name_id_and_alias() -> None:
    alice = make_maker("Alice")
    for path in ("/users/Alice/", "/users/alice", f"/users/{alice.pk}/", "/users/username/ALICE/"):
        assert anonymous().get(path).json()["id"] == alice.pk


@pytest.mark.parametrize(
    "name", ["nobody", "0", "99999999999999999999999", "%00", "a%00b", "%F0%9F%92%A9", "x" * 300, "٣"]
)
def test_who_is_not_there_is_a_404(name: str) -> None:
    assert_error(anonymous().get(f"/users/{name}/"), 404, "not_found")


def test_no_address_and_no_password_is_ever_shown() -> None:
    make_maker("alice", password="secret-hash")
    text = anonymous().get("/users/").content.decode() + anonymous().get("/users/alice/").content.decode()
    assert "secret-hash" not in text
    assert "alice@" not in text


def test_one_changes_oneself_under_ones_name() -> None:
    alice = caller()
    for path in ("/users/alice/", f"/users/{alice.maker.pk}/"):
        assert alice.patch(path, {"status": path}).json()["status"] == path
    assert_invalid(alice.patch("/users/alice/", {"status": "x" * 141}), "status")


def test_nobody_changes_somebody_else() -> None:
    make_maker("bob", status="mine")
    assert_error(caller().patch("/users/bob/", {"status": "yours"}), 403, "not_yours")
    assert_error(anonymous().patch("/users/bob/", {"status": "yours"}), 401, "not_authenticated")
    assert Maker.objects.get(username="bob").status == "mine"


# --- Following ---


def followers() -> int:
    return Maker.objects.get(username="bob").follower_count


def test_post_toggles() -> None:
    make_maker("bob")
    alice = caller()
    assert alice.post("/users/bob/follow/").json() == {"is_following": True}
    assert (followers(), alice.get("/users/bob/is_following/").json()) == (1, {"is_following": True})
    assert alice.post("/users/bob/follow/").json() == {"is_following": False}
    assert (followers(), alice.get("/users/bob/is_following/").json()) == (0, {"is_following": False})


@pytest.mark.parametrize(
    ("on", "off"),
    [
        (("put", "/users/bob/follow/"), ("delete", "/users/bob/follow/")),
        (("get", "/users/bob/follow/"), ("get", "/users/bob/unfollow/")),
    ],
)
def test_what_says_what_it_means_may_be_repeated(on: tuple[str, str], off: tuple[str, str]) -> None:
    make_maker("bob")
    alice = caller()
    for (method, path), following in ((on, True), (on, True), (off, False), (off, False)):
        response = getattr(alice, method)(path)
        assert response.status_code == 200
        assert response.json() == {"is_following": following}
        assert followers() == following


@pytest.mark.parametrize("path", ["/users/bob/follow/", "/users/bob/unfollow/"])
def test_gets_that_write_need_a_token_that_may_write_and_are_kept_by_no_cache(path: str) -> None:
    make_maker("bob")
    assert_error(anonymous().get(path), 401, "not_authenticated")
    assert_error(caller(scopes=["user:read"]).get(path), 403, "missing_scope")
    assert Follow.objects.count() == 0
    response = caller("charlie").get(path)
    assert response["Cache-Control"] == "no-store"
    assert "ETag" not in response


def test_looking_before_fetching_follows_nobody() -> None:
    make_maker("bob")
    assert caller().head("/users/bob/follow/").status_code == 405
    assert Follow.objects.count() == 0


@pytest.mark.parametrize(
    ("method", "path"), [("post", "follow"), ("put", "follow"), ("get", "follow"), ("get", "unfollow")]
)
def test_nobody_follows_themselves(method: str, path: str) -> None:
    assert getattr(caller(), method)(f"/users/alice/{path}/").json() == {"is_following": False}
    assert Maker.objects.get().follower_count == 0


@pytest.mark.parametrize("path", ["follow", "is_following", "unfollow"])
def test_whoever_is_not_there_is_not_followed(path: str) -> None:
    make_maker("bob", is_active=False)
    assert_error(caller().get(f"/users/bob/{path}/"), 404, "not_found")
    assert_error(caller().get(f"/users/nobody/{path}/"), 404, "not_found")


def test_without_a_token_one_follows_nobody() -> None:
    make_maker("bob")
    assert anonymous().get("/users/bob/is_following/").json() == {"is_following": False}
    assert_error(anonymous().post("/users/bob/follow/"), 401, "not_authenticated")


def test_following_is_a_bare_list_of_makers_newest_first() -> None:
    alice = caller()
    for name in ("bob", "charlie", "dora"):
        follow(follower=alice.maker, followed=make_maker(name))
    follow(follower=make_maker("erik"), followed=alice.maker)
    Maker.objects.filter(username="dora").update(is_active=False)
    response = alice.get("/me/following/")
    assert names(response) == ["charlie", "bob"]
    assert set(response.json()[0]) == set(FIELDS)
    first = alice.get("/me/following/?limit=1")
    assert names(first) == ["charlie"]
    assert names(alice.get(first["Link"].split(">")[0][1:])) == ["bob"]


@pytest.mark.parametrize("count", [1, 3])
def test_following_is_three_queries(count: int, django_assert_num_queries: Any) -> None:
    alice = caller()
    for number in range(count):
        follow(follower=alice.maker, followed=make_maker(f"m{number}"))
    alice.get("/me/following/")
    with django_assert_num_queries(3):  # the token; where the window ends; the page
        assert len(names(alice.get("/me/following/"))) == count
