"""Password hashing goes through its slots, wherever it happens."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.hashers import PBKDF2PasswordHasher, check_password, make_password
from django.test import Client, RequestFactory

from makerlog.accounts import hashing
from makerlog.accounts.actions import log_in
from makerlog.accounts.forms import StaffLoginForm
from makerlog.accounts.hashing import Slot, SlottedPBKDF2PasswordHasher, as_staff, hashing_slot
from makerlog.accounts.links import reset_tokens, uid_of
from makerlog.accounts.models import Maker
from makerlog.api.exceptions import Busy
from makerlog.gate import deadline
from tests.errors import assert_error
from tests.makers import anonymous, caller, make_maker

PASSWORD = "correct horse"


@pytest.fixture(autouse=True)
def _new_slots(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hashing, "slots", {"makers": Slot(), "staff": Slot()})
    monkeypatch.setattr(hashing.machine, "path", str(tmp_path / "hashes"))


@pytest.fixture
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "WAIT_S", 0.01)
    monkeypatch.setattr(hashing.machine, "wait_s", 0.01)


def reached(condition: Callable[[], bool], deadline_s: float = 5) -> bool:
    end = time.monotonic() + deadline_s
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


@pytest.mark.parametrize("password", [PASSWORD, "naïve\npass\0wörd \u2603"])
def test_the_hash_itself_is_djangos_own_whoever_makes_it(password: str) -> None:
    djangos = PBKDF2PasswordHasher().encode(password, "salt", iterations=3)
    ours = SlottedPBKDF2PasswordHasher()
    assert ours.encode(password, "salt", iterations=3) == djangos
    with as_staff():
        assert ours.encode(password, "salt", iterations=3) == djangos


def test_a_machine_that_starts_no_child_hashes_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert check_password(PASSWORD, make_password(PASSWORD))


def test_a_hash_takes_no_longer_than_its_request_may() -> None:
    with deadline.until(time.monotonic()), pytest.raises(Busy):
        SlottedPBKDF2PasswordHasher().encode(PASSWORD, "salt", iterations=10**8)


def test_where_nothing_is_left_of_the_cores_it_is_hashed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "IDLE_S", 0.0)
    assert check_password(PASSWORD, make_password(PASSWORD))


def test_of_two_at_once_the_second_waits_for_the_first() -> None:
    hashed: list[str] = []
    second = threading.Thread(target=lambda: hashed.append(make_password(PASSWORD)))
    with hashing_slot():
        second.start()
        assert not reached(lambda: bool(hashed), deadline_s=0.2)
    second.join(5)
    assert len(hashed) == 1


@pytest.mark.usefixtures("short_wait")
def test_who_waits_too_long_is_told_so() -> None:
    with hashing_slot(), pytest.raises(Busy):
        make_password(PASSWORD)
    make_password(PASSWORD)


HOLDER = """
import fcntl, os, sys, time
for name in sys.argv[1:]:
    fcntl.flock(os.open(name, os.O_RDWR | os.O_CREAT, 0o600), fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def other_process() -> Iterator[subprocess.Popen[bytes]]:
    """Has all places of the machine."""
    names = [f"{hashing.machine.path}-{number}" for number in range(hashing.machine.count)]
    with subprocess.Popen([sys.executable, "-c", HOLDER, *names], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


@pytest.mark.usefixtures("short_wait")
def test_all_processes_of_a_machine_hash_on_half_of_its_cores(other_process: subprocess.Popen[bytes]) -> None:
    with pytest.raises(Busy):
        make_password(PASSWORD)
    with as_staff():
        make_password(PASSWORD)
    other_process.kill()  # what it held is free
    other_process.wait()
    make_password(PASSWORD)


def test_whoever_waits_for_another_process_hashes_after_it(other_process: subprocess.Popen[bytes]) -> None:
    threading.Timer(0.2, other_process.kill).start()
    began = time.monotonic()
    assert check_password(PASSWORD, make_password(PASSWORD))
    assert time.monotonic() - began >= 0.2


def test_a_machine_that_has_no_such_file_hashes_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing.machine, "path", "/nowhere/hashes")
    assert check_password(PASSWORD, make_password(PASSWORD))


def test_few_wait_and_the_rest_are_refused_at_once() -> None:
    waiting = [threading.Thread(target=make_password, args=[PASSWORD]) for _ in range(hashing.MAX_WAITING)]
    with hashing_slot():
        for thread in waiting:
            thread.start()
        line = hashing.slots["makers"].line
        assert reached(lambda: line._value == 0)
        began = time.monotonic()
        with pytest.raises(Busy):
            make_password(PASSWORD)
        assert time.monotonic() - began < hashing.WAIT_S / 2
    for thread in waiting:
        thread.join(5)
    assert line._value == 1 + hashing.MAX_WAITING


@pytest.mark.usefixtures("short_wait")
def test_staff_have_a_slot_of_their_own() -> None:
    with hashing_slot():
        with as_staff():
            make_password(PASSWORD)
        with pytest.raises(Busy):
            make_password(PASSWORD)
    with as_staff(), hashing_slot(), pytest.raises(Busy):
        make_password(PASSWORD)


@pytest.mark.django_db
@pytest.mark.usefixtures("short_wait")
@pytest.mark.parametrize("path", ["log_in", "unknown", "register", "reset", "change"])
def test_every_way_to_a_hash_answers_503_while_the_slot_is_taken(path: str) -> None:
    alice = make_maker("alice", password=make_password(PASSWORD))
    client = caller("alice")
    new = {"password": "battery staple", "repeat_password": "battery staple"}
    link = {"uidb64": uid_of(alice), "token": reset_tokens.make_token(alice)}
    url, body = {
        "log_in": ("/api-token-auth/", {"username": "alice", "password": PASSWORD}),
        "unknown": ("/api-token-auth/", {"username": "nobody", "password": PASSWORD}),
        "register": ("/accounts/register/", {"email": "b@example.com", "username": "bob", **new}),
        "reset": ("/accounts/reset/", {**link, **new}),
        "change": ("/accounts/change_password/", {"old_password": PASSWORD, "new_password": new["password"]}),
    }[path]
    with hashing_slot():
        response = client.post(url, body)
    assert_error(response, 503, "hashing_busy")
    assert int(response["Retry-After"]) > 0
    assert client.post(url, body).status_code < 500


@pytest.mark.django_db
@pytest.mark.usefixtures("short_wait")
def test_a_bad_request_costs_no_hash() -> None:
    with hashing_slot():
        assert anonymous().post("/api-token-auth/", {"username": "alice"}).status_code == 400
        assert anonymous().post("/accounts/register/", {"email": "b@example.com"}).status_code == 400
        link = {"uidb64": "MQ", "token": "a-b", "password": "battery staple", "repeat_password": "battery staple"}
        assert_error(anonymous().post("/accounts/reset/", link), 400, "bad_link")


def staff_form(password: str = PASSWORD) -> StaffLoginForm:
    return StaffLoginForm(RequestFactory().post("/admin/login/"), data={"username": "boss", "password": password})


@pytest.mark.django_db
@pytest.mark.usefixtures("short_wait")
def test_the_admins_form_logs_in_while_makers_crowd_theirs() -> None:
    make_maker("boss", password=make_password(PASSWORD), is_staff=True)
    with hashing_slot():
        assert staff_form().is_valid()
        assert not staff_form("wrong").is_valid()


@pytest.mark.django_db
@pytest.mark.usefixtures("short_wait")
def test_the_admins_form_says_that_it_is_busy() -> None:
    make_maker("boss", password=make_password(PASSWORD), is_staff=True)
    with as_staff(), hashing_slot():
        form = staff_form()
        assert not form.is_valid()
    assert form.non_field_errors() == ["Too many sign-ins at once. Try again in a moment."]


@pytest.mark.django_db
def test_the_admins_page_takes_the_form(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    monkeypatch.setattr(admin.site, "login_form", StaffLoginForm)
    make_maker("boss", password=make_password(PASSWORD), is_staff=True)
    make_maker("alice", password=make_password(PASSWORD))
    client = Client()
    assert client.post("/admin/login/?next=/admin/", {"username": "alice", "password": PASSWORD}).status_code == 200
    assert client.post("/admin/login/?next=/admin/", {"username": "boss", "password": PASSWORD}).status_code == 302


@pytest.mark.django_db
def test_a_log_in_token_costs_no_hash() -> None:
    with hashing_slot():
        client: Any = anonymous()
        client.credentials(HTTP_AUTHORIZATION=f"Token {log_in(maker=make_maker('alice'))}")
        assert client.get("/me/").json()["id"] == Maker.objects.get().pk
