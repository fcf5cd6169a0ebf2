"""Signing in with a second factor: who owes a code, what it opens, and what wrong ones cost."""

import re
from base64 import b32decode
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from makerlog.accounts.models import Maker
from moderation import actions, second_factor
from moderation.models import AuditEntry, SignInFailure
from moderation.roles import NotAllowed, Role
from moderation.standing import tickets, watcher
from moderation.tickets import COOKIE, DEVICE, HALFWAY_FOR, KNOWN_FOR
from tests.jobs.queue import run_jobs
from tests.makers import make_maker

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("nothing_stands")]
PASSWORD = "correct horse battery"
LOG_IN, CODE, FACTOR = "/admin/login/", "/admin/login/code/", "/admin/login/second-factor/"


@pytest.fixture
def required(settings: Any) -> None:
    settings.STAFF_SECOND_FACTOR = "required"


def staff(name: str = "root", **flags: bool) -> Maker:
    maker = make_maker(name, is_staff=True, **(flags or {"is_superuser": True}))
    maker.set_password(PASSWORD)
    maker.save()
    return maker


def with_password(name: str = "root", **extra: Any) -> tuple[Client, Any]:
    client = Client(REMOTE_ADDR="8.8.8.8")
    return client, client.post(
        LOG_IN, {"username": name, "password": PASSWORD, "next": "/admin/moderation/ban/"}, **extra
    )


def code_of(key: bytes, ahead: int = 0) -> str:
    """What an app shows for ``key``, so many half minutes from now."""
    app = TOTP(key)
    app.time = timezone.now().timestamp() + 30 * ahead
    return f"{app.token():06}"


def enrolled(maker: Maker) -> tuple[bytes, list[str]]:
    """The key and the recovery codes of a second factor set up half a minute ago."""
    key = "ab" * 20
    codes = actions.set_up_second_factor(maker=maker, key=key, code=code_of(bytes.fromhex(key), -1))
    return bytes.fromhex(key), codes


def inside(client: Client) -> bool:
    return client.get("/admin/moderation/ban/").status_code == 200


def acts() -> list[str]:
    return list(AuditEntry.objects.order_by("pk").values_list("act", flat=True))


# --- Signing in ---


def test_the_password_leads_to_the_code_and_the_code_to_where_one_wanted(settings: Any) -> None:
    key, _ = enrolled(staff())
    client, response = with_password()
    assert response["Location"] == f"{CODE}?next=%2Fadmin%2Fmoderation%2Fban%2F"
    assert not inside(client)
    assert COOKIE not in client.cookies
    page = client.get(response["Location"]).content.decode()
    assert 'autocomplete="one-time-code"' in page
    assert 'inputmode="numeric"' in page
    done = client.post(response["Location"], {"code": code_of(key)})
    assert done["Location"] == "/admin/moderation/ban/"
    assert tickets.issued_at(client.cookies[COOKIE].value)
    assert inside(client)
    entry = AuditEntry.objects.get(act="sign_in")
    assert entry.details == {"second_factor": "totp"}


def test_the_session_of_a_password_alone_opens_no_page_and_no_act(required: None) -> None:
    maker = staff()
    enrolled(maker)
    victim = make_maker("alice")
    client, _ = with_password()
    for path in ("/admin/", "/admin/moderation/ban/add/", f"/admin/accounts/maker/{victim.pk}/change/"):
        assert client.get(path).status_code == 302
    client.post(f"/admin/accounts/maker/{victim.pk}/act/", {"act": "close"})
    victim.refresh_from_db()
    assert victim.is_active
    assert client.get(FACTOR)["Location"] == CODE
    assert COOKIE not in client.cookies


def test_a_code_works_once_and_a_wrong_one_is_counted_and_slows_down(time_machine: Any) -> None:
    time_machine.move_to(timezone.now(), tick=False)
    maker = staff()
    key, _ = enrolled(maker)
    first, _ = with_password()
    first.post(CODE, {"code": code_of(key)})
    client, _ = with_password()
    assert "is not right" in client.post(CODE, {"code": "no-code-at-all"}).content.decode()
    replayed = client.post(CODE, {"code": code_of(key)}).content.decode()
    assert "Too many wrong codes" in replayed
    assert "Too many wrong codes" in client.post(CODE, {"code": code_of(key, 1)}).content.decode()
    time_machine.move_to(timezone.now() + timedelta(seconds=61), tick=False)
    assert client.post(CODE, {"code": code_of(key)}).status_code == 302
    failure = SignInFailure.objects.get()
    assert (failure.kind, failure.maker, failure.count) == ("code", maker, 3)


def test_wrong_codes_lock_nobody_out_for_long() -> None:
    maker = staff()
    enrolled(maker)
    TOTPDevice.objects.update(
        throttling_failure_count=30, throttling_failure_timestamp=timezone.now() - timedelta(days=99999)
    )
    assert second_factor.verified(maker, "000000") is None
    until = second_factor.locked_until(maker)
    assert until is not None
    assert until < timezone.now() + timedelta(minutes=9)


def test_a_recovery_code_lets_in_once_and_is_not_to_be_read_off_the_database() -> None:
    maker = staff()
    _, codes = enrolled(maker)
    client, _ = with_password()
    assert client.post(CODE, {"code": codes[0].replace("-", " ")})["Location"] == FACTOR
    assert "left: <strong>9</strong>" in client.get(FACTOR).content.decode()
    again, _ = with_password()
    assert again.post(CODE, {"code": codes[0]}).status_code == 200
    kept = list(maker.staticdevice_set.get().token_set.values_list("token", flat=True))
    assert not {code.replace("-", "") for code in codes} & set(kept)


def test_codes_from_one_address_are_limited(settings: Any) -> None:
    enrolled(staff())
    client, _ = with_password()
    del client.cookies[DEVICE]
    statuses = [client.post(CODE, {"code": "000000"}).status_code for _ in range(21)]
    assert (set(statuses[:-1]), statuses[-1]) == ({200}, 429)


# --- Setting it up ---


def test_where_it_is_required_the_password_leads_to_setting_it_up_and_to_nothing_else(required: None) -> None:
    maker = staff()
    client, response = with_password()
    assert response["Location"].startswith(FACTOR)
    assert not inside(client)
    page = client.get(response["Location"]).content.decode()
    assert "<svg" in page
    assert not re.search(r'(src|href)="(https?:)?//', page)
    key = b32decode(re.search(r"type this key: <code>(\w+)</code>", page)[1])  # type: ignore[index]
    assert "not the code" in client.post(FACTOR, {"code": "000000"}).content.decode()
    assert not TOTPDevice.objects.exists()
    shown = client.post(response["Location"], {"code": code_of(key)})
    codes = re.findall(r"<li><code>(\d{4}-\d{4}-\d{4})</code>", shown.content.decode())
    assert len(codes) == 10
    assert "no-store" in shown["Cache-Control"]
    assert inside(client)
    assert codes[0] not in client.get(FACTOR).content.decode()
    assert acts() == ["second_factor.set_up", "sign_in"]
    run_jobs()
    assert [(sent.to, "was set up" in sent.body) for sent in mail.outbox] == [([maker.email], True)]


def test_where_it_is_offered_nobody_owes_one(settings: Any) -> None:
    staff()
    client, response = with_password()
    assert response["Location"] == "/admin/moderation/ban/"
    assert inside(client)
    assert client.get(FACTOR).status_code == 200


def test_a_session_found_open_sets_up_no_second_factor_of_somebody_else(time_machine: Any) -> None:
    now = timezone.now()
    time_machine.move_to(now, tick=False)
    staff()
    client, _ = with_password()
    assert client.get(FACTOR).status_code == 200
    time_machine.move_to(now + timedelta(hours=1, seconds=1), tick=False)
    key = client.session["second_factor_key"]
    response = client.post(FACTOR, {"code": code_of(bytes.fromhex(key))})
    assert response["Location"] == f"{LOG_IN}?next=%2Fadmin%2Flogin%2Fsecond-factor%2F"
    assert not TOTPDevice.objects.exists()
    again = client.post(response["Location"], {"username": "root", "password": PASSWORD, "next": FACTOR})
    assert again["Location"] == FACTOR
    assert client.get(FACTOR).status_code == 200


def test_new_recovery_codes_and_taking_it_off_ask_for_a_code(time_machine: Any) -> None:
    now = timezone.now()
    time_machine.move_to(now, tick=False)
    key, codes = enrolled(staff())
    client, _ = with_password()
    client.post(CODE, {"code": code_of(key)})
    client.post(FACTOR, {"code": "000000", "take_off": "1"})
    assert TOTPDevice.objects.exists()
    time_machine.move_to(now + timedelta(seconds=60), tick=False)
    renewed = re.findall(r"<code>(\d{4}-\d{4}-\d{4})<", client.post(FACTOR, {"code": code_of(key)}).content.decode())
    assert len(renewed) == 10
    assert not set(renewed) & set(codes)
    client.post(FACTOR, {"code": renewed[0], "take_off": "1"})
    assert not TOTPDevice.objects.exists()
    assert acts()[-1] == "second_factor.taken_off"


# --- Resetting somebody else's ---


def test_an_admin_resets_it_from_the_page_of_a_maker_and_all_that_stood_on_it_ends() -> None:
    moderator = staff("mo", is_moderator=True)
    key, _ = enrolled(moderator)
    client, _ = with_password("mo")
    client.post(CODE, {"code": code_of(key)})
    ticket, device = client.cookies[COOKIE].value, client.cookies[DEVICE].value
    admin = Client()
    admin.force_login(staff())
    admin.post(f"/admin/accounts/maker/{moderator.pk}/act/", {"act": "reset_factor", "reason": "lost phone"})
    watcher.catch_up()
    assert not TOTPDevice.objects.exists()
    assert tickets.issued_at(ticket) is None
    assert tickets.known_as(device) is None
    assert AuditEntry.objects.get(act="second_factor.reset").reason == "lost phone"


@pytest.mark.parametrize("role", [Role.HELPER, Role.MODERATOR])
def test_nobody_below_an_admin_touches_an_admin(role: Role) -> None:
    admin, actor = staff(), staff("mo", is_moderator=role is Role.MODERATOR)
    enrolled(admin)
    for act in (
        lambda: actions.reset_second_factor(maker=admin, actor=actor),
        lambda: actions.warn(maker=admin, actor=actor, reason="You."),
        lambda: actions.suspend(maker=admin, actor=actor),
        lambda: actions.set_role(maker=admin, actor=actor, role=Role.NONE),
        lambda: actions.set_open(maker=admin, actor=actor, is_open=False),
    ):
        with pytest.raises(NotAllowed):
            act()
    client = Client()
    client.force_login(actor)
    client.post(f"/admin/accounts/maker/{admin.pk}/act/", {"act": "reset_factor"})
    assert TOTPDevice.objects.exists()


def test_a_command_resets_it(capsys: pytest.CaptureFixture[str]) -> None:
    maker = staff()
    enrolled(maker)
    call_command("reset_second_factor", "root", "--reason", "lost")
    assert "it is gone" in capsys.readouterr().out
    assert not second_factor.has_factor(maker.pk)


# --- Failures, warnings ---


def test_failures_are_counted_by_the_hour_and_name_only_staff() -> None:
    maker = staff()
    make_maker("alice")
    for name in ("root", "root", "alice", "nobody", "nobody\x00"):
        Client().post(LOG_IN, {"username": name, "password": "wrong"})
    assert {(row.maker, row.count) for row in SignInFailure.objects.all()} == {(maker, 2), (None, 3)}
    assert AuditEntry.objects.count() == 0


def test_a_helper_warns_a_maker_by_mail() -> None:
    alice, helper = make_maker("alice"), staff("helga", is_moderator=False)
    client = Client()
    client.force_login(helper)
    said = client.post(f"/admin/accounts/maker/{alice.pk}/act/", {"act": "warn", "reason": "Be kind."}, follow=True)
    assert "A mail to alice is on its way." in said.content.decode()
    run_jobs()
    assert [(sent.to, "Be kind." in sent.body) for sent in mail.outbox] == [([alice.email], True)]
    assert acts() == ["warn"]


# --- Known devices ---


def test_a_device_is_known_for_a_month_after_a_whole_sign_in_and_for_minutes_after_a_password(
    time_machine: Any,
) -> None:
    now = timezone.now()
    time_machine.move_to(now, tick=False)
    maker = staff()
    key, _ = enrolled(maker)
    client, _ = with_password()
    halfway = client.cookies[DEVICE].value
    assert tickets.known_as(halfway) == str(maker.pk)
    assert client.cookies[DEVICE]["path"] == "/admin/"
    client.post(CODE, {"code": code_of(key)})
    known = client.cookies[DEVICE].value
    time_machine.move_to(now + HALFWAY_FOR + timedelta(seconds=2), tick=False)
    assert (tickets.known_as(halfway), tickets.known_as(known)) == (None, str(maker.pk))
    time_machine.move_to(now + KNOWN_FOR + timedelta(seconds=2), tick=False)
    assert tickets.known_as(known) is None
    assert client.get("/admin/logout/").status_code in (302, 405)


@pytest.mark.parametrize("everybody", [False, True])
def test_devices_become_strangers_for_good_also_in_a_process_that_starts_later(
    everybody: bool, time_machine: Any
) -> None:
    time_machine.move_to(timezone.now(), tick=False)
    maker = staff()
    staff("ada")  # the last admin keeps the role
    client, _ = with_password()
    mark = f"{DEVICE}={client.cookies[DEVICE].value}".encode()
    assert tickets.know(mark)
    time_machine.move_to(timezone.now() + timedelta(seconds=2), tick=False)
    if everybody:
        actions.revoke_tickets()
    else:
        actions.set_role(maker=maker, role=Role.NONE)
    watcher.catch_up()
    assert not tickets.know(mark)
    time_machine.move_to(timezone.now() + timedelta(days=3), tick=False)
    tickets.load()
    assert not tickets.know(mark)


@pytest.mark.parametrize("forged", ["", "1.99999999", "1.600:1abc:xyz", "x" * 5_000])
def test_a_made_up_mark_is_a_stranger(forged: str) -> None:
    assert not tickets.know(f"{DEVICE}={forged}".encode())


def test_who_knocks_from_the_same_address_uses_up_nothing_of_a_known_device() -> None:
    staff()
    client, _ = with_password()
    for _ in range(12):
        Client(REMOTE_ADDR="8.8.8.8").post(LOG_IN, {"username": "root", "password": "wrong"})
    assert with_password()[1].status_code == 429
    assert client.post(LOG_IN, {"username": "root", "password": PASSWORD}).status_code == 302
