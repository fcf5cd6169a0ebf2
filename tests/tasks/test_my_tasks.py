"""GET /tasks/me/"""

from typing import Any

import pytest

from tests.errors import assert_error
from tests.makers import anonymous, caller
from tests.tasks.logs import bulk, contents, log

pytestmark = pytest.mark.django_db


def test_ones_own_tasks_are_a_bare_array_newest_first() -> None:
    client = caller("alice")
    log(client.maker, "first")
    log(caller("bob").maker, "his")
    log(client.maker, "second")
    assert contents(client.get("/tasks/me/")) == ["second", "first"]


def test_private_ones_are_among_them_in_order() -> None:
    client = caller("alice")
    client.maker.projects.create(name="secret", private=True)
    for content in ("one", "two #secret", "three", "four #secret"):
        log(client.maker, content)
    assert contents(client.get("/tasks/me/")) == ["four #secret", "three", "two #secret", "one"]


def test_hidden_ones_are_not() -> None:
    client = caller("alice")
    client.maker.tasks.filter(pk=log(client.maker).pk).update(hidden=True, listed=False)
    assert contents(client.get("/tasks/me/")) == []


def test_a_page_has_a_hundred_rows_and_a_link_to_the_next() -> None:
    client = caller("alice")
    bulk(client.maker, 150)
    first = client.get("/tasks/me/")
    second = client.get(first["Link"].split(">")[0][1:])
    assert (len(first.json()), len(second.json())) == (100, 50)
    assert 'rel="next"' not in second["Link"]


def test_a_credential_is_needed_that_may_read_tasks() -> None:
    assert_error(anonymous().get("/tasks/me/"), 401, "not_authenticated")
    assert_error(caller("alice", ["user:read"]).get("/tasks/me/"), 403, "missing_scope")
    assert caller("alice", ["tasks:write"]).get("/tasks/me/").status_code == 200


@pytest.mark.parametrize("rows", [1, 3])
def test_a_list_is_two_queries_however_many_rows(rows: int, django_assert_num_queries: Any) -> None:
    client = caller("alice")
    client.get("/tasks/me/")
    for number in range(rows):
        log(client.maker, f"{number} #site")
    with django_assert_num_queries(2):
        assert len(contents(client.get("/tasks/me/"))) == rows
