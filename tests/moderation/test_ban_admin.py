"""The admin's pages of bans: seen first, then set, found by any address they cover, lifted in bulk, by those who may."""

import time
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from makerlog.changes.journal import latest
from makerlog.changes.models import Process
from makerlog.gate.bans import network_of
from makerlog.gate.notes import FORWARDED
from moderation import actions, traffic
from moderation.models import AuditEntry, Ban
from tests.makers import make_maker
from tests.moderation.test_ban_commands import process

pytestmark = pytest.mark.django_db
LIST, ADD = reverse("admin:moderation_ban_changelist"), reverse("admin:moderation_ban_add")
ROLES = {
    "helper": {},
    "moderator": {"is_moderator": True},
    "admin": {"is_superuser": True},
}


@pytest.fixture(autouse=True)
def nobody_called():
    for key in traffic.store.scan_iter("traffic:*"):
        traffic.store.delete(key)


def staff(role: str) -> Client:
    client = Client(REMOTE_ADDR="8.8.8.8")
    client.force_login(make_maker(role, is_staff=True, **ROLES[role]))
    return client


def ban(text: str, **values: Any) -> Ban:
    return actions.ban(network=network_of(text), **values)


def form(text: str, **values: Any) -> dict[str, Any]:
    return {"network": text, "applies_to": "anonymous", "span": "1h", "reason": "flood", **values}


def confirmed(text: str, **values: Any) -> dict[str, Any]:
    given = form(text, **values)
    return {**given, "previewed": f"{network_of(text)} {given['applies_to']}"}


def standing() -> list[str]:
    return list(Ban.objects.standing().order_by("pk").values_list("network", flat=True))


def test_the_first_click_shows_whom_it_would_hit_and_the_second_bans() -> None:
    traffic.tell({int(time.time()) // 60: {"93.184.216.7": 12}})
    client = staff("moderator")
    page = client.post(ADD, form("93.184.216.0/24", applies_to="everything", span="good"))
    assert page.status_code == 200
    assert "at least 12 requests from 1 addresses" in page.content.decode()
    assert standing() == []
    assert page.context["previewed"] == "93.184.216.0/24 everything"
    sure = form("93.184.216.0/24", applies_to="everything", span="good", previewed=page.context["previewed"])
    assert client.post(ADD, sure).url == LIST
    made = Ban.objects.get()
    assert (made.network, made.applies_to, made.expires_at, made.reason) == (
        "93.184.216.0/24",
        "everything",
        None,
        "flood",
    )
    assert made.author is not None
    assert AuditEntry.objects.get().actor_id == made.author.pk


def test_what_was_not_previewed_is_not_banned() -> None:
    client = staff("moderator")
    for changed in ({"network": "93.184.0.0/16"}, {"applies_to": "everything"}):
        assert client.post(ADD, {**confirmed("93.184.216.0/24"), **changed}).status_code == 200
    assert standing() == []


def test_the_guard_rails_are_shown_and_only_an_admin_may_force_them() -> None:
    moderator, admin = staff("moderator"), staff("admin")
    for client in (moderator, admin):
        page = client.post(ADD, form("8.8.8.0/24"))
        assert "8.8.8.8 is your own address" in page.content.decode()
        assert "The guard rails refuse this ban." in client.post(ADD, confirmed("8.8.8.0/24")).content.decode()
    assert 'name="force"' not in moderator.get(ADD).content.decode()
    assert moderator.post(ADD, confirmed("8.8.8.0/24", force="on")).status_code == 200
    assert standing() == []
    assert admin.post(ADD, confirmed("8.8.8.0/24", force="on")).status_code == 302
    assert standing() == ["8.8.8.0/24"]


def test_a_helper_is_told_what_takes_more() -> None:
    client = staff("helper")
    assert "This takes the role moderator" in client.post(ADD, confirmed("93.184.216.0/24")).content.decode()
    assert client.post(ADD, confirmed("93.184.216.7")).status_code == 302
    assert standing() == ["93.184.216.7/32"]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [({"network": "example.com"}, "This is no address or range"), ({"span": "soon"}, "is no duration")],
)
def test_a_mistake_is_said_beside_the_field(values: dict[str, str], sentence: str) -> None:
    page = staff("moderator").post(ADD, form("93.184.216.7") | values)
    assert sentence in page.content.decode()


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("93.184.216.7", ["93.184.216.0/24", "93.184.216.7/32"]),
        ("93.184.216.0/25", ["93.184.216.0/24"]),
        ("2a00:1450::1", ["2a00:1450::/48"]),
        ("94.0.0.1", []),
        ("nonsense", []),
    ],
)
def test_a_ban_is_found_by_any_address_it_covers(term: str, found: list[str]) -> None:
    for text in ["93.184.216.7", "93.184.216.0/24", "93.184.217.0/24", "2a00:1450::/48"]:
        ban(text)
    page = staff("helper").get(LIST, {"q": term})
    assert sorted(each.network for each in page.context["cl"].result_list) == found


def test_a_ban_is_found_by_its_id() -> None:
    made, _ = ban("93.184.216.7"), ban("93.184.216.8")
    assert [each.pk for each in staff("helper").get(LIST, {"q": str(made.pk)}).context["cl"].result_list] == [made.pk]


def test_bans_are_lifted_in_bulk_with_a_reason_and_all_or_none() -> None:
    made = [ban(f"93.184.216.{number}").pk for number in range(3)]
    chosen = {"action": "lift", "_selected_action": made, "reason": "a mistake"}
    page = staff("helper").post(LIST, chosen)
    assert "This takes the role moderator" in str(next(iter(get_messages(page.wsgi_request))))
    assert len(standing()) == 3
    page = staff("moderator").post(LIST, chosen)
    assert "Lifted 3" in str(next(iter(get_messages(page.wsgi_request))))
    assert standing() == []
    assert list(AuditEntry.objects.filter(act="lift").values_list("reason", flat=True)) == ["a mistake"] * 3


def test_a_ban_shows_where_it_is_in_force_and_is_not_edited() -> None:
    made = ban("93.184.216.7")
    process(101)
    process(102, version=0, reached=[])
    url = reverse("admin:moderation_ban_change", args=[made.pk])
    page = staff("admin").get(url).content.decode()
    assert "process 101 on elsewhere: in force since" in page
    assert "process 102 on elsewhere: has not heard of it yet" in page
    assert staff("moderator").post(url, form("93.184.216.8")).status_code == 403


def test_a_proxy_that_nobody_trusts_is_said_on_the_pages() -> None:
    traffic.tell({int(time.time()) // 60: {FORWARDED: 7}})
    client = staff("helper")
    for page in (client.get(LIST), client.post(ADD, form("93.184.216.7"))):
        assert "7 requests of the last ten minutes say that a proxy forwarded them" in page.content.decode()


def test_makers_who_are_no_staff_or_whose_account_is_closed_see_nothing() -> None:
    client = Client()
    client.force_login(make_maker("bob", is_moderator=True))
    assert client.get(LIST).status_code == 302
    assert client.get(ADD).status_code == 302


# --- The audit log and the processes ---


def test_the_audit_log_is_searched_by_subject_and_by_actor_and_never_changed() -> None:
    client = staff("admin")
    actor = make_maker("mo", is_staff=True, is_moderator=True)
    made = ban("93.184.216.7", actor=actor)
    ban("93.184.216.8")
    url = reverse("admin:moderation_auditentry_changelist")
    for term in (f"ban:{made.pk}", str(actor.pk)):
        found = client.get(url, {"q": term}).context["cl"].result_list
        assert [entry.subject for entry in found] == [f"ban:{made.pk}"]
    entry = reverse("admin:moderation_auditentry_change", args=[AuditEntry.objects.earliest("pk").pk])
    assert client.get(entry).status_code == 200
    assert client.post(entry, {"reason": "another"}).status_code == 403


def test_processes_show_how_far_behind_they_are() -> None:
    ban("93.184.216.7")
    process(101)
    process(102)
    ban("93.184.216.8")
    Process.objects.filter(pid=101).update(version=latest())
    url = reverse("admin:changes_process_changelist")
    rows = staff("helper").get(url).context["cl"].result_list
    assert {each.pid: each.newest - each.version for each in rows} == {101: 0, 102: 1}
