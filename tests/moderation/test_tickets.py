"""The ops ticket: who gets it, what it opens, when it ends."""

from datetime import timedelta
from time import process_time, time
from urllib.parse import quote

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from makerlog.gate.bans import network_of
from moderation import actions
from moderation.roles import Role
from moderation.standing import tickets, watcher
from moderation.tickets import COOKIE, DEVICE, GOOD_FOR
from tests.makers import make_maker

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("nothing_stands")]
ADDRESS = "93.184.216.7"
BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"
BANS_PAGE = "/admin/moderation/ban/?q=standing"


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(make_maker("helga", is_staff=True, is_moderator=True, is_superuser=True))
    return client


def carried(client: Client) -> bytes:
    return f"sessionid=x; {COOKIE}={client.cookies[COOKIE].value}".encode()


def test_staff_get_a_ticket_that_no_script_and_no_other_site_can_use(staff: Client) -> None:
    staff.get("/admin/")
    cookie = staff.cookies[COOKIE]
    assert (cookie["path"], cookie["samesite"], cookie["httponly"]) == ("/admin/", "Strict", True)
    assert tickets.admit(carried(staff))


def test_it_is_not_given_to_makers_nor_outside_the_admin(staff: Client) -> None:
    staff.get("/docs/")
    assert COOKIE not in staff.cookies
    maker = Client()
    maker.force_login(make_maker("alice"))
    maker.get("/admin/", follow=True)
    assert COOKIE not in maker.cookies


def test_it_passes_a_ban_of_the_address_it_comes_from_and_nothing_else_does(staff: Client) -> None:
    staff.get("/admin/")
    actions.ban(network=network_of(ADDRESS))
    watcher.catch_up()
    assert staff.get("/admin/", REMOTE_ADDR=ADDRESS).status_code == 200
    assert staff.get("/tasks/", REMOTE_ADDR=ADDRESS).status_code == 403
    del staff.cookies[COOKIE], staff.cookies[DEVICE]
    assert staff.get("/admin/", REMOTE_ADDR=ADDRESS).status_code == 403


def test_a_session_passes_the_ban_when_the_hour_of_its_ticket_is_over_and_no_longer_than_it_lasts(
    staff: Client, time_machine
) -> None:
    now = timezone.now()
    time_machine.move_to(now)
    staff.get("/admin/")
    actions.ban(network=network_of(ADDRESS))
    watcher.catch_up()
    del staff.cookies[COOKIE]
    assert staff.get("/admin/", REMOTE_ADDR=ADDRESS).status_code == 200
    assert tickets.admit(carried(staff))
    mark = staff.cookies[DEVICE].value
    time_machine.move_to(now + timedelta(seconds=staff.session.get_expiry_age() + 60))
    assert tickets.known_as(mark) is None


def test_a_browser_in_a_banned_network_is_led_to_the_sign_in_and_a_script_is_refused(staff: Client) -> None:
    actions.ban(network=network_of(ADDRESS))
    watcher.catch_up()
    stranger = Client(REMOTE_ADDR=ADDRESS)
    answer = stranger.get("/admin/moderation/ban/?q=standing", HTTP_ACCEPT=BROWSER)
    assert (answer.status_code, answer["Location"]) == (302, f"/admin/login/?next={quote(BANS_PAGE, safe='/')}")
    assert stranger.get(answer["Location"], HTTP_ACCEPT=BROWSER).status_code == 200
    assert stranger.get("/admin/").status_code == 403
    assert stranger.get("/tasks/", HTTP_ACCEPT=BROWSER).status_code == 403
    assert staff.get(answer["Location"], REMOTE_ADDR=ADDRESS)["Location"] == BANS_PAGE


def test_it_gives_no_right(staff: Client) -> None:
    staff.get("/admin/")
    stranger = Client()
    stranger.cookies[COOKIE] = staff.cookies[COOKIE].value
    assert stranger.get("/admin/").status_code == 302


@pytest.mark.parametrize("forged", ["", "1", "1:1abc:xyz", "x" * 5_000, '"', "1:2:3:4"])
def test_a_made_up_ticket_admits_nobody(forged: str) -> None:
    assert not tickets.admit(f"{COOKIE}={forged}".encode())


def test_a_ticket_of_somebody_else_cannot_be_made_of_ones_own(staff: Client) -> None:
    staff.get("/admin/")
    _, rest = staff.cookies[COOKIE].value.split(":", 1)
    assert not tickets.admit(f"{COOKIE}=999:{rest}".encode())


def test_it_ends_after_an_hour_and_is_renewed_in_use(staff: Client, time_machine) -> None:
    now = timezone.now()
    time_machine.move_to(now)
    staff.get("/admin/")
    first = staff.cookies[COOKIE].value
    staff.get("/admin/")
    assert staff.cookies[COOKIE].value == first
    time_machine.move_to(now + timedelta(minutes=11))
    staff.get("/admin/")
    assert staff.cookies[COOKIE].value != first
    time_machine.move_to(now + GOOD_FOR + timedelta(seconds=2))
    assert tickets.issued_at(first) is None
    assert tickets.admit(carried(staff))


def test_whoever_is_suspended_or_loses_the_role_loses_the_ticket(staff: Client, time_machine) -> None:
    time_machine.move_to(timezone.now())
    helper = make_maker("hal", is_staff=True)
    client = Client()
    client.force_login(helper)
    for act in (
        lambda: actions.suspend(maker=helper, kind="read_only"),
        lambda: actions.set_role(maker=helper, role=Role.NONE),
    ):
        client.get("/admin/")
        ticket = carried(client) if COOKIE in client.cookies else b""
        time_machine.move_to(timezone.now() + timedelta(seconds=2))
        act()
        watcher.catch_up()
        assert not tickets.admit(ticket)


def test_all_tickets_can_be_voided_at_once(staff: Client, capsys) -> None:
    staff.get("/admin/")
    assert time() - (tickets.issued_at(staff.cookies[COOKIE].value) or 0) < 5
    call_command("revoke_tickets")
    watcher.catch_up()
    assert not tickets.admit(carried(staff))


def test_signing_out_leaves_the_ticket(staff: Client) -> None:
    staff.get("/admin/")
    staff.post("/admin/logout/")
    assert staff.cookies[COOKIE].value == ""


def test_a_made_up_cookie_costs_the_event_loop_nothing() -> None:
    began = process_time()
    assert not tickets.admit(COOKIE.encode() + b'="' + b"\\" * 30_000 + b'"')
    assert process_time() - began < 0.1
