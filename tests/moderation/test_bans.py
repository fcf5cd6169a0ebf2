"""A ban, enforced before any view."""

import ipaddress
from datetime import timedelta

import pytest
from django.utils import timezone

from makerlog.gate.bans import network_of
from moderation import actions
from moderation.models import AuditEntry, Ban
from moderation.standing import watcher
from tests.makers import anonymous, caller
from tests.tasks.threads import at_once

pytestmark = pytest.mark.usefixtures("nothing_stands")
ADDRESS = "93.184.216.7"


def ban(text: str = ADDRESS, **values: object) -> Ban:
    made = actions.ban(network=network_of(text), **values)  # type: ignore[arg-type]
    watcher.catch_up()
    return made


def test_a_banned_client_is_told_why_until_when_and_how_to_appeal(settings) -> None:
    until = timezone.now() + timedelta(hours=1)
    made = ban(reason="flooding", reason_is_public=True, expires_at=until)
    response = anonymous().get("/tasks/", REMOTE_ADDR=ADDRESS)
    assert response.status_code == 403
    body = response.json()
    assert body == {
        "detail": f"This address is banned until {until.isoformat(timespec='seconds')}: flooding."
        f" If that is wrong, write to {settings.APPEAL_TO} and name ban {made.pk}.",
        "code": "banned",
        "ban": made.pk,
        "expires_at": until.isoformat(timespec="seconds"),
        "reason": "flooding",
    }
    assert response["X-Request-Id"]
    assert anonymous().get("/tasks/", REMOTE_ADDR="93.184.216.8").status_code == 200


def test_a_reason_that_is_not_public_is_not_told() -> None:
    ban(reason="looks like Bob", reason_is_public=False)
    assert "Bob" not in anonymous().get("/tasks/", REMOTE_ADDR=ADDRESS).content.decode()


def test_genuine_tokens_pass_a_ban_of_anonymous_and_made_up_ones_do_not() -> None:
    ban(applies_to="anonymous")
    alice = caller("alice")
    assert alice.get("/tasks/", REMOTE_ADDR=ADDRESS).status_code == 200
    forged = alice.token[:-1] + ("0" if alice.token[-1] != "0" else "1")
    assert anonymous().get("/tasks/", REMOTE_ADDR=ADDRESS, HTTP_AUTHORIZATION=f"Token {forged}").status_code == 403


def test_a_lifted_ban_is_gone() -> None:
    made = ban()
    assert actions.lift(bans=[made.pk], reason="a mistake") == 1
    watcher.catch_up()
    assert anonymous().get("/tasks/", REMOTE_ADDR=ADDRESS).status_code == 200
    assert [entry.act for entry in AuditEntry.objects.order_by("id")] == ["ban", "lift"]


def test_a_ban_of_the_same_network_takes_the_place_of_the_first() -> None:
    first = ban(applies_to="anonymous")
    second = ban()
    first.refresh_from_db()
    assert first.lifted_at is not None
    assert anonymous().get("/tasks/", REMOTE_ADDR=ADDRESS).json()["ban"] == second.pk


def test_low_and_high_are_the_ends_of_the_network() -> None:
    made = ban("2a00:1450::/48")
    made.refresh_from_db()
    network = ipaddress.ip_network("2a00:1450::/48")
    assert (made.low, made.high) == (int(network[0]), int(network[-1]))


def test_staff_can_sign_in_from_a_banned_network() -> None:
    ban()
    assert anonymous().get("/admin/login/", REMOTE_ADDR=ADDRESS).status_code == 200


# --- Without the front door: runserver, a plain WSGI server ---


@pytest.mark.parametrize(
    "forged", ["", "93.184.216.8, ", "93.184.216.8, 127.0.0.1, ", "garbage, ", "::ffff:93.184.216.8, "]
)
def test_behind_a_proxy_a_ban_holds_and_the_neighbours_are_not_hit(settings, forged: str) -> None:
    settings.TRUSTED_PROXIES = [ipaddress.ip_network("127.0.0.1/32")]
    ban()
    for written in (ADDRESS, f"{ADDRESS}:50123", f"::ffff:{ADDRESS}"):
        proxied = {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": forged + written}
        assert anonymous().get("/tasks/", **proxied).status_code == 403
    neighbour = {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": f"{ADDRESS}, 93.184.216.8"}
    assert anonymous().get("/tasks/", **neighbour).status_code == 200


def test_without_a_proxy_forwarded_headers_neither_free_nor_frame() -> None:
    ban()
    free = {
        "HTTP_X_FORWARDED_FOR": "93.184.216.8",
        "HTTP_X_REAL_IP": "93.184.216.8",
        "HTTP_FORWARDED": "for=93.184.216.8",
    }
    assert anonymous().get("/tasks/", REMOTE_ADDR=ADDRESS, **free).status_code == 403
    frame = dict.fromkeys(free, ADDRESS)
    assert anonymous().get("/tasks/", REMOTE_ADDR="93.184.216.8", **frame).status_code == 200


def test_a_browser_may_ask_what_it_may_send_where_tokens_pass() -> None:
    """A preflight carries no token: refused, it would keep every browser app with a token out."""
    ban(applies_to="anonymous")
    asked = {"HTTP_ORIGIN": "https://app.example", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST"}
    assert anonymous().options("/tasks/", REMOTE_ADDR=ADDRESS, **asked).status_code == 200
    for less in ({}, {"HTTP_ORIGIN": "https://app.example"}, {**asked, "HTTP_AUTHORIZATION": "Token made-up"}):
        assert anonymous().options("/tasks/", REMOTE_ADDR=ADDRESS, **less).status_code == 403, "no browser asks so"
    ban()
    assert anonymous().options("/tasks/", REMOTE_ADDR=ADDRESS, **asked).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_two_who_ban_the_same_network_at_the_same_moment_both_succeed() -> None:
    made = at_once(*[lambda: actions.ban(network=network_of(ADDRESS)).pk] * 4)
    assert list(Ban.objects.standing().values_list("pk", flat=True)) == [max(made)]
    assert Ban.objects.count() == 4
