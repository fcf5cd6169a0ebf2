"""The admin: every list opens, searches and counts within bounds."""

from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from makerlog.accounts.models import Maker
from makerlog.api.bounded_admin import MOST
from tests.makers import make_maker

pytestmark = pytest.mark.django_db

MODELS = sorted((model._meta.app_label, model._meta.model_name) for model in admin.site._registry)


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(make_maker("root", is_staff=True, is_superuser=True))
    return client


@pytest.mark.parametrize(("app", "model"), MODELS)
def test_every_list_opens_and_searches(staff: Client, app: str, model: str) -> None:
    url = reverse(f"admin:{app}_{model}_changelist")
    assert staff.get(url).status_code == 200
    assert staff.get(url, {"q": "root"}).status_code == 200
    assert staff.get(url, {"q": "99999999999999999999"}).status_code == 200


@pytest.mark.parametrize(("app", "model"), MODELS)
def test_no_list_counts_the_whole_table(staff: Client, app: str, model: str) -> None:
    with CaptureQueriesContext(connection) as captured:
        staff.get(reverse(f"admin:{app}_{model}_changelist"))
    counts = [query["sql"] for query in captured if "COUNT(" in query["sql"]]
    assert counts
    assert all(f"LIMIT {MOST}" in sql for sql in counts)


def test_a_maker_is_found_by_name_whatever_its_case(staff: Client) -> None:
    make_maker("Alice")
    page = staff.get(reverse("admin:accounts_maker_changelist"), {"q": "aLICE"})
    assert [maker.username for maker in page.context["cl"].result_list] == ["Alice"]


def test_badges_are_given_and_content_is_only_looked_at(staff: Client) -> None:
    alice = make_maker("alice")
    url = reverse("admin:accounts_maker_change", args=[alice.pk])
    form: dict[str, Any] = {"username": "alice", "email": "alice@example.com", "is_active": "on", "gold": "on"}
    assert staff.post(url, form).status_code == 302
    alice.refresh_from_db()
    assert alice.gold is True
    assert staff.get(reverse("admin:accounts_maker_delete", args=[alice.pk])).status_code == 403


def test_the_log_in_page_opens_for_everybody_and_the_admin_for_staff_alone() -> None:
    client = Client()
    assert client.get("/admin/login/").status_code == 200
    client.force_login(Maker.objects.create(username="bob"))
    assert client.get("/admin/", follow=False).status_code == 302


def test_no_list_is_ordered_or_filtered_by_a_column_without_an_index(staff: Client) -> None:
    url = reverse("admin:tasks_task_changelist")
    with CaptureQueriesContext(connection) as captured:
        assert staff.get(url, {"o": "1"}).status_code == 200
    assert not [query["sql"] for query in captured if 'ORDER BY "tasks_task"."content"' in query["sql"]]
    assert staff.get(url, {"content__icontains": "honey"}).status_code == 400


def test_what_others_made_is_found_by_the_name_of_who_made_it(staff: Client) -> None:
    alice = make_maker("alice")
    task = alice.tasks.create(content="Honey")
    make_maker("bob").tasks.create(content="Wax")
    page = staff.get(reverse("admin:tasks_task_changelist"), {"q": "Alice"})
    assert list(page.context["cl"].result_list) == [task]


def test_a_search_asks_one_thing_at_a_time(staff: Client) -> None:
    """For several conditions at once no index is of use, nor for an address where the index leaves out those without."""
    with CaptureQueriesContext(connection) as captured:
        assert staff.get(reverse("admin:accounts_maker_changelist"), {"q": "root@example.com"}).status_code == 200
    assert not [query["sql"] for query in captured if " OR " in query["sql"]]


def test_a_search_with_a_nul_finds_nothing(staff: Client) -> None:
    page = staff.get(reverse("admin:tasks_task_changelist"), {"q": "a\x00b"})
    assert list(page.context["cl"].result_list) == []


def test_a_filter_chooses_among_values_and_looks_for_nothing_within_them(staff: Client) -> None:
    url = reverse("admin:jobs_job_changelist")
    assert staff.get(url, {"status__exact": "FAILED"}).status_code == 200
    assert staff.get(url, {"status__icontains": "f"}).status_code == 400
    assert staff.get(url, {"_facets": "True"}).context["cl"].add_facets is False
