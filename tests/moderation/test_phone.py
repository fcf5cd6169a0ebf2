"""The admin as somebody uses it who was just woken, on a phone: what comes first, what is said, where it leads."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import reverse

from makerlog.changes.models import Process
from makerlog.gate.bans import network_of
from moderation import actions
from moderation.models import AuditEntry, Ban
from moderation.moments import spoken
from tests.makers import caller, make_maker
from tests.moderation.test_ban_commands import process

pytestmark = pytest.mark.django_db
NOW = datetime(2020, 11, 22, 3, tzinfo=UTC)
LIST, ADD = reverse("admin:moderation_ban_changelist"), reverse("admin:moderation_ban_add")
ROUTES, LOG = reverse("admin:moderation_routeswitch_changelist"), reverse("admin:moderation_auditentry_changelist")


@pytest.fixture
def admin() -> Client:
    client = Client(REMOTE_ADDR="8.8.8.8")
    client.force_login(make_maker("root", is_staff=True, is_superuser=True))
    return client


def ban(text: str, **values: Any) -> Ban:
    return actions.ban(network=network_of(text), **values)


def shown(client: Client, url: str, query: dict[str, str] | None = None) -> str:
    return client.get(url, query or {}).content.decode()


def posted(client: Client, url: str, **form: Any) -> str:
    return client.post(url, form, follow=True).content.decode()


# --- The first page ---


def test_the_first_page_begins_with_what_a_bad_night_asks_for(admin: Client) -> None:
    page = admin.get(reverse("admin:index"))
    models = [model["object_name"] for app in page.context["app_list"] for model in app["models"]]
    assert models[:13] == [
        "Ban",
        "Lockdown",
        "Cleanup",
        "RouteSwitch",
        "RuleAct",
        "AuditEntry",
        "AllowlistEntry",
        "Incident",
        "SignInFailure",
        "Maker",
        "AccessToken",
        "Process",
        "Job",
    ]
    assert f'action="{ADD}"' in page.content.decode()


def test_the_first_page_says_how_things_stand(admin: Client) -> None:
    quiet = shown(admin, reverse("admin:index"))
    for sentence in ("No ban stands.", "All routes are open.", "No process is running that enforces bans."):
        assert sentence in quiet
    ban("93.184.216.7")
    ban("93.184.216.8", expires_at=NOW)  # long over
    for route in ("tasks/", "users/", "limits/", "products/"):
        actions.switch_route(route=route, state="closed")
    process(101)
    process(102)
    Process.objects.filter(pid=102).update(seen_at=NOW)
    page = shown(admin, reverse("admin:index"))
    assert "1 ban stands." in page
    assert "/limits/: closed" in page
    assert "and 1 more." in page
    assert "1 of 2 processes have not been heard of" in page


def test_the_bans_that_stand_are_one_tap_from_the_first_page(admin: Client) -> None:
    made = ban("93.184.216.7")
    ban("93.184.216.8", expires_at=NOW)
    actions.lift(bans=[ban("93.184.216.9").pk])
    assert f'<a href="{LIST}?q=standing">1 ban stands.</a>' in shown(admin, reverse("admin:index"))
    page = admin.get(LIST, {"q": "standing"})
    assert [each.pk for each in page.context["cl"].result_list] == [made.pk]
    assert "is no address" not in page.content.decode()


def test_an_address_given_on_the_first_page_stands_in_the_form(admin: Client) -> None:
    assert 'value="93.184.216.7"' in shown(admin, ADD, {"network": "93.184.216.7"})


# --- What is said ---


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (None, "-"),
        (NOW + timedelta(hours=1), "in 1 hour (2020-11-22 04:00:00 UTC)"),
        (NOW + timedelta(minutes=59, seconds=59), "in 1 hour (2020-11-22 03:59:59 UTC)"),
        (NOW + timedelta(seconds=9), "in moments (2020-11-22 03:00:09 UTC)"),
        (NOW, "moments ago (2020-11-22 03:00:00 UTC)"),
        (NOW - timedelta(days=3, hours=2), "3 days ago (2020-11-19 01:00:00 UTC)"),
    ],
)
def test_a_moment_is_said_as_ago_or_in(at: datetime | None, said: str) -> None:
    with time_machine.travel(NOW, tick=False):
        assert spoken(at) == said


def test_moments_that_django_writes_name_their_zone(admin: Client) -> None:
    made = ban("93.184.216.7")
    page = shown(admin, reverse("admin:moderation_ban_change", args=[made.pk]))
    assert f"{made.created_at:%Y-%m-%d %H:%M:%S} UTC" in page


def test_a_ban_says_what_it_did_and_where_it_is_undone(admin: Client) -> None:
    said = posted(
        admin, ADD, network="93.184.216.7", applies_to="anonymous", span="1h", previewed="93.184.216.7/32 anonymous"
    )
    made = Ban.objects.get()
    assert (
        f'<a href="{reverse("admin:moderation_ban_change", args=[made.pk])}">Ban {made.pk} of 93.184.216.7/32</a>'
        in said
    )
    assert "stands, ends in 1 hour" in said
    assert "To undo it, lift it." in said


def test_the_preview_names_the_bans_that_stand_there_already(admin: Client) -> None:
    wide, same = ban("93.184.216.0/24"), ban("93.184.216.7")
    page = posted(admin, ADD, network="93.184.216.7", applies_to="everything", span="1h")
    assert f"Ban {wide.pk} of 93.184.216.0/24" in page
    assert page.count("this one would take its place") == 1
    assert page.index("this one would take its place") > page.index(f"Ban {same.pk} of")


def test_a_ban_is_lifted_on_its_own_page_and_banned_again_from_there(admin: Client) -> None:
    made = ban("93.184.216.7")
    url = reverse("admin:moderation_ban_change", args=[made.pk])
    page = shown(admin, url)
    assert "Lift this ban" in page
    form = dict(re.findall(r'<input type="hidden" name="(action|index|_selected_action)" value="([^"]+)"', page))
    said = posted(admin, LIST, **form, reason="a mistake")
    assert "Lifted 1 (93.184.216.7/32), in every process within a second. To undo it, ban again." in said
    assert AuditEntry.objects.get(act="lift").reason == "a mistake"
    page = shown(admin, url)
    assert "Lift this ban" not in page
    assert f"{ADD}?network=93.184.216.7/32" in page


def test_a_lift_of_what_no_longer_stands_says_so(admin: Client) -> None:
    made = ban("93.184.216.7")
    actions.lift(bans=[made.pk])
    assert "Nothing was lifted" in posted(admin, LIST, action="lift", _selected_action=[made.pk])


def test_a_search_that_finds_no_ban_says_why_and_leads_on(admin: Client) -> None:
    ban("93.184.216.7")
    assert f'No ban that stands covers 8.8.4.4/32. <a href="{ADD}?network=8.8.4.4">Ban it</a>' in shown(
        admin, LIST, {"q": "8.8.4.4"}
    )
    assert "“&lt;b&gt;” is no address, no range (CIDR) and no id of a ban." in shown(admin, LIST, {"q": "<b>"})
    assert "No ban that stands" not in shown(admin, LIST, {"q": "93.184.216.7"})


def test_a_route_says_until_when_and_is_found_by_a_part_of_its_name(admin: Client) -> None:
    page = shown(admin, ROUTES, {"q": "/reset"})
    assert "<code>/accounts/reset/</code>" in page
    assert "<code>/tasks/</code>" not in page
    assert "No route has that in its name." in shown(admin, ROUTES, {"q": "nothing"})
    said = posted(admin, f"{ROUTES}?q=tasks", switch="closed tasks/", span="1h", message="Back soon")
    assert "/tasks/: closed, which ends in 1 hour" in said
    assert "To undo it, tap Open." in said
    assert 'value="tasks"' in said


def test_what_was_typed_about_a_maker_is_kept_beside_what_is_wrong_with_it(admin: Client) -> None:
    url = reverse("admin:accounts_maker_act", args=[make_maker("alice").pk])
    page = posted(admin, url, act="suspend", kind="out", span="soon", reason="spam of honey")
    assert "soon is not one of the available choices" in page
    for typed in ('value="spam of honey"', '<option value="out" selected>'):
        assert typed in page


# --- Where it leads ---


def test_history_is_the_audit_log(admin: Client) -> None:
    made, alice = ban("93.184.216.7"), caller()
    token = alice.maker.tokens.get()
    entry = AuditEntry.objects.get(subject=f"ban:{made.pk}")
    for page, subject in (
        (reverse("admin:moderation_auditentry_history", args=[entry.pk]), f"ban%3A{made.pk}"),
        (reverse("admin:moderation_ban_history", args=[made.pk]), f"ban%3A{made.pk}"),
        (reverse("admin:accounts_maker_history", args=[alice.maker.pk]), f"maker%3A{alice.maker.pk}"),
        (reverse("admin:accounts_accesstoken_history", args=[token.pk]), f"maker%3A{alice.maker.pk}"),
    ):
        assert admin.get(page).url == f"{LOG}?q={subject}"


def test_an_entry_of_the_audit_log_leads_to_its_subject_and_its_actor(admin: Client) -> None:
    mo, alice = make_maker("mo", is_staff=True, is_moderator=True), make_maker("alice")
    made = ban("93.184.216.7", actor=mo)
    actions.suspend(maker=alice)
    actions.switch_route(route="users/<str:maker>/", state="closed")
    page = shown(admin, LOG)
    for url, text in (
        (reverse("admin:moderation_ban_change", args=[made.pk]), f"ban:{made.pk}"),
        (reverse("admin:accounts_maker_change", args=[mo.pk]), "mo"),
        (reverse("admin:accounts_maker_change", args=[alice.pk]), f"maker:{alice.pk}"),
        (f"{ROUTES}?q=users%2F%3Cstr%3Amaker%3E%2F", "route:users/&lt;str:maker&gt;/"),
    ):
        assert f'<a href="{url}">{text}</a>' in page
    assert "a command" in page


def test_a_maker_leads_to_their_tokens_and_a_token_to_its_revocation(admin: Client) -> None:
    alice = caller()
    token, tokens = alice.maker.tokens.get(), reverse("admin:accounts_accesstoken_changelist")
    assert f'href="{tokens}?q={alice.maker.username}"' in shown(
        admin, reverse("admin:accounts_maker_change", args=[alice.maker.pk])
    )
    found = admin.get(tokens, {"q": token.prefix}).context["cl"].result_list
    assert [each.pk for each in found] == [token.pk]
    revoke = f"{reverse('admin:accounts_accesstoken_revoke')}?token={token.prefix}"
    assert f'href="{revoke}"' in shown(admin, reverse("admin:accounts_accesstoken_change", args=[token.pk]))
    assert f'value="{token.prefix}"' in shown(admin, revoke)


# --- On a small screen ---


def test_each_cell_of_a_card_says_what_it_is(admin: Client) -> None:
    ban("93.184.216.7")
    page = shown(admin, LIST)
    cells = set(re.findall(r'<t[dh] class="field-(\w+)', page))
    labelled = set(re.findall(r"#result_list \.field-(\w+):not", page))
    assert cells == labelled
    assert 'content: "Last refused: "' in page


def test_no_page_asks_another_host_for_anything(admin: Client) -> None:
    for url in (reverse("admin:index"), LIST, ADD, ROUTES, LOG):
        assert not re.findall(r'(?:src|href)="(?:https?:)?//[^"]*"', shown(admin, url))
    assert finders.find("moderation/admin.css")
