"""At 3 AM, from a cold phone, while a flood is on: signed in, the flooding address seen, banned, and the flood refused."""

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from http.client import HTTPConnection
from json import dumps
from typing import Any

import pytest
from django.core.management import call_command
from django_otp.plugins.otp_totp.models import TOTPDevice
from playwright.sync_api import expect

from makerlog.accounts.models import Maker
from makerlog.gate.bans import network_of
from moderation import actions
from moderation.models import Ban
from moderation.rules import RULES
from tests.attack.floods.flood import Plan
from tests.browser import phone, shot, sign_in
from tests.moderation.workers import ROOT, Workers

pytestmark = [pytest.mark.attack, pytest.mark.django_db(transaction=True)]

FLOOD, PHONE, NEIGHBOURS = "93.184.216.7", "93.184.220.9", "93.184.220.0/24"
PASSWORD = "night-shift-3am"
PATHS = ["/tasks/?limit=100", "/products/", "/discussions/"]
FLOOD_S = 75.0


@pytest.fixture
def workers() -> Iterator[Workers]:
    call_command("collectstatic", interactive=False, verbosity=0)
    # The rules would ban it first, and this is about whoever was woken.
    with Workers(STAFF_SECOND_FACTOR="required", RULES_DRY_RUN=",".join(RULES)) as service:
        yield service


@pytest.fixture
def key(workers: Workers) -> bytes:
    """What the authenticator app of the admin holds."""
    root = Maker(username="root", email="root@example.com", is_staff=True, is_superuser=True)
    root.set_password(PASSWORD)
    root.save()
    return TOTPDevice.objects.create(user=root, name="app", confirmed=True).bin_key


@pytest.fixture
def flood(workers: Workers) -> Iterator[None]:
    """1,000 requests a second from one address, behind the trusted proxy that we are."""
    plan = Plan(
        port=workers.port, connections=64, seconds=FLOOD_S, target="lists", paths=PATHS, addresses=[FLOOD], rate=1000.0
    )
    command = [sys.executable, "-m", "tests.attack.floods.flood", dumps(asdict(plan))]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    yield
    process.terminate()
    process.communicate()


@pytest.mark.usefixtures("flood")
@pytest.mark.parametrize("banned", [False, True], ids=["from elsewhere", "from a banned range"])
def test_the_flooding_address_is_banned_within_half_a_minute(
    workers: Workers, key: bytes, banned: bool, say: Any
) -> None:
    if banned:
        actions.ban(network=network_of(NEIGHBOURS))
        assert eventually(lambda: asked(workers, PHONE) == 403, 2.0)
    began = time.monotonic()
    with phone(PHONE) as page:
        page.set_default_timeout(20_000)
        sign_in(page, workers.port, "root", PASSWORD, key)
        signed_in = time.monotonic()
        page.get_by_role("link", name="Traffic: who asks for what just now").tap()
        first = page.locator("[data-kind=address] .talkers li").first
        expect(first).to_contain_text(FLOOD)
        shot(page, f"console-{banned}")
        first.tap()
        shot(page, f"talker-{banned}")
        page.get_by_role("link", name="1 hour").first.tap()
        shot(page, f"preview-{banned}")
        page.get_by_role("button", name=f"Ban {FLOOD}/32", exact=True).tap()
        posted = time.monotonic()
        assert eventually(lambda: asked(workers, FLOOD) == 403, 5.0)
        refused = time.monotonic()
        expect(page.get_by_role("button", name="Undo")).to_be_visible()
        shot(page, f"banned-{banned}")
        page.get_by_role("link", name="Back to the traffic").tap()
        expect(page.locator("[data-kind=address] .talkers li em").first).to_have_text("banned")
        page.wait_for_timeout(4_000)
        shot(page, f"after-{banned}")
    say(
        f"signed in after {signed_in - began:.1f} s, banned after {posted - began:.1f} s, refused {refused - posted:.2f} s on"
    )
    assert refused - posted <= 1.0
    assert refused - began <= 30.0
    assert Ban.objects.standing().filter(network=f"{FLOOD}/32", applies_to="anonymous").exists()


def asked(workers: Workers, address: str) -> int:
    http = HTTPConnection("127.0.0.1", workers.port, timeout=5)
    try:
        http.request("GET", "/tasks/", headers={"X-Forwarded-For": address})
        return http.getresponse().status
    finally:
        http.close()


def eventually(true: Any, seconds: float) -> bool:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if true():
            return True
        time.sleep(0.02)
    return False
