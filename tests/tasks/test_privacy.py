"""What is private is listed to its author and its team alone, whichever way it became so, and comes back the same way."""

from collections.abc import Iterator
from typing import Any

import pytest

from products.models import Product, Project
from tasks.models import Task, TaskProduct, TaskProject
from tasks.visibility import listable
from tests.errors import assert_error
from tests.makers import Caller, anonymous, caller
from tests.products.products import make_product
from tests.tasks.logs import contents, log

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Caller:
    return caller("alice")


@pytest.fixture
def bob() -> Caller:
    return caller("bob")


@pytest.fixture
def product(alice: Caller, bob: Caller) -> Product:
    """Alice's product, with Bob on the team and one project of each."""
    for client in (alice, bob):
        client.maker.projects.create(name="site")
    make_product(alice.maker, "Site", team=[bob.maker.pk], projects=[site(alice).pk])
    assert bob.patch("/products/site/", {"projects": [site(alice).pk, site(bob).pk]}).status_code == 200
    return Product.objects.get()


@pytest.fixture(autouse=True)
def _consistent() -> Iterator[None]:
    """Whatever a test did: what is kept is what the facts say, and a filing says what its task says."""
    yield
    assert list(Task.objects.filter(listable(), listed=False)) == []
    assert list(Task.objects.filter(~listable(), listed=True)) == []
    for filing in (TaskProject, TaskProduct):
        filings = filing.objects.select_related("task")
        assert [f for f in filings if (f.listed, f.created_at) != (f.task.listed, f.task.created_at)] == []
    under = {(t.pk, p.pk) for t in Task.objects.all() for p in Product.objects.filter(projects__filings__task=t)}
    assert set(TaskProduct.objects.values_list("task", "product")) == under


def site(client: Caller) -> Project:
    return client.maker.projects.get(name="site")


def sets(client: Caller, path: str, **values: Any) -> None:
    response = client.patch(path, values)
    assert response.status_code == 200, response.content


def everywhere(client: Caller, task: Task, product: Product | None = None) -> list[bool]:
    """Whether the task is in each list that could hold it, and found by its id, for this reader."""
    author = task.author.username
    paths = ["/tasks/?", f"/tasks/?user={author}&", f"/users/{author}/recent_tasks/?", "/tasks/?done=false&"]
    paths += [f"/tasks/?project={project.pk}&" for project in task.projects.all()]
    paths += [f"/tasks/?product={product.slug}&", f"/tasks/?product={product.pk}&search=a&"] if product else []
    seen = [task.content in contents(client.get(f"{path}limit=100")) for path in paths]
    return [*seen, client.get(f"/tasks/{task.pk}/").status_code == 200]


def test_a_maker_who_goes_private_takes_their_tasks_along_and_back(alice: Caller, bob: Caller) -> None:
    task = log(alice.maker, "a #site")
    sets(alice, "/me/", private=True)
    assert {*everywhere(anonymous(), task), *everywhere(bob, task)} == {False}
    assert everywhere(alice, task) == [True, True, True, True, True, True]
    sets(alice, "/me/", private=False)
    assert set(everywhere(anonymous(), task)) == {True}


def test_a_project_that_goes_private_takes_its_tasks_along_and_back(alice: Caller, bob: Caller) -> None:
    task, other = log(alice.maker, "a #site #more"), log(alice.maker, "b #more")
    path = f"/projects/{site(alice).pk}/"
    sets(alice, path, private=True, name="site")
    assert {*everywhere(anonymous(), task), *everywhere(bob, task)} == {False}
    assert set(everywhere(alice, task)) == {True}
    assert set(everywhere(anonymous(), other)) == {True}
    sets(alice, path, private=False, name="site")
    assert set(everywhere(anonymous(), task)) == {True}


def test_a_task_of_two_projects_is_private_while_either_is(alice: Caller) -> None:
    task = log(alice.maker, "a #one #two")
    one, two = (alice.maker.projects.get(name=name) for name in ("one", "two"))
    sets(alice, f"/projects/{one.pk}/", private=True)
    sets(alice, f"/projects/{two.pk}/", private=True)
    sets(alice, f"/projects/{one.pk}/", private=False)
    assert set(everywhere(anonymous(), task)) == {False}
    sets(alice, f"/projects/{two.pk}/", private=False)
    assert set(everywhere(anonymous(), task)) == {True}


def test_the_team_sees_the_tasks_of_a_private_product(alice: Caller, bob: Caller, product: Product) -> None:
    hers, his = log(alice.maker, "a of hers #site"), log(bob.maker, "a of his #site")
    beside = log(bob.maker, "a beside")
    sets(alice, f"/products/{product.slug}/", private=True)
    for task in (hers, his):
        assert set(everywhere(anonymous(), task)) == {False}
        assert set(everywhere(caller("charlie"), task)) == {False}
    listed = {client: contents(client.get(f"/tasks/?product={product.slug}")) for client in (alice, bob)}
    assert [*listed.values()] == [["a of his #site", "a of hers #site"]] * 2
    assert bob.get(f"/tasks/{hers.pk}/").status_code == alice.get(f"/tasks/{his.pk}/").status_code == 200
    assert contents(bob.get(f"/tasks/?project={site(alice).pk}")) == ["a of hers #site"]
    assert set(everywhere(anonymous(), beside)) == {True}
    sets(alice, f"/products/{product.slug}/", private=False)
    assert set(everywhere(anonymous(), his, product)) == {True}


def test_who_leaves_the_team_sees_no_more_of_it(alice: Caller, bob: Caller, product: Product) -> None:
    hers, his = log(alice.maker, "a of hers #site"), log(bob.maker, "a of his #site")
    sets(alice, f"/products/{product.slug}/", private=True)
    assert bob.post(f"/products/{product.slug}/leave/").status_code in (200, 204)
    assert set(everywhere(bob, hers)) == {False}
    assert set(everywhere(anonymous(), his)) == {True}
    assert_error(alice.delete(f"/tasks/{his.pk}/"), 403, "not_yours")


def test_a_task_is_filed_where_its_project_goes(alice: Caller, product: Product) -> None:
    task = log(alice.maker, "a #site")
    assert set(everywhere(anonymous(), task, product)) == {True}
    sets(alice, f"/products/{product.slug}/", projects=[])
    assert contents(anonymous().get(f"/tasks/?product={product.slug}")) == []
    sets(alice, f"/products/{product.slug}/", projects=[site(alice).pk], private=True)
    assert set(everywhere(anonymous(), task)) == {False}


def test_the_tasks_of_a_private_product_are_public_once_it_is_deleted(alice: Caller, product: Product) -> None:
    task = log(alice.maker, "a #site")
    sets(alice, f"/products/{product.slug}/", private=True)
    assert alice.delete(f"/products/{product.slug}/").status_code == 204
    assert set(everywhere(anonymous(), task)) == {True}


def test_the_tasks_of_a_private_project_are_public_once_it_is_deleted(alice: Caller) -> None:
    task = log(alice.maker, "a #site")
    sets(alice, f"/projects/{site(alice).pk}/", private=True)
    assert alice.delete(f"/projects/{site(alice).pk}/").status_code == 204
    assert set(everywhere(anonymous(), task)) == {True}


def test_what_a_private_maker_does_for_a_product_of_others_is_seen_by_its_team(
    alice: Caller, bob: Caller, product: Product
) -> None:
    task = log(bob.maker, "a #site")
    sets(bob, "/me/", private=True)
    assert set(everywhere(anonymous(), task, product)) == {False}
    assert contents(alice.get(f"/tasks/?product={product.slug}")) == ["a #site"]


def test_what_is_hidden_is_there_for_moderators_alone(alice: Caller, bob: Caller, product: Product) -> None:
    task = log(alice.maker, "a #site")
    Task.objects.filter(pk=task.pk).update(hidden=True, listed=False)
    TaskProject.objects.update(listed=False)
    TaskProduct.objects.update(listed=False)
    for client in (alice, bob, anonymous(), caller("charlie")):
        assert set(everywhere(client, task, product)) == {False}
        assert contents(client.get("/tasks/")) == []
    assert contents(alice.get("/tasks/me/")) == []
    assert_error(alice.patch(f"/tasks/{task.pk}/", {"content": "b"}), 404, "not_found")
    moderator = caller("mod", is_moderator=True)
    assert moderator.get(f"/tasks/{task.pk}/").json()["content"] == "a #site"
    assert contents(moderator.get("/tasks/")) == []


def test_what_is_hidden_stays_so_when_its_maker_goes_public(alice: Caller) -> None:
    task = log(alice.maker, "a #site")
    Task.objects.filter(pk=task.pk).update(hidden=True, listed=False)
    TaskProject.objects.update(listed=False)
    sets(alice, "/me/", private=True)
    sets(alice, "/me/", private=False)
    sets(alice, f"/projects/{site(alice).pk}/", private=True)
    sets(alice, f"/projects/{site(alice).pk}/", private=False)
    assert set(everywhere(anonymous(), task)) == {False}


def test_a_task_found_by_words_is_no_leak(alice: Caller) -> None:
    sets(alice, "/me/", private=True)
    log(alice.maker, "a secret")
    for query in ("search=secret", "search=secret&ordering=created_at", "date_range=today", "updated_since=2026-01-01"):
        assert contents(anonymous().get(f"/tasks/?{query}")) == []


def test_going_private_is_a_change_to_clients_that_tail(alice: Caller) -> None:
    task = log(alice.maker, "a")
    sets(alice, "/me/", private=True)
    assert Task.objects.get().updated_at > task.updated_at
