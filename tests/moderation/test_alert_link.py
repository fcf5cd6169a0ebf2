"""The link in an alert: it shows, and confirmed it sets one short ban, without a sign-in."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from makerlog.gate.banned import BanGuard, LinkSpent, Spared
from makerlog.gate.bans import BanIndex, network_of
from makerlog.gate.caller import Caller
from makerlog.gate.lanes import lane_of
from makerlog.gate.limits import Limits
from makerlog.gate.notes import Notes
from moderation import actions
from moderation.links import GOOD_FOR, PREFIX, key_of, link_to_ban
from moderation.models import AuditEntry, Ban
from moderation.standing import watcher

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("nothing_stands")]
ATTACKER, PHONE = "93.184.216.7", "94.1.2.3"


@pytest.fixture
def path(settings: Any) -> str:
    return link_to_ban(network_of(ATTACKER)).removeprefix(settings.PUBLIC_URL)


@pytest.fixture
def phone() -> Client:
    return Client(REMOTE_ADDR=PHONE)


def test_looking_shows_the_ban_and_sets_none(phone: Client, path: str) -> None:
    page = phone.get(path)
    assert f"Ban {ATTACKER}/32?" in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    assert not Ban.objects.exists()


def test_confirming_sets_exactly_that_ban_once_and_it_is_noted(phone: Client, path: str) -> None:
    now = timezone.now()
    phone.post(path, {"network": "8.8.8.8", "applies_to": "everything"})
    made = Ban.objects.get()
    assert (made.network, made.applies_to, made.author) == (f"{ATTACKER}/32", "anonymous", None)
    assert made.expires_at is not None
    assert timedelta(minutes=59) < made.expires_at - now < timedelta(minutes=61)
    assert list(AuditEntry.objects.order_by("pk").values_list("act", "subject")) == [
        ("ban", f"ban:{made.pk}"),
        ("alert.link", f"ban:{made.pk}"),
    ]
    actions.lift(bans=[made.pk])
    assert "set its ban already" in phone.post(path).content.decode()
    assert not Ban.objects.standing().exists()


def test_it_works_from_a_banned_address_and_opens_nothing_else_there(phone: Client, path: str) -> None:
    actions.ban(network=network_of("94.1.2.0/24"))
    watcher.catch_up()
    assert phone.get(path).status_code == 200
    assert phone.get("/admin/").status_code == 403
    assert phone.get(f"{PREFIX}made-up/").status_code == 403
    phone.post(path)
    assert Ban.objects.filter(network=f"{ATTACKER}/32").exists()


def test_the_guard_rails_hold_and_leave_the_link_good(path: str) -> None:
    at_home = Client(REMOTE_ADDR=ATTACKER)
    assert "is your own address" in at_home.post(path).content.decode()
    Client(REMOTE_ADDR=PHONE).post(path)
    assert Ban.objects.exists()


def test_a_page_of_another_site_cannot_confirm_it(path: str) -> None:
    assert Client(enforce_csrf_checks=True).post(path).status_code == 403


def test_it_ends_and_cannot_be_bent(phone: Client, path: str, time_machine: Any) -> None:
    for bent in (path.replace(ATTACKER, "8.8.8.8"), path.replace("_32", "_16"), path[:-3] + "/", f"{PREFIX}x/"):
        assert key_of(bent) == ""
        assert phone.get(bent).status_code == 404
    assert key_of(path)
    time_machine.move_to(timezone.now() + GOOD_FOR + timedelta(seconds=2))
    assert key_of(path) == ""
    assert phone.post(path).status_code == 404
    assert not Ban.objects.exists()


def test_one_link_is_no_open_door(path: str) -> None:
    limits = Limits()
    spared = Spared(BanGuard(BanIndex(), Notes()), limits, clock=lambda: 5.0)
    callers = [Caller(f"93.184.217.{number}", "https", link=key_of(path)) for number in range(limits.spared + 1)]
    assert lane_of(callers[0], "GET", path, frozenset()) == "ops"
    for caller in callers[:-1]:
        spared.refuse_if_spent(caller, path, 5.0)
    with pytest.raises(LinkSpent):
        spared.refuse_if_spent(callers[-1], path, 5.0)
