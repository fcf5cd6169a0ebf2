"""/projects/, /projects/{id}/, /projects/{id}/related/"""

import pytest

from makerlog.accounts.models import Maker
from products.models import MAX_HOLDERS, Project
from tasks.actions import log_task
from tasks.models import Task
from tests.errors import assert_error, assert_invalid
from tests.makers import anonymous, caller, make_maker
from tests.products.products import make_product, make_project

pytestmark = pytest.mark.django_db


def test_a_project_is_made_once_per_name_whatever_its_case() -> None:
    alice = caller("alice")
    made = alice.post("/projects/", {"name": "#Makerlog", "private": True})
    assert (made.status_code, made.json()["name"], made.json()["private"]) == (201, "Makerlog", True)
    again = alice.post("/projects/", {"name": "makerlog"})
    assert (again.status_code, again.json()) == (200, made.json())
    assert again.json()["user"] == alice.maker.pk


def test_names_are_the_same_where_the_database_says_so() -> None:
    alice = caller("alice")
    for name in ("İstanbul", "İstanbul", "i̇stanbul"):
        assert alice.post("/projects/", {"name": name}).status_code in (200, 201)


def test_the_list_holds_ones_own_projects_in_order() -> None:
    alice = caller("alice")
    mine = [make_project(alice.maker, name, private=True).pk for name in ("one", "two", "three")]
    make_project(make_maker("bob"))
    assert [project["id"] for project in alice.get("/projects/").json()] == mine
    page = alice.get("/projects/?limit=2")
    assert [project["id"] for project in page.json()] == mine[:2]
    assert 'rel="next"' in page["Link"]
    assert_error(alice.get("/projects/?limit=0"), 400, "bad_limit")
    assert_error(alice.get("/projects/?offset=20"), 400, "use_next")


def test_the_list_needs_a_token_of_the_scope() -> None:
    assert_error(anonymous().get("/projects/"), 401, "not_authenticated")
    assert_error(caller("alice", scopes=["tasks:write"]).get("/projects/"), 403, "missing_scope")
    assert_error(caller("alice", scopes=["projects:read"]).post("/projects/", {"name": "x"}), 403, "missing_scope")


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_asks_as_often_however_long_it_is(count: int, django_assert_num_queries: object) -> None:
    alice = caller("alice")
    alice.get("/projects/")  # notes the token's use, once a minute
    for number in range(count):
        make_project(alice.maker, f"project{number}")
    with django_assert_num_queries(2):  # type: ignore[operator]
        assert len(alice.get("/projects/").json()) == count


@pytest.mark.parametrize("name", ["", "#", "x" * 51, None, "\x00"])
def test_a_bad_name_is_refused(name: str | None) -> None:
    assert_invalid(caller("alice").post("/projects/", {"name": name}), "name")


def test_public_projects_are_seen_by_all_and_changed_by_their_owner() -> None:
    alice, bob = caller("alice"), caller("bob")
    project = make_project(alice.maker)
    path = f"/projects/{project.pk}/"
    assert anonymous().get(path).json() == {
        "id": project.pk, "name": "makerlog", "private": False, "user": alice.maker.pk,
    }  # fmt: skip
    assert_error(bob.patch(path, {"name": "mine"}), 403, "not_yours")
    assert_error(bob.delete(path), 403, "not_yours")
    assert alice.patch(path, {"name": "renamed"}).json()["name"] == "renamed"
    assert alice.put(path, {"name": "again"}).json() == {**alice.get(path).json(), "name": "again"}


def test_private_projects_are_seen_by_their_owner_and_the_team_alone() -> None:
    alice, bob = caller("alice"), caller("bob")
    project = make_project(alice.maker, private=True)
    make_product(alice.maker, team=[bob.maker.pk], projects=[project.pk])
    path = f"/projects/{project.pk}/"
    assert (alice.get(path).status_code, bob.get(path).status_code) == (200, 200)
    assert_error(bob.patch(path, {"private": False}), 403, "not_yours")
    assert_error(anonymous().get(path), 404, "not_found")
    assert_error(caller("charlie").patch(path, {"private": False}), 404, "not_found")


def test_projects_of_a_private_maker_are_not_seen() -> None:
    project = make_project(make_maker("alice", private=True))
    assert_error(anonymous().get(f"/projects/{project.pk}/"), 404, "not_found")


def test_a_name_of_another_project_of_ones_own_is_refused() -> None:
    alice = caller("alice")
    make_project(alice.maker, "taken")
    project = make_project(alice.maker, "mine")
    assert_invalid(alice.patch(f"/projects/{project.pk}/", {"name": "Taken"}), "name")
    make_project(make_maker("bob"), "bobs")
    assert alice.patch(f"/projects/{project.pk}/", {"name": "bobs"}).status_code == 200


def test_a_project_that_becomes_private_takes_its_tasks_along_and_brings_them_back() -> None:
    alice = caller("alice")
    task, _ = log_task(author=alice.maker, content="write #secret")
    path = f"/projects/{Project.objects.get(name='secret').pk}/"
    assert alice.patch(path, {"private": True}).json()["private"] is True
    assert anonymous().get("/tasks/").json()["results"] == []
    assert_error(anonymous().get(f"/tasks/{task.pk}/"), 404, "not_found")
    assert anonymous().get("/tasks/?project=" + path.split("/")[2]).json()["results"] == []
    alice.patch(path, {"private": "0"})
    assert len(anonymous().get("/tasks/").json()["results"]) == 1


def test_a_form_that_leaves_private_out_leaves_it_as_it_is() -> None:
    alice = caller("alice")
    project = make_project(alice.maker, private=True)
    answer = alice.put(f"/projects/{project.pk}/", {"name": "form"}, format="multipart")
    assert answer.json()["private"] is True


def test_a_deleted_private_project_gives_its_tasks_back_to_the_lists() -> None:
    alice = caller("alice")
    secret = make_project(alice.maker, "secret", private=True)
    other = make_project(alice.maker, "other", private=True)
    freed, _ = log_task(author=alice.maker, content="only #secret")
    kept, _ = log_task(author=alice.maker, content="both #secret #other")
    assert alice.delete(f"/projects/{secret.pk}/").status_code == 204
    listed = {task["id"] for task in anonymous().get("/tasks/").json()["results"]}
    assert listed == {freed.pk}
    assert Task.objects.filter(pk=kept.pk, listed=False).exists()
    assert other.filings.count() == 1


def test_a_project_deleted_from_under_a_private_product_frees_its_tasks() -> None:
    alice = caller("alice")
    project = make_project(alice.maker, "inside")
    product = make_product(alice.maker, private=True, projects=[project.pk])
    task, _ = log_task(author=alice.maker, content="in #inside")
    assert not Task.objects.get(pk=task.pk).listed
    alice.delete(f"/projects/{project.pk}/")
    assert Task.objects.get(pk=task.pk).listed
    assert not product.filings.exists()


def test_related_names_the_owner_and_the_products_one_may_see() -> None:
    alice = caller("alice")
    project = make_project(alice.maker)
    public = make_product(alice.maker, "Public", projects=[project.pk])
    private = make_product(alice.maker, "Private", projects=[project.pk], private=True)
    answer = anonymous().get(f"/projects/{project.pk}/related/").json()
    assert (answer["user"]["username"], [each["id"] for each in answer["products"]]) == ("alice", [public.pk])
    mine = alice.get(f"/projects/{project.pk}/related/").json()
    assert [each["id"] for each in mine["products"]] == [public.pk, private.pk]


def test_a_project_stands_under_a_bounded_number_of_products() -> None:
    alice = caller("alice")
    project = make_project(alice.maker)
    for number in range(MAX_HOLDERS):
        make_product(alice.maker, f"Product {number}", projects=[project.pk])
    refused = alice.post("/products/", {"name": "One more", "projects": [project.pk]})
    assert str(project.pk) in assert_invalid(refused, "projects")["projects"][0]
    assert len(anonymous().get(f"/projects/{project.pk}/related/").json()["products"]) == MAX_HOLDERS


def test_related_of_a_private_project_is_not_found() -> None:
    project = make_project(make_maker("alice"), private=True)
    assert_error(anonymous().get(f"/projects/{project.pk}/related/"), 404, "not_found")
    assert Maker.objects.count() == 1
