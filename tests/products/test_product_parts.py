"""What hangs on a product, and lists of products by other orders."""

from datetime import UTC, datetime
from typing import Any

import pytest

from makerlog import content
from makerlog.accounts.models import Maker
from products.actions import change_product
from products.models import Membership, Product
from products.tags import MAX_RELATED
from tasks.actions import log_task
from tasks.models import Task
from tests.errors import assert_error, assert_invalid
from tests.makers import anonymous, caller, make_maker
from tests.products.products import make_product, make_project

pytestmark = pytest.mark.django_db

PARTS = ["people", "projects", "related_products"]


def ids(response: Any) -> list[int]:
    body = response.json()
    return [row["id"] for row in (body if isinstance(body, list) else body["results"])]


# --- leave ---


def test_who_leaves_takes_their_projects_along() -> None:
    alice, bob = caller("alice"), caller("bob")
    make_product(alice.maker, team=[bob.maker.pk])
    project = make_project(bob.maker, "bobs", private=True)
    bob.patch("/products/honey/", {"projects": [project.pk]})
    task, _ = log_task(author=bob.maker, content="secret #bobs")
    assert alice.get(f"/tasks/{task.pk}/").status_code == 200
    assert bob.post("/products/honey/leave/").json() == {"success": True}
    assert alice.get("/products/honey/").json()["team"] == []
    assert_error(alice.get(f"/tasks/{task.pk}/"), 404, "not_found")
    assert_error(alice.get(f"/projects/{project.pk}/"), 404, "not_found")
    assert_error(bob.patch("/products/honey/", {"name": "x"}), 403, "not_yours")


def test_who_is_taken_off_the_team_takes_their_projects_along() -> None:
    alice, bob = caller("alice"), make_maker("bob")
    product = make_product(alice.maker, team=[bob.pk])
    project = make_project(bob, "bobs", private=True)
    change_product(product=product, maker=bob, projects=[project.pk])
    body = alice.patch("/products/honey/", {"team": []}).json()
    assert (body["team"], body["projects"]) == ([], [])


def test_the_owner_cannot_leave_and_a_stranger_is_not_on_the_team() -> None:
    alice = caller("alice")
    make_product(alice.maker)
    assert_invalid(alice.post("/products/honey/leave/"), "non_field_errors")
    assert_error(caller("bob").post("/products/honey/leave/"), 403, "not_yours")
    assert_error(anonymous().post("/products/honey/leave/"), 401, "not_authenticated")


# --- people, projects, related ---


def test_people_are_the_owner_and_the_team() -> None:
    alice, bob = make_maker("alice"), make_maker("bob")
    make_product(alice, team=[bob.pk])
    people = anonymous().get("/products/honey/people/").json()
    assert [person["username"] for person in people] == ["alice", "bob"]
    assert "email" not in people[0]


def test_projects_of_a_product() -> None:
    alice = make_maker("alice")
    project = make_project(alice)
    make_product(alice, projects=[project.pk])
    assert anonymous().get("/products/honey/projects/").json() == [
        {"id": project.pk, "name": "makerlog", "private": False, "user": alice.pk}
    ]


def test_related_products_share_a_tag_and_are_listed() -> None:
    alice = caller("alice")
    make_product(alice.maker, "One", tags=["web", "bees"])
    two = make_product(alice.maker, "Two", tags=["bees"])
    make_product(alice.maker, "Three", tags=["other"])
    make_product(alice.maker, "Secret", tags=["bees"], private=True)
    make_product(alice.maker, "Bare")
    assert ids(anonymous().get("/products/one/related_products/")) == [two.pk]
    assert ids(alice.get("/products/one/related_products/")) == [two.pk]
    assert ids(anonymous().get("/products/bare/related_products/")) == []


def test_related_products_are_bounded(django_assert_num_queries: Any) -> None:
    alice = make_maker("alice")
    for number in range(MAX_RELATED + 2):
        make_product(alice, f"Product {number}", tags=["web"])
    with django_assert_num_queries(2):
        assert len(ids(anonymous().get("/products/product-0/related_products/"))) == MAX_RELATED


@pytest.mark.parametrize("part", PARTS)
def test_parts_of_a_private_product_are_not_found(part: str) -> None:
    make_product(make_maker("alice"), private=True, tags=["web"])
    assert_error(anonymous().get(f"/products/honey/{part}/"), 404, "not_found")
    assert_error(caller("bob").get(f"/products/honey/{part}/"), 404, "not_found")
    assert caller("alice").get(f"/products/honey/{part}/").status_code == 200


@pytest.mark.parametrize("count", [1, 3])
def test_people_ask_as_often_however_many(count: int, django_assert_num_queries: Any) -> None:
    team = [make_maker(f"maker{number}").pk for number in range(count)]
    make_product(make_maker("alice"), team=team)
    anonymous().get("/products/honey/people/")
    with django_assert_num_queries(2):
        assert len(anonymous().get("/products/honey/people/").json()) == count + 1


# --- launches ---


@pytest.mark.parametrize("path", ["/launches/", "/products/recently_launched/"])
def test_launches_stand_newest_launch_first(path: str) -> None:
    alice = caller("alice")
    first, second = (make_product(alice.maker, name, launched=True) for name in ("First", "Second"))
    make_product(alice.maker, "Not yet")
    make_product(alice.maker, "Secret", launched=True, private=True)
    Product.objects.filter(pk=first.pk).update(launched_at=datetime(2030, 1, 1, tzinfo=UTC))
    assert ids(anonymous().get(path)) == ids(alice.get(path)) == [first.pk, second.pk]
    assert ids(anonymous().get(path + "?limit=1")) == [first.pk]
    assert_error(anonymous().get(path + "?limit=x"), 400, "bad_limit")


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("path", ["/launches/", "/products/recently_launched/"])
def test_launches_ask_as_often_however_many(path: str, count: int, django_assert_num_queries: Any) -> None:
    alice = make_maker("alice")
    for number in range(count):
        make_product(alice, f"Product {number}", launched=True)
    with django_assert_num_queries(1):
        assert len(ids(anonymous().get(path))) == count


# --- a maker's products ---


def test_a_makers_products_are_those_of_their_teams() -> None:
    alice, bob = caller("alice"), caller("bob")
    own = make_product(bob.maker, "Own")
    shared = make_product(alice.maker, "Shared", team=[bob.maker.pk])
    secret = make_product(alice.maker, "Secret", team=[bob.maker.pk], private=True)
    assert ids(anonymous().get("/users/bob/products/")) == [shared.pk, own.pk]
    assert ids(alice.get(f"/users/{bob.maker.pk}/products/")) == [shared.pk, own.pk]
    assert ids(bob.get("/users/BOB/products/")) == [secret.pk, shared.pk, own.pk]
    assert ids(bob.get("/products/me/")) == [secret.pk, shared.pk, own.pk]
    assert ids(bob.get("/products/me/?limit=1")) == [secret.pk]
    assert_error(anonymous().get("/products/me/"), 401, "not_authenticated")
    assert_error(anonymous().get("/users/nobody/products/"), 404, "not_found")
    make_maker("gone", is_active=False)
    assert_error(anonymous().get("/users/gone/products/"), 404, "not_found")


def test_a_hidden_product_is_in_no_list() -> None:
    alice = caller("alice")
    product = make_product(alice.maker)
    Product.objects.filter(pk=product.pk).update(hidden=True, listed=False)
    Membership.objects.update(listed=False)
    for path in ("/products/", "/products/me/", "/users/alice/products/"):
        assert ids(alice.get(path)) == []
    assert_error(alice.get("/products/honey/"), 404, "not_found")
    assert caller("mod", is_moderator=True).get("/products/honey/").status_code == 200


@pytest.mark.parametrize("count", [1, 3])
def test_a_makers_products_ask_as_often_however_many(count: int, django_assert_num_queries: Any) -> None:
    alice = make_maker("alice")
    for number in range(count):
        make_product(alice, f"Product {number}")
    with django_assert_num_queries(2):
        assert len(ids(anonymous().get("/users/alice/products/"))) == count


def test_a_maker_who_becomes_private_takes_their_products_along() -> None:
    alice = make_maker("alice")
    make_product(alice)
    Maker.objects.filter(pk=alice.pk).update(private=True)
    content.relist(makers=[alice.pk])
    for path in ("/products/", "/users/alice/products/"):
        assert ids(anonymous().get(path)) == []


# --- tags ---


def test_common_tags_are_those_used_most() -> None:
    alice = make_maker("alice")
    for name, tags in {"One": ["web", "bees"], "Two": ["web"], "Three": ["ants"]}.items():
        make_product(alice, name, tags=tags)
    make_product(alice, "Secret", tags=["secret"], private=True)
    assert anonymous().get("/products/common_tags/").json() == ["web", "ants", "bees"]
    assert anonymous().get("/products/suggest_tags/?q=EE").json() == ["bees"]
    assert anonymous().get("/products/common_tags/?q=secret").json() == []
    assert_invalid(anonymous().get("/products/suggest_tags/?q=" + "x" * 41), "q")
    assert_invalid(anonymous().get("/products/suggest_tags/?q=%00"), "q")


# --- erasure ---


def test_an_owner_who_is_erased_frees_the_tasks_of_their_team() -> None:
    alice, bob = make_maker("alice"), make_maker("bob")
    product = make_product(alice, private=True, team=[bob.pk])
    project = make_project(bob, "bobs")
    change_product(product=product, maker=bob, projects=[project.pk])
    task, _ = log_task(author=bob, content="on #bobs")
    assert not Task.objects.get(pk=task.pk).listed
    content.erase(maker=alice.pk)
    alice.delete()
    assert Task.objects.get(pk=task.pk).listed
