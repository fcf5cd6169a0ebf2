"""Each guard rail refuses with its sentence, writes nothing, and yields to force."""

import ipaddress
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from makerlog.gate.bans import network_of
from moderation import actions
from moderation.guards import Guarded, objections, warnings
from moderation.models import AuditEntry, Ban
from moderation.roles import NotAllowed
from tests.makers import make_maker

TRUSTED = [ipaddress.ip_network("94.1.1.1/32"), ipaddress.ip_network("2a00:1450::/48")]
CDN = [ipaddress.ip_network("104.16.0.0/13")]


def sentences(text: str, own: str = "") -> list[str]:
    return objections(network_of(text), trusted=TRUSTED, cdn=CDN, own=own)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("94.1.1.1", "94.1.1.1/32 meets 94.1.1.1/32, a trusted proxy: all its clients would be hit."),
        ("94.1.0.0/16", "94.1.0.0/16 meets 94.1.1.1/32, a trusted proxy: all its clients would be hit."),
        ("2a00:1450::7", "2a00:1450::/64 meets 2a00:1450::/48, a trusted proxy: all its clients would be hit."),
        ("104.17.3.0/24", "104.17.3.0/24 meets 104.16.0.0/13, one of the CDN's ranges: all its clients would be hit."),
        ("127.0.0.1", "127.0.0.1/32 meets 127.0.0.0/8, which is loopback."),
        ("::1", "::/64 meets ::1/128, which is loopback."),
        ("::ffff:10.1.2.3", "10.1.2.3/32 meets 10.0.0.0/8, which is private."),
        ("172.31.0.0/16", "172.31.0.0/16 meets 172.16.0.0/12, which is private."),
        ("100.64.0.9", "100.64.0.9/32 meets 100.64.0.0/10, which is private."),
        ("fd00::1", "fd00::/64 meets fc00::/7, which is private."),
        ("169.254.1.1", "169.254.1.1/32 meets 169.254.0.0/16, which is link-local."),
        ("fe80::1", "fe80::/64 meets fe80::/10, which is link-local."),
        ("224.0.0.1", "224.0.0.1/32 meets 224.0.0.0/4, which is multicast."),
        ("0.0.0.9", "0.0.0.9/32 meets 0.0.0.0/8, which is unspecified."),
        ("93.0.0.0/15", "93.0.0.0/15 is wider than /16: it holds 131,072 addresses."),
        ("2a02::/31", "2a02::/31 is wider than /32: it holds 158,456,325,028,528,675,187,087,900,672 addresses."),
    ],
)
def test_a_guard_rail_says_why(text: str, sentence: str) -> None:
    assert sentence in sentences(text)


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("93.184.216.7", "93.184.216.7"),
        ("93.184.0.0/16", "::ffff:93.184.216.7"),
        ("2a02:1::/48", "2a02:1::7%eth0"),
    ],
)
def test_nobody_bans_their_own_address(text: str, own: str) -> None:
    assert sentences(text, own) == [f"{own} is your own address: you would shut yourself out."]


@pytest.mark.parametrize("text", ["93.184.216.7", "93.184.0.0/16", "2a02::/32", "172.32.0.0/16", "94.1.1.2"])
def test_the_rest_of_the_world_may_be_banned(text: str) -> None:
    assert sentences(text, own="8.8.8.8") == []


def test_a_proxy_that_nobody_trusts_is_warned_of() -> None:
    assert warnings(forwarded=0) == []
    (sentence,) = warnings(forwarded=1_234, peers=["172.17.0.1"])
    assert "(172.17.0.1)" in sentence
    assert sentence.startswith("1,234 requests of the last ten minutes say that a proxy forwarded them")


# --- actions.ban holds them ---


def ban(text: str, actor: Any = None, **values: Any) -> Ban:
    return actions.ban(network=network_of(text), actor=actor, **values)


@pytest.mark.django_db
def test_what_is_refused_is_not_written_and_what_is_forced_is_noted(settings) -> None:
    settings.TRUSTED_PROXIES, settings.CDN_RANGES = TRUSTED, CDN
    for text in ["94.1.1.1", "104.17.3.0/24", "127.0.0.1", "10.1.0.0/16", "93.0.0.0/8", "93.184.216.7"]:
        with pytest.raises(Guarded):
            ban(text, own_address="93.184.216.7")
    assert not Ban.objects.exists()
    assert not AuditEntry.objects.exists()
    assert ban("93.0.0.0/8", own_address="93.184.216.7", force=True).stands
    assert AuditEntry.objects.get().details["forced"] is True


@pytest.mark.django_db
def test_force_is_the_admins_alone() -> None:
    moderator = make_maker("mo", is_staff=True, is_moderator=True)
    with pytest.raises(NotAllowed):
        ban("93.0.0.0/8", moderator, force=True)
    assert ban("93.0.0.0/8", make_maker("ada", is_staff=True, is_superuser=True), force=True).stands


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "values", "allowed"),
    [
        ("93.184.216.7", {"applies_to": "anonymous", "hours": 1}, True),
        ("2a02::7", {"applies_to": "anonymous", "hours": 1}, True),
        ("93.184.216.7", {"applies_to": "anonymous", "hours": 2}, False),
        ("93.184.216.7", {"applies_to": "anonymous"}, False),
        ("93.184.216.7", {"applies_to": "everything", "hours": 1}, False),
        ("93.184.216.0/24", {"applies_to": "anonymous", "hours": 1}, False),
    ],
)
def test_a_helper_bans_one_anonymous_client_for_an_hour(text: str, values: dict[str, Any], allowed: bool) -> None:
    helper = make_maker("helen", is_staff=True)
    hours = values.pop("hours", None)
    expires_at = timezone.now() + timedelta(hours=hours) if hours else None
    if allowed:
        assert ban(text, helper, expires_at=expires_at, **values).author == helper
    else:
        with pytest.raises(NotAllowed):
            ban(text, helper, expires_at=expires_at, **values)
        assert not Ban.objects.exists()


@pytest.mark.django_db
def test_a_helper_lifts_their_own_and_replaces_nobody_elses() -> None:
    helper = make_maker("helen", is_staff=True)
    brief = {"applies_to": "anonymous", "expires_at": timezone.now() + timedelta(minutes=59)}
    own, foreign = ban("93.184.216.7", helper, **brief), ban("93.184.216.8")
    with pytest.raises(NotAllowed):
        actions.lift(bans=[own.pk, foreign.pk], actor=helper)
    with pytest.raises(NotAllowed):
        ban("93.184.216.8", helper, **brief)
    foreign.refresh_from_db()
    assert foreign.stands
    assert ban("93.184.216.7", helper, **brief).stands
    own.refresh_from_db()
    assert not own.stands


@pytest.mark.django_db
def test_a_maker_who_is_no_staff_does_nothing() -> None:
    moderator = make_maker("bob", is_moderator=True)
    with pytest.raises(NotAllowed):
        ban("93.184.216.7", moderator)
    with pytest.raises(NotAllowed):
        actions.lift(bans=[ban("93.184.216.7").pk], actor=moderator)
