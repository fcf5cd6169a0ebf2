"""Mail is a job of the write that causes it, says what is true when it is sent, and keeps no secret while it waits."""

from typing import Any

import pytest
from django.core import mail
from django.db import transaction

from makerlog.accounts import emails
from makerlog.accounts.actions import delete_account, register, request_email_change
from makerlog.accounts.mailboxes import mailbox_of
from makerlog.jobs.models import Job
from tests.jobs.queue import run_jobs
from tests.makers import anonymous, make_maker

pytestmark = pytest.mark.django_db


def refuse(*args: Any) -> None:
    raise ConnectionRefusedError


def kept() -> list[Any]:
    return [job.args_kwargs["args"] for job in Job.objects.order_by("enqueued_at")]


@pytest.mark.django_db(transaction=True)
def test_mail_is_enqueued_with_the_write_and_taken_back_with_it() -> None:
    alice = make_maker("alice")
    with transaction.atomic():
        request_email_change(maker=alice, email="new@example.com")
        assert Job.objects.count() == 1
        transaction.set_rollback(True)
    assert Job.objects.count() == 0


def test_a_job_holds_no_link(mailoutbox: Any) -> None:
    register(email="alice@example.com", username="alice", password="correct horse")
    [[maker]] = kept()
    assert isinstance(maker, int)
    run_jobs()
    assert "/accounts/email_activate/" in mailoutbox[0].body
    assert "email_activate" not in str(Job.objects.values())


def test_a_maker_without_an_address_is_sent_nothing(mailoutbox: Any) -> None:
    owner = make_maker("alice")
    emails.mail_address_is_known.enqueue(owner.pk)
    emails.mail_address_changed.enqueue(owner.pk, "")
    type(owner).objects.update(email="")
    assert run_jobs() == 2
    assert mailoutbox == []
    assert Job.objects.done().count() == 2


def test_a_maker_who_is_gone_is_sent_nothing(mailoutbox: Any) -> None:
    alice = make_maker("alice", awaiting_activation=True, is_active=False)
    emails.mail_activation.enqueue(alice.pk)
    emails.mail_address_is_known.enqueue(alice.pk)
    emails.mail_address_changed.enqueue(alice.pk, "old@example.com")
    emails.mail_reset.enqueue("alice@example.com")
    delete_account(maker=alice)
    assert run_jobs() == 5  # the last one forgets what is left of them
    assert mailoutbox == []
    assert Job.objects.done().count() == 5


def test_who_activated_meanwhile_is_mailed_no_link(mailoutbox: Any) -> None:
    emails.mail_activation.enqueue(make_maker("alice").pk)
    run_jobs()
    assert mailoutbox == []


def test_a_mail_server_that_is_away_for_an_hour_loses_nothing(
    mailoutbox: Any, monkeypatch: pytest.MonkeyPatch, time_machine: Any
) -> None:
    time_machine.move_to("2026-11-22 12:00Z", tick=False)
    emails.mail_address_is_known.enqueue(make_maker("alice").pk)
    monkeypatch.setattr(mail.backends.locmem.EmailBackend, "send_messages", refuse)
    for minute in range(60):
        time_machine.move_to(f"2026-11-22 12:{minute:02}Z", tick=False)
        run_jobs()
    monkeypatch.undo()
    assert mailoutbox == []
    time_machine.move_to("2026-11-22 16:00Z", tick=False)
    run_jobs()
    assert [sent.to for sent in mailoutbox] == [["alice@example.com"]]


def test_a_known_and_an_unknown_address_cost_the_same(django_assert_num_queries: Any) -> None:
    make_maker("alice")
    for email in ("alice@example.com", "nobody@example.com"):
        with django_assert_num_queries(2):  # whose it is, and a job
            assert anonymous().post("/accounts/forgot/", {"email": email}).status_code == 200
    assert "@" not in str(Job.objects.values_list("args_kwargs"))


@pytest.mark.parametrize(
    "spelling",
    [
        "Ann+1@example.com ", "ann@EXAMPLE.com", "ann+x+y@example.com.", "ann@example.com",
    ],
)  # fmt: skip
def test_one_mailbox_under_many_names_is_one_mailbox(spelling: str) -> None:
    assert mailbox_of(spelling) == "ann@example.com"


@pytest.mark.parametrize(
    ("spelling", "mailbox"),
    [
        ("A.n.n+1@gmail.com", "ann@gmail.com"),
        ("a.nn@GoogleMail.com", "ann@gmail.com"),
        ("a.n.n@protonmail.com", "ann@proton.me"),
        ("ann@me.com", "ann@icloud.com"),
        ("a.n.n@example.com", "a.n.n@example.com"),
        ("ann@Bücher.example", "ann@xn--bcher-kva.example"),
        ("ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example"),
        ("ann@bu\u0308cher.example", "ann@xn--bcher-kva.example"),
        ("ann@under_score.example", "ann@under_score.example"),
        ("+tag@example.com", "+tag@example.com"),
        ("", ""),
    ],
)
def test_a_provider_s_other_spellings_are_the_same_mailbox(spelling: str, mailbox: str) -> None:
    assert mailbox_of(spelling) == mailbox


def test_two_mailboxes_are_two() -> None:
    boxes = {mailbox_of(each) for each in ("ann@example.com", "ann@example.org", "bob@example.org", "a.nn@example.com")}
    assert len(boxes) == 4
