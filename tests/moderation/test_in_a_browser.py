"""The admin on a phone, in a browser: from inside a range that is banned from everything, whoever talks is banned in three
taps and the ban undone; and no page of a bad night needs scrolling sideways or is too small for a thumb."""

from collections.abc import Iterator
from datetime import timedelta
from time import monotonic

import pytest
from django.core.management import call_command
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice
from playwright.sync_api import Page, expect

from makerlog.accounts.models import Maker
from makerlog.gate.bans import network_of
from moderation import actions
from moderation.cleanups import Posts
from moderation.models import Ban, Incident, IncidentFigures, IncidentNote, IncidentRefused
from moderation.rules import Offence
from tests.browser import PHONE as PHONE_SIZE
from tests.browser import SMALL_PHONE, phone, shot, sign_in
from tests.makers import caller
from tests.moderation.workers import Workers

pytestmark = pytest.mark.django_db(transaction=True)

LOUD, PHONE, NEIGHBOURS = "93.184.216.7", "93.184.220.9", "93.184.220.0/24"
PASSWORD = "night-shift-3am"
THUMB = 44  # pixels
TAPPED = "a.button, button, input:not([type=hidden], [type=checkbox]), select, textarea, summary"
# What is wrong with a page: it is wider than the screen, or something to be tapped is smaller than a thumb.
LOOK = """([tapped, thumb]) => {
  const wide = document.documentElement.scrollWidth > window.innerWidth ? ['the page is wider than the screen'] : []
  const high = each => each.getBoundingClientRect().height
  const taps = [...document.querySelectorAll(`main :is(${tapped})`)]
  const small = taps.filter(each => each.checkVisibility() && high(each) < thumb - .5)
  return [...wide, ...small.map(each => `${each.outerHTML.slice(0, 90)}: ${high(each)} px high`)]
}"""


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


@pytest.fixture
def paths() -> list[str]:
    """Pages of a bad night, with something on each."""
    spammer = caller("spammer")
    for number in range(3):
        spammer.post("/tasks/", {"content": f"Buy {number} pills at https://{'very-' * 12}long.example/", "done": True})
    made = actions.hide_posts(posts=Posts(maker=spammer.maker.pk, until=timezone.now()), reason="spam")
    rule = actions.act_by_rule(offence=Offence("2a00:1450:4001:81b::", "enumeration"), dry_run=False)
    incident = a_bad_night()
    assert rule is not None
    return [
        "lockdown/",
        "ruleact/",
        f"ruleact/{rule.pk}/change/",
        "cleanup/",
        "cleanup/add/",
        f"cleanup/{made.pk}/change/",
        f"incident/{incident.pk}/change/",
        "incident/",
        "routeswitch/",
        "ban/add/",
        "auditentry/",
    ]


def a_bad_night() -> Incident:
    now = timezone.now()
    incident = Incident.objects.create(began_at=now - timedelta(minutes=5))
    IncidentNote.objects.create(incident=incident, at=now, sentence=f"A flood began. The top talker is {LOUD}.")
    IncidentRefused.objects.create(incident=incident, at=now, client="2a00:1450:4001:81b::", count=1_234_567)
    for number in range(20):
        counts = dict.fromkeys(("requests", "served", "shed", "throttled", "banned", "failed"), 123_456)
        IncidentFigures.objects.create(incident=incident, at=now - timedelta(seconds=10 * number), **counts)
    return incident


def test_a_phone_in_a_banned_range_bans_who_talks_in_three_taps_and_undoes_it(
    workers: Workers, key: bytes, paths: list[str]
) -> None:
    actions.ban(network=network_of(NEIGHBOURS))
    in_force(workers, PHONE, 403)
    for worker in workers.each * 30:
        worker.status(LOUD, "/tasks/")
    with phone(PHONE) as page:
        page.set_default_timeout(10_000)
        failed: list[str] = []
        page.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
        sign_in(page, workers.port, "root", PASSWORD, key)
        faults = ban_in_three_taps(page, workers)
        with page.expect_navigation():
            page.get_by_role("button", name="Undo").tap()
        in_force(workers, LOUD, 404)
        assert failed == [], "styles and scripts too"
        for path in (*(f"/admin/moderation/{each}" for each in paths), "/admin/", "/status/"):
            page.goto(f"http://127.0.0.1:{workers.port}{path}")
            faults += seen(page, path.strip("/").replace("/", "-"))
        assert faults == []
    assert not Ban.objects.standing().filter(network=f"{LOUD}/32").exists()


def ban_in_three_taps(page: Page, workers: Workers) -> list[str]:
    page.get_by_role("link", name="Traffic: who asks for what just now").tap()
    loud = page.locator("[data-kind=address] .talkers li").filter(has_text=LOUD)
    expect(loud).to_be_visible()
    faults = seen(page, "traffic")
    loud.tap()
    faults += seen(page, "talker")
    page.get_by_role("link", name="1 hour").first.tap()
    faults += seen(page, "preview")
    page.get_by_role("button", name=f"Ban {LOUD}/32", exact=True).tap()
    in_force(workers, LOUD, 403)
    return faults


def seen(page: Page, name: str) -> list[str]:
    """What is wrong with the page, on the phone and on a smaller one."""
    faults = []
    for size in (PHONE_SIZE, SMALL_PHONE):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        faults += [f"{name}, {size['width']} px: {fault}" for fault in page.evaluate(LOOK, [TAPPED, THUMB])]
        shot(page, f"{name}-{size['width']}")
    return faults


def in_force(workers: Workers, address: str, status: int) -> None:
    """In every process. How soon is measured elsewhere."""
    workers.reach(address, status, since=monotonic(), seconds=5.0)
