"""The traffic console: what it shows, where a tap leads, and what it costs the database."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from makerlog.api.store import client
from makerlog.gate.bans import network_of
from makerlog.gate.networks import client_of
from makerlog.gate.seen import Seen
from makerlog.gate.talkers import Talkers
from moderation import actions, console, standing, talkers, traffic
from moderation.models import AuditEntry, Ban
from tests.makers import caller, make_maker

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("nothing_stands")]
PAGE, TALKER = reverse("admin:traffic"), reverse("admin:talker")
FLOOD = "93.184.216.7"


@pytest.fixture(autouse=True)
def nobody_has_talked(monkeypatch: Any) -> Iterator[Talkers]:
    fresh = Talkers()
    monkeypatch.setattr(console, "talkers", fresh)
    traffic.store.delete(talkers.KEY)
    yield fresh
    traffic.store.delete(talkers.KEY)


@pytest.fixture
def admin() -> Client:
    client = Client(REMOTE_ADDR="8.8.8.8")
    client.force_login(make_maker("root", is_staff=True, is_superuser=True))
    return client


def seen(address: str = FLOOD, **values: Any) -> Seen:
    plain = Seen(
        *(time.time(), address, client_of(address), "", None, "GET", "/tasks/", "tasks/", "Flood/1"),
        *("anonymous", "served", 200, 0.0, 0.001, 20, 2, ""),
    )
    return plain._replace(**values)


def flood(into: Talkers, requests: int = 50, **values: Any) -> None:
    for _ in range(requests):
        into.observe(seen(**values))


def shown(client: Client, url: str, **query: str) -> str:
    page = client.get(url, query)
    assert page.status_code == 200
    return page.content.decode()


def test_the_first_page_of_the_admin_leads_to_it(admin: Client) -> None:
    assert f'href="{PAGE}"' in shown(admin, reverse("admin:index"))


def test_nobody_asked_for_more_than_all_did(nobody_has_talked: Talkers) -> None:
    began = time.time()
    with time_machine.travel(began, tick=False) as clock:
        for second in range(120):
            clock.move_to(began + second)
            flood(nobody_has_talked, 1)
            [talker] = nobody_has_talked.top("address")
            assert talker.requests == sum(console.last_minute(talkers.picture(nobody_has_talked)).values())


def test_it_shows_who_talks_most_and_how_things_stand(admin: Client, nobody_has_talked: Talkers) -> None:
    alice = caller("alice")
    flood(nobody_has_talked, outcome="shed", status=503)
    token = alice.token.split("_")[1][:11]
    nobody_has_talked.observe(seen("93.184.217.8", token=token, maker=alice.maker.pk, lane="token"))
    page = shown(admin, PAGE)
    assert page.index(FLOOD) < page.index("93.184.217.8")
    for said in ("50 requests, 50 refused", "50 shed", "/tasks/", "Flood/1", "of alice", "No ban stands."):
        assert said in page
    assert alice.token not in page
    part = shown(admin, PAGE, part="")
    assert FLOOD in part
    assert "<html" not in part


def test_three_taps_ban_a_talker_and_a_fourth_undoes_it_on_the_spot(admin: Client, nobody_has_talked: Talkers) -> None:
    flood(nobody_has_talked)
    talker = f"{TALKER}?kind=address&name={FLOOD}"
    assert talker.replace("&", "&amp;") in shown(admin, PAGE)
    choice = f"{reverse('admin:moderation_ban_add')}?network={FLOOD}%2F32&applies_to=anonymous&span=1h&from=traffic"
    assert choice.replace("&", "&amp;") in shown(admin, talker)
    preview = admin.get(choice)
    form = preview.context["form"]
    assert "In the last ten minutes it would have hit" in preview.content.decode()
    assert not Ban.objects.exists()
    given = {field.name: field.value() or "" for field in form.visible_fields() if field.value() is not True}
    back = admin.post(choice, {**given, "previewed": preview.context["previewed"]}, follow=True)
    made = Ban.objects.get()
    assert (made.network, made.applies_to) == (f"{FLOOD}/32", "anonymous")
    assert f"Ban {made.pk}</a> of {FLOOD}/32 (anonymous) stands" in back.content.decode()
    standing.watcher.catch_up()
    assert "<em>banned</em>" in shown(admin, PAGE)
    assert "Lifted" in admin.post(talker, {"lift": made.pk}, follow=True).content.decode()
    assert not Ban.objects.standing().exists()
    assert AuditEntry.objects.filter(act="lift", subject=f"ban:{made.pk}").exists()


@pytest.mark.parametrize(
    ("network", "addresses"),
    [
        ("93.184.216.0/24", ["93.184.216.7", "93.184.216.8"]),
        ("93.184.0.0/16", ["93.184.216.7", "93.184.217.8"]),
        ("93.184.216.0/28", ["93.184.216.7", "93.184.216.8"]),
        ("2a00:1450:4001::/48", ["2a00:1450:4001:1::7", "2a00:1450:4001:2::7"]),
    ],
)
def test_after_a_range_is_banned_its_page_tells_that_it_is_and_what_it_does_now(
    admin: Client, nobody_has_talked: Talkers, network: str, addresses: list[str]
) -> None:
    for address in (*addresses, "8.8.4.4"):
        flood(nobody_has_talked, 20, address=address, client=client_of(address), outcome="banned", status=403)
    choice = reverse("admin:moderation_ban_add", query={"network": network, "span": "1h", "from": "traffic"})
    choice += "&applies_to=anonymous"
    preview = admin.get(choice)
    given = {
        field.name: field.value() or ""
        for field in preview.context["form"].visible_fields()
        if field.value() is not True
    }
    back = admin.post(choice, {**given, "previewed": preview.context["previewed"]})
    assert back["Location"] == reverse("admin:talker", query={"kind": "range", "name": network})
    standing.watcher.catch_up()
    for url in (back["Location"], back["Location"] + "&part"):
        page = " ".join(shown(admin, url).split())
        assert "<dt>Requests</dt><dd>40</dd>" in page
        assert "<dt>Refused</dt><dd>40</dd>" in page
        assert "<em>banned</em>" in page
    assert "nothing was seen" not in page


def test_a_button_whose_ban_was_replaced_lifts_nothing_and_says_what_stands_now(admin: Client) -> None:
    old, new = (actions.ban(network=network_of(FLOOD)) for _ in range(2))
    for url, form in (
        (f"{TALKER}?kind=address&name={FLOOD}", {"lift": old.pk}),
        (reverse("admin:moderation_ban_changelist"), {"action": "lift", "index": 0, "_selected_action": [old.pk]}),
    ):
        page = admin.post(url, form, follow=True).content.decode()
        assert f"Nothing was lifted: ban {old.pk} had ended already. Ban {new.pk} took its place, and stands" in page
    assert list(Ban.objects.standing()) == [new]


def test_a_range_in_the_list_is_marked_when_all_of_it_is_banned(admin: Client, nobody_has_talked: Talkers) -> None:
    flood(nobody_has_talked)
    actions.ban(network=network_of("93.184.216.0/28"))
    standing.watcher.catch_up()
    assert shown(admin, PAGE).count("<em>banned</em>") == 1, "the address alone"
    actions.ban(network=network_of("93.184.0.0/16"))
    standing.watcher.catch_up()
    assert shown(admin, PAGE).count("<em>banned</em>") == 2


def test_each_kind_of_talker_is_offered_what_there_is_to_do(admin: Client) -> None:
    alice = caller("alice")
    public_id = alice.maker.tokens.get().public_id
    maker = shown(admin, TALKER, kind="maker", name=str(alice.maker.pk))
    token = shown(admin, TALKER, kind="token", name=public_id)
    route = shown(admin, TALKER, kind="route", name="tasks/")
    around = shown(admin, TALKER, kind="address", name="2a00:1450:4001:81b::/64")
    assert reverse("admin:accounts_maker_change", args=[alice.maker.pk]) in maker
    assert f"{reverse('admin:tasks_task_changelist')}?q=alice" in maker
    assert f"{reverse('admin:accounts_accesstoken_revoke')}?token=mkl_{public_id}" in token
    assert f"{reverse('admin:moderation_routeswitch_changelist')}?q=tasks" in route
    assert "name=2a00%3A1450%3A4001%3A%3A%2F48" in around
    assert shown(admin, TALKER, kind="agent", name="Flood/1")
    assert shown(admin, TALKER, kind="maker", name="999999")
    for nothing in ({"kind": "address", "name": "x"}, {"kind": "x", "name": "y"}):
        assert admin.get(TALKER, nothing).status_code == 404


def test_a_helper_is_offered_short_bans_of_anonymous_only() -> None:
    helper = Client(REMOTE_ADDR="8.8.8.8")
    helper.force_login(make_maker("helper", is_staff=True))
    page = shown(helper, TALKER, kind="address", name=FLOOD)
    assert "span=1h" in page
    assert "span=1d" not in page
    assert "applies_to=everything" not in page


def test_whoever_is_not_staff_sees_nothing() -> None:
    visitor = Client(REMOTE_ADDR="8.8.8.8")
    visitor.force_login(make_maker("alice"))
    assert visitor.get(PAGE).status_code == 302
    assert visitor.get(TALKER, {"kind": "address", "name": FLOOD}).status_code == 302


def test_what_other_processes_told_is_summed_up_and_what_they_told_long_ago_is_not(
    admin: Client, nobody_has_talked: Talkers, monkeypatch: Any
) -> None:
    for name, seconds in (("other:1", 1), ("other:2", 1), ("gone:3", 2 * talkers.FRESH_S)):
        other = Talkers()
        flood(other, 100)
        with monkeypatch.context() as patched, time_machine.travel(time.time() - seconds, tick=False):
            patched.setattr(talkers, "me", lambda name=name: name)
            talkers.tell(other)
    flood(nobody_has_talked, 7)
    page = shown(admin, PAGE)
    assert "207 requests" in page
    assert "3 processes" in page


def test_with_redis_away_it_shows_its_own_process_and_says_so(
    admin: Client, nobody_has_talked: Talkers, monkeypatch: Any
) -> None:
    monkeypatch.setattr(talkers, "store", client("redis://127.0.0.1:1/0"))
    with pytest.raises(redis.RedisError):
        talkers.tell(nobody_has_talked)
    flood(nobody_has_talked, 7)
    page = shown(admin, PAGE)
    assert "Redis is away" in page
    assert "7 requests" in page


def test_the_console_asks_the_database_as_much_about_many_talkers_as_about_one(
    admin: Client, nobody_has_talked: Talkers
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            shown(admin, PAGE)
        assert not [each["sql"] for each in asked if "COUNT(" in each["sql"].upper()]
        return len(asked)

    flood(nobody_has_talked, maker=1, token="0123456789a")
    few = queries()
    for number in range(60):
        flood(nobody_has_talked, 1, address=f"93.184.216.{number}", maker=number, token=f"0123456789{number}")
    assert queries() == few
