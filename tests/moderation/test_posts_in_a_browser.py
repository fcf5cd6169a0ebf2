"""On a phone, in a browser: one post is hidden and shown where it is seen; a range's page tells of the range; nothing moves
under a finger, and a session that is lost is told on the spot."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from makerlog.accounts.models import Maker
from moderation.models import Cleanup
from tasks.models import Task
from tests.browser import phone, shot, sign_in
from tests.makers import caller
from tests.moderation.test_in_a_browser import NEIGHBOURS, PASSWORD, in_force, key, seen, workers
from tests.moderation.workers import Workers

__all__ = ["key", "workers"]  # fixtures
pytestmark = pytest.mark.django_db(transaction=True)
WIDE = {"width": 1280, "height": 900}


def shots(page: Page, name: str) -> list[str]:
    faults = seen(page, name)
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    shot(page, f"{name}-1280")
    page.set_viewport_size({"width": 390, "height": 844})
    return faults


def test_one_post_is_hidden_and_shown_where_it_is_seen(workers: Workers, key: bytes) -> None:
    task = caller("spammer").post("/tasks/", {"content": "Buy pills"}).json()["id"]
    with phone("93.184.220.9") as page:
        page.set_default_timeout(10_000)
        sign_in(page, workers.port, "root", PASSWORD, key)
        expect(page.get_by_role("link", name="Traffic: who asks")).to_be_visible()
        page.goto(f"http://127.0.0.1:{workers.port}/admin/tasks/task/{task}/change/")
        faults = shots(page, "post")
        page.get_by_role("button", name="Hide").tap()
        expect(page.get_by_text(f"Hidden: task {task}. To undo it: Show.")).to_be_visible()
        faults += shots(page, "post-hidden")
        page.get_by_role("button", name="Show").tap()
        expect(page.get_by_text(f"Shown: task {task}.")).to_be_visible()
        page.get_by_role("button", name="Delete").tap()
        expect(page.get_by_text("Nothing brings these back")).to_be_visible()
        faults += shots(page, "post-delete")
        page.get_by_role("button", name="Delete for good").tap()
        expect(page.get_by_text(f"Deleted: task {task}.")).to_be_visible()
        assert faults == []
    assert not Task.objects.exists()


def test_a_range_that_was_banned_leads_back_to_its_own_live_figures(workers: Workers, key: bytes) -> None:
    with phone("8.8.4.4") as page:
        page.set_default_timeout(10_000)
        sign_in(page, workers.port, "root", PASSWORD, key)
        expect(page.get_by_role("link", name="Traffic: who asks")).to_be_visible()
        page.goto(
            f"http://127.0.0.1:{workers.port}/admin/moderation/ban/add/"
            f"?network={NEIGHBOURS.replace('/', '%2F')}&applies_to=anonymous&span=1h&from=traffic"
        )
        page.get_by_role("button", name=f"Ban {NEIGHBOURS}", exact=True).tap()
        expect(page).to_have_url(
            f"http://127.0.0.1:{workers.port}/admin/traffic/talker/?kind=range&name=93.184.220.0%2F24"
        )
        in_force(workers, "93.184.220.7", 403)
        undo = page.get_by_role("button", name="Undo")
        before = undo.bounding_box()
        for worker in workers.each * 10:
            worker.status("93.184.220.7", "/tasks/")
        refused = page.locator("#now div").filter(has_text="Refused").locator("dd")
        expect(refused).not_to_have_text("0")
        expect(page.locator("#now em", has_text="banned")).to_be_visible()
        assert undo.bounding_box() == before, "the button stayed under the finger"
        assert shots(page, "range") == []
        page.context.clear_cookies()
        expect(page.get_by_role("link", name="Sign in again")).to_be_visible()
        assert undo.bounding_box() == before
        assert shots(page, "session-lost") == []


def test_a_clean_up_that_goes_on_is_followed_without_a_reload(workers: Workers, key: bytes) -> None:
    made = Cleanup.objects.create(
        maker=Maker.objects.get().pk, until=timezone.now() - timedelta(days=1), expected=9, reason="spam"
    )
    with phone("8.8.4.4") as page:
        page.set_default_timeout(10_000)
        sign_in(page, workers.port, "root", PASSWORD, key)
        expect(page.get_by_role("link", name="Traffic: who asks")).to_be_visible()
        page.goto(f"http://127.0.0.1:{workers.port}/admin/moderation/cleanup/{made.pk}/change/")
        page.evaluate("window.stays = true")
        with page.expect_response(lambda answer: "/cleanup/" in answer.url):
            pass
        page.wait_for_timeout(300)
        assert page.evaluate("window.stays") is True
        assert shots(page, "cleanup") == []
