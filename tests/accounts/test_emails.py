"""Mail is a job of the write that causes it, says what is true when it is sent, and keeps no secret while it waits."""

from typing import Any

import pytest
from django.core import mail
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from makerlog.accounts import emails
from makerlog.accounts.actions import delete_account, register, update_profile
from makerlog.api.throttling import mailbox
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
        update_profile(maker=alice, email="new@example.com")
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


def test_a_mail_costs_the_write_that_causes_it_one_statement(django_assert_num_queries: Any) -> None:
    alice = make_maker("alice")
    with CaptureQueriesContext(connection) as quiet:
        update_profile(maker=alice, email="alice@example.com")
    with django_assert_num_queries(len(quiet) + 1):
        update_profile(maker=alice, email="new@example.com")


def test_a_known_and_an_unknown_address_cost_the_same(django_assert_num_queries: Any) -> None:
    make_maker("alice")
    for email in ("alice@example.com", "nobody@example.com"):
        with django_assert_num_queries(2):  # whose it is, and a job
            assert anonymous().post("/accounts/forgot/", {"email": email}).status_code == 200
    assert "@" not in str(Job.objects.values_list("args_kwargs"))


def test_one_mailbox_under_many_names_is_one_mailbox() -> None:
    assert mailbox("Ann+1@example.com ") == mailbox("ann+2@example.com") == mailbox("ann@example.com")
    assert mailbox("ann@example.com") != mailbox("ann@example.org") != mailbox("bob@example.org")
