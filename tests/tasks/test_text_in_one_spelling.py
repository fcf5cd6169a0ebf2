"""The migration that brings together what was split by marks, by spelling and by case."""

from importlib import import_module
from types import SimpleNamespace
from typing import Any
from unicodedata import normalize

import pytest
from django.db import connection

from makerlog.accounts.models import Maker
from products.actions import create_product
from products.models import Project
from tasks.models import Task, TaskProduct, TaskProject
from tests.makers import make_maker
from tests.tasks.logs import log

pytestmark = pytest.mark.django_db

HINDI, CUT = "हिन्दी", "ह"
migration = import_module("tasks.migrations.0005_text_in_one_spelling")


@pytest.fixture
def alice() -> Maker:
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX one_project_of_a_name")  # as it was before; it is back when the test ends
    return make_maker("alice")


def migrate() -> None:
    migration.bring_together(None, SimpleNamespace(connection=connection))


def filed(author: Maker, content: str, *projects: Project, **values: Any) -> Task:
    """A task as the release before filed it."""
    task = log(author, "x")
    Task.objects.filter(pk=task.pk).update(content=content, **values)
    for project in projects:
        TaskProject.objects.create(
            task=task, project=project, created_at=task.created_at, listed=values.get("listed", True)
        )
    return task


def names(task: Task) -> set[str]:
    return set(Project.objects.filter(tasks=task).values_list("name", flat=True))


def project(author: Maker, name: str, **values: Any) -> Project:
    made = Project.objects.create(author=author, name=name, **values)
    Project.objects.filter(pk=made.pk).update(folded=None)
    return made


def test_a_task_that_a_mark_cut_out_of_its_private_project_is_private_again(alice: Maker) -> None:
    private, cut = project(alice, HINDI, private=True), project(alice, CUT)
    task = filed(alice, f"x #{HINDI}", cut)
    migrate()
    task.refresh_from_db()
    assert (names(task), task.listed) == ({HINDI}, False)
    assert not TaskProject.objects.filter(task=task, listed=True).exists()
    assert [*Project.objects.all()] == [private]
    migrate()
    assert names(task) == {HINDI}


def test_a_task_whose_cut_name_was_private_stays_private(alice: Maker) -> None:
    cut = project(alice, CUT, private=True)
    task = filed(alice, f"x #{HINDI}", cut, listed=False)
    migrate()
    task.refresh_from_db()
    assert (names(task), task.listed) == ({HINDI, CUT}, False)
    assert Project.objects.get(name=HINDI).private


def test_projects_of_one_name_are_one_and_private_if_one_was(alice: Maker) -> None:
    one, other = project(alice, normalize("NFD", "café")), project(alice, "Café", private=True)
    product = create_product(author=alice, name="shop", projects=[other.pk])
    tasks = [
        filed(alice, "x", one),
        filed(alice, "x", other, listed=False),
        filed(alice, "x", one, other, listed=False),
    ]
    migrate()
    [kept] = Project.objects.all()
    assert (kept.name, kept.folded, kept.private) == ("café", "café", True)
    assert list(kept.products.all()) == [product]
    assert set(TaskProduct.objects.values_list("task", "listed")) == {(task.pk, False) for task in tasks}
    assert set(Task.objects.values_list("listed", flat=True)) == {False}


def test_text_is_in_one_spelling_and_what_was_right_is_left_alone(alice: Maker) -> None:
    apart, plain = filed(alice, normalize("NFD", "Pâtisserie")), filed(alice, "x")
    before = Task.objects.get(pk=plain.pk).updated_at
    migrate()
    assert Task.objects.get(pk=apart.pk).content == normalize("NFC", "Pâtisserie")
    assert Task.objects.get(pk=plain.pk).updated_at == before
    assert Task.objects.get(pk=apart.pk).listed


def test_what_the_release_before_writes_is_folded_within_a_minute(alice: Maker) -> None:
    from makerlog.jobs.schedule import CHORES

    made = project(alice, "Straße")
    Maker.objects.filter(pk=alice.pk).update(folded_username=None)
    assert CHORES["folded names"].what() == 2
    assert Project.objects.get(pk=made.pk).folded == "strasse"
    assert Maker.objects.named("ALICE").get() == alice
    assert CHORES["folded names"].what() == 0
