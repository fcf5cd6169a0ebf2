"""What actions read by SQL that is written once."""

from typing import Any

import pytest
from django.db import models
from django.db.transaction import TransactionManagementError

from makerlog.accounts.actions import locked_maker
from makerlog.accounts.models import Maker
from products.actions import create_project
from products.models import Project
from tests.makers import make_maker


@pytest.mark.django_db
@pytest.mark.parametrize("no_key", [True, False])
def test_a_locked_maker_is_the_one_that_the_orm_reads(no_key: bool, django_assert_num_queries: Any) -> None:
    make_maker("bob")
    alice = make_maker("alice")
    Maker.objects.filter(pk=alice.pk).update(week_counts=[1, 2, 3, 4, 5, 6, 7], private=True)
    for _ in range(2):
        with django_assert_num_queries(1) as asked:
            found = locked_maker(alice, no_key=no_key)
        assert asked[0]["sql"].endswith("FOR NO KEY UPDATE" if no_key else "FOR UPDATE")
    kept = Maker.objects.get(pk=alice.pk)
    names = [field.attname for field in Maker._meta.concrete_fields]
    assert [getattr(found, name) for name in names] == [getattr(kept, name) for name in names]
    assert (found, found._state.adding, found._state.db) == (kept, False, "default")


@pytest.mark.django_db(transaction=True)
def test_nothing_is_locked_outside_a_transaction() -> None:
    with pytest.raises(TransactionManagementError):
        locked_maker(make_maker("alice"))


@pytest.mark.django_db
def test_a_project_is_found_by_its_author_and_name_whatever_its_case() -> None:
    alice, bob = make_maker("alice"), make_maker("bob")
    mine, new = create_project(author=alice, name="Straße%s")
    theirs, _ = create_project(author=bob, name="straße%s", private=True)
    assert new
    assert create_project(author=alice, name="STRAße%S") == (mine, False)
    found, new = create_project(author=bob, name="Straße%s")
    assert (found, found.private, found.name, new) == (theirs, True, "straße%s", False)


@pytest.mark.parametrize("model", [Maker, Project])
def test_what_is_read_so_needs_no_column_made_python_s(model: type[models.Model]) -> None:
    assert [field.name for field in model._meta.concrete_fields if hasattr(field, "from_db_value")] == []
