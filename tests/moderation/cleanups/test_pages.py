"""The admin's pages and the commands: what it would hit first, then the act, its progress, and undo on the same spot."""

import io
import re

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from moderation.models import AuditEntry, Cleanup
from moderation.roles import Role
from tasks.models import Task
from tests.jobs.queue import run_jobs
from tests.makers import caller, make_maker
from tests.moderation.test_people_admin import signed_in
from tests.tasks.logs import log

pytestmark = pytest.mark.django_db

ADD, LIST = reverse("admin:moderation_cleanup_add"), reverse("admin:moderation_cleanup_changelist")


def shown() -> int:
    return Task.objects.filter(hidden=False).count()


def previewed(page: str) -> str:
    """What the hidden field of the form says."""
    found = re.search(r'name="previewed" value="([^"]*)"', page)
    return found[1].replace("&#x27;", "'") if found else ""


def test_a_moderator_sees_what_it_hits_hides_it_follows_it_and_undoes_it_on_the_spot() -> None:
    spammer, moderator = make_maker("spammer"), signed_in(Role.MODERATOR)
    for number in range(3):
        log(spammer, f"Buy {number}")
    form = {"user": "spammer", "reason": "spam"}
    page = moderator.post(ADD, form).content.decode()
    assert "3 posts by 1 maker" in page
    assert "spammer: Buy 2" in page
    assert shown() == 3
    answer = moderator.post(ADD, {**form, "previewed": previewed(page)}, follow=True)
    assert "Hiding: nothing so far, of at least 3." in answer.content.decode()
    assert "moderation/progress" in answer.content.decode()
    run_jobs()
    own = reverse("admin:moderation_cleanup_change", args=[Cleanup.objects.get().pk])
    page = moderator.get(own).content.decode()
    assert "Hidden from everybody but moderators: 3 tasks." in page
    assert "moderation/progress" not in page
    assert shown() == 0
    [undo] = re.findall(r'action="([^"]*undo/)"', page)
    moderator.post(undo, {"reason": "no spam"})
    run_jobs()
    assert "Undone: 3 tasks shown again, of 3 that were hidden." in moderator.get(own).content.decode()
    assert shown() == 3
    assert "undo/" not in moderator.get(own).content.decode()
    assert list(AuditEntry.objects.filter(subject__startswith="cleanup").values_list("act", flat=True)) == [
        "hide_posts",
        "unhide_posts",
    ]


def test_what_was_chosen_anew_after_the_preview_is_shown_first() -> None:
    log(make_maker("spammer"))
    log(make_maker("alice"))
    moderator = signed_in(Role.MODERATOR)
    seen = previewed(moderator.post(ADD, {"user": "spammer"}).content.decode())
    assert "1 post by 1 maker" in moderator.post(ADD, {"user": "alice", "previewed": seen}).content.decode()
    assert not Cleanup.objects.exists()


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"reason": "spam"}, "Say which posts"),
        ({"user": "nobody"}, "There is no maker"),
        ({"token": "mkl_aaaaaaaaaaa"}, "There is no such token"),
        ({"network": "elsewhere"}, "This is no address or range"),
        ({"posted_from": "soon"}, "Enter a valid date/time"),
    ],
)
def test_what_the_form_cannot_read_is_said(form: dict[str, str], said: str) -> None:
    assert said in signed_in(Role.MODERATOR).post(ADD, form).content.decode()
    assert not Cleanup.objects.exists()


def test_a_tokens_whole_text_is_not_shown_again() -> None:
    client = caller("spammer")
    client.post("/tasks/", {"content": "Buy"})
    page = signed_in(Role.MODERATOR).post(ADD, {"token": client.token}).content.decode()
    assert "1 post by 1 maker" in page
    assert client.token not in page


def test_a_helper_looks_and_hides_nothing() -> None:
    log(make_maker("spammer"))
    helper = signed_in(Role.HELPER)
    assert helper.get(LIST).status_code == 200
    assert helper.post(ADD, {"user": "spammer"}).status_code == 403


def test_the_list_says_what_each_chose_and_how_much_it_hid() -> None:
    log(make_maker("spammer"))
    call_command("hide_posts", "--user", "spammer", "--reason", "spam", "--yes", stdout=io.StringIO())
    page = signed_in(Role.HELPER).get(LIST).content.decode()
    assert "by spammer" in page
    assert "1 tasks" in page


def test_pages_of_makers_and_tokens_lead_to_hiding_what_they_posted() -> None:
    spammer, moderator = caller("spammer"), signed_in(Role.MODERATOR)
    token = spammer.maker.tokens.get()
    for name, pk in (("accounts_maker", spammer.maker.pk), ("accounts_accesstoken", token.pk)):
        page = moderator.get(reverse(f"admin:{name}_change", args=[pk])).content.decode()
        [link] = re.findall(rf'href="({ADD}\?[^"]*)"', page)
        assert moderator.get(link).context["form"].initial["user" if name == "accounts_maker" else "token"]


def test_the_commands_use_the_same_words_and_say_how_to_undo_it() -> None:
    out = io.StringIO()
    log(make_maker("spammer"), "Buy")
    call_command("hide_posts", "--user", "spammer", "--dry-run", stdout=out)
    assert out.getvalue() == "1 tasks\n  spammer: Buy\n1 of them by spammer\nNothing was hidden: this was a dry run.\n"
    call_command("hide_posts", "--user", "spammer", "--yes", stdout=out)
    cleanup = Cleanup.objects.get()
    assert out.getvalue().endswith(f"Hidden: 1. To undo it within 30 days: manage.py unhide_posts {cleanup.pk}\n")
    assert shown() == 0
    with pytest.raises(CommandError, match="Nothing was hidden: there is no such post"):
        call_command("hide_posts", "--user", "spammer", "--yes", stdout=out)
    call_command("unhide_posts", str(cleanup.pk), stdout=out)
    assert out.getvalue().endswith("Shown again: 1.\n")
    assert shown() == 1
    with pytest.raises(CommandError, match="undone already"):
        call_command("unhide_posts", str(cleanup.pk))
    with pytest.raises(CommandError, match="Say which posts"):
        call_command("hide_posts")
    with pytest.raises(CommandError, match="There is no clean-up 999"):
        call_command("unhide_posts", "999")


def test_a_visitor_is_sent_to_the_log_in() -> None:
    assert Client().get(ADD).status_code == 302
