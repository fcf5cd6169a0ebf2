"""The owner of the admin in a browser: never locked out, and never told what is not so."""

import re
from collections.abc import Iterator
from time import monotonic

import pytest
from django.contrib.admin import site
from django.core.management import call_command
from django.urls import reverse
from django_otp.plugins.otp_totp.models import TOTPDevice
from playwright.sync_api import Page, expect

from makerlog.accounts.models import Maker
from makerlog.gate.bans import network_of
from moderation import actions
from moderation.rules import RULES
from moderation.tickets import COOKIE, DEVICE
from tests.browser import PHONE, phone, shot, sign_in
from tests.moderation.workers import Workers

pytestmark = pytest.mark.django_db(transaction=True)

LAPTOP = {"width": 1280, "height": 900}
ADDRESS, RANGE = "93.184.220.9", "93.184.220.0/24"
PASSWORD = "night-shift-3am"
BANS = "/admin/moderation/ban/"


@pytest.fixture
def workers() -> Iterator[Workers]:
    call_command("collectstatic", interactive=False, verbosity=0)
    with Workers(STAFF_SECOND_FACTOR="required") as service:
        yield service


@pytest.fixture
def key() -> bytes:
    root = Maker(username="root", email="root@example.com", is_staff=True, is_superuser=True)
    root.set_password(PASSWORD)
    root.save()
    return TOTPDevice.objects.create(user=root, name="app", confirmed=True).bin_key


def seen(page: Page, name: str) -> None:
    """Pictures of the page, on a phone and on a laptop."""
    for size in (LAPTOP, PHONE):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        shot(page, f"{name}-{size['width']}")


def forget_cookies(page: Page, *names: str) -> None:
    for name in names:
        page.context.clear_cookies(name=name)


def test_from_a_banned_network_a_cold_page_of_the_admin_leads_to_the_sign_in_and_back_to_the_page(
    workers: Workers, key: bytes
) -> None:
    actions.ban(network=network_of(RANGE))
    workers.reach(ADDRESS, 403, since=0.0, seconds=float("inf"))
    with phone(ADDRESS) as page:
        page.set_default_timeout(10_000)
        sign_in(page, workers.port, "root", PASSWORD, key, to=f"{BANS}?q=standing")
        expect(page).to_have_url(f"http://127.0.0.1:{workers.port}{BANS}?q=standing")
        expect(page.get_by_text(RANGE).first).to_be_visible()
        seen(page, "owner-bans")
        for lost in ([COOKIE], [DEVICE], [COOKIE, DEVICE]):  # the session is left, the hour's ticket is not
            forget_cookies(page, *lost)
            page.goto(f"http://127.0.0.1:{workers.port}/admin/traffic/")
            expect(page).to_have_url(f"http://127.0.0.1:{workers.port}/admin/traffic/")
            expect(page.get_by_role("heading", name="Traffic").first).to_be_visible()
        seen(page, "owner-traffic")


def test_every_page_bans_and_switches_for_an_hour_unless_i_choose_for_good(workers: Workers, key: bytes) -> None:
    at = f"http://127.0.0.1:{workers.port}/admin"
    with phone(ADDRESS) as page:
        page.set_default_timeout(10_000)
        sign_in(page, workers.port, "root", PASSWORD, key)
        expect(page).to_have_url(f"{at}/")
        page.goto(f"{at}/moderation/ban/add/")
        page.get_by_label("Address or range").fill("93.184.216.7")
        page.get_by_label("For:", exact=True).fill("")  # emptied by a thumb
        page.get_by_role("button", name="See whom it would hit").tap()
        seen(page, "owner-ban")
        page.get_by_role("button", name="Ban 93.184.216.7/32", exact=True).tap()
        expect(page.get_by_text("ends in 1 hour").first).to_be_visible()
        expect(page.get_by_text("It applies to anonymous only").first).to_be_visible()
        page.goto(f"{at}/moderation/routeswitch/?q=graphql")
        expect(page.get_by_label("How long")).to_have_value("1h")
        page.goto(f"{at}/moderation/routeswitch/?q=tasks")
        page.locator("button[value='tokens_only tasks/']").tap()
        expect(page.get_by_text("ends in 1 hour").first).to_be_visible()
        seen(page, "owner-routes")
        page.goto(f"{at}/moderation/lockdown/")
        page.locator("button[value=guarded]").tap()
        expect(page.get_by_text("ends in 1 hour").first).to_be_visible()
        page.goto(f"{at}/traffic/talker/?kind=address&name=93.184.216.8")
        expect(page.get_by_role("link", name="for good").first).to_have_attribute("href", re.compile("span=good"))
        seen(page, "owner-talker")


def test_with_a_proxy_that_nobody_trusts_the_first_page_and_the_page_of_the_ban_say_that_it_bites_nowhere(
    key: bytes,
) -> None:
    ban = actions.ban(network=network_of("93.184.216.7"))
    call_command("collectstatic", interactive=False, verbosity=0)
    workers = Workers()
    workers.proxies.write_text("10.9.9.9/32")
    with workers, phone(ADDRESS) as page:
        page.set_default_timeout(10_000)
        for worker in workers.each * 5:
            assert worker.status("93.184.216.7", "/tasks/") == 200, "the ban does nothing"
        sign_in(page, workers.port, "root", PASSWORD, key)
        warning = page.locator(".errornote").filter(has_text="TRUSTED_PROXIES does not name it (127.0.0.1)")
        expect(warning).to_be_visible()
        seen(page, "owner-untrusted")
        page.goto(f"http://127.0.0.1:{workers.port}/admin/moderation/ban/{ban.pk}/change/")
        expect(page.get_by_text("It bites nowhere: it has refused nobody, and 10 requests")).to_be_visible()
        seen(page, "owner-blunt")
        page.goto(f"http://127.0.0.1:{workers.port}/admin/")
        expect(warning).to_be_visible()


def test_whoever_carries_a_session_of_staff_reads_as_many_pages_as_they_like(workers: Workers, key: bytes) -> None:
    pages = [reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_changelist") for model in site._registry]
    pages += [
        "/admin/traffic/",
        "/admin/moderation/ban/add/",
        "/admin/moderation/cleanup/add/",
        "/admin/login/second-factor/",
    ]
    assert len({*pages, "/admin/"}) > RULES["enumeration"].threshold
    with phone("93.184.216.9") as page:
        page.set_default_timeout(10_000)
        sign_in(page, workers.port, "root", PASSWORD, key)
        expect(page).to_have_url(f"http://127.0.0.1:{workers.port}/admin/")
        for path in pages:
            page.goto(f"http://127.0.0.1:{workers.port}{path}")
        page.wait_for_timeout(5_000)  # two looks of the rules
        assert page.goto(f"http://127.0.0.1:{workers.port}/status/").status == 200  # type: ignore[union-attr]
        page.goto(f"http://127.0.0.1:{workers.port}/admin/moderation/ruleact/")
        expect(page.get_by_text("No rule did anything so far.")).to_be_visible()
        seen(page, "owner-rules")


def test_an_office_on_the_allowlist_passes_the_ban_of_its_range_in_every_process(workers: Workers, key: bytes) -> None:
    actions.ban(network=network_of(RANGE))
    workers.reach(ADDRESS, 403, since=0.0, seconds=float("inf"))
    with phone(ADDRESS) as page:
        page.set_default_timeout(10_000)
        sign_in(page, workers.port, "root", PASSWORD, key, to="/admin/moderation/allowlistentry/")
        page.get_by_label("Address or range").fill(ADDRESS)
        page.get_by_label("Whose it is").fill("our office")
        page.get_by_role("button", name="Add to the allowlist").tap()
        expect(page.get_by_text(f"{ADDRESS}/32 (our office) is on the allowlist")).to_be_visible()
        workers.reach(ADDRESS, 404, since=monotonic(), seconds=5.0)
        seen(page, "owner-allowlist")
        page.get_by_role("button", name=f"Take {ADDRESS}/32 off").tap()
        expect(page.get_by_text("Taken off")).to_be_visible()
        workers.reach(ADDRESS, 403, since=monotonic(), seconds=5.0)
