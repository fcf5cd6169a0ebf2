"""Nothing of a maker who deletes their account is left: in no column of any table, in no key of Redis, in no file."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from discussions.models import Discussion
from makerlog.accounts import emails
from makerlog.accounts.models import AccessToken, Maker
from makerlog.api import refusals
from makerlog.changes.models import Change
from makerlog.gate.refusals import Refused
from makerlog.jobs.models import MAX_ATTEMPTS, Job
from moderation import actions as moderation
from moderation.emails import mail_warning
from moderation.models import AuditEntry, Cleanup
from moderation.roles import Role
from tasks.models import Task
from tests.accounts.test_me import picture
from tests.jobs.queue import run_jobs
from tests.makers import Caller, caller, just_logged_in, make_maker

pytestmark = pytest.mark.django_db

NAME = "zelda_quince"
ADDRESS, OLD, NEW = "203.0.113.77", "zelda.old@quince.example", "zelda.new@quince.example"
WORDS = ["Quincetask", "Quincewords", "Quincecomment", "Quinceproject", "Quinceproduct", "Quincetalk", "Quincereply"]
SAID = ["Zelda-first", "Quincestatus", "quince_tweets", "quince-token", "https://quince.example/me", "quince-external"]
NEEDLES = [NAME, ADDRESS, OLD, NEW, *WORDS, *SAID]


def tables() -> list[str]:
    return connection.introspection.table_names()


def found(needle: str) -> list[str]:
    """The tables that have a row in which ``needle`` stands, in whatever column and case."""
    with connection.cursor() as cursor:
        having = []
        for table in tables():
            cursor.execute(f'SELECT 1 FROM "{table}" AS kept WHERE kept::text ILIKE %s LIMIT 1', [f"%{needle}%"])
            having += [table] if cursor.fetchone() else []
    return having


def rows_of(table: str, column: str, value: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT count(*) FROM "{table}" WHERE "{column}"::text = %s', [str(value)])
        return int(cursor.fetchone()[0])


def references() -> list[tuple[str, str]]:
    """Every column of every model that refers to a maker."""
    from django.apps import apps

    fields = [field for model in apps.get_models(include_auto_created=True) for field in model._meta.local_fields]
    return [(field.model._meta.db_table, field.column) for field in fields if field.related_model is Maker]


@pytest.fixture
def zelda(committed: Any) -> Caller:
    """Has done all that one can do here, and was done all that one can be done."""
    zelda = just_logged_in(NAME)
    Maker.objects.filter(pk=zelda.maker.pk).update(email=OLD)
    zelda.defaults["REMOTE_ADDR"] = ADDRESS
    said = {"first_name": SAID[0], "status": SAID[1], "twitter_handle": SAID[2], "website": SAID[4]}
    assert zelda.patch("/me/", {**said, "avatar": picture()}, format="multipart").status_code == 200
    zelda.post("/tokens/", {"name": SAID[3]})
    posts(zelda)
    fails_to_mail(zelda)
    is_moderated(zelda)
    refusals.tell({token.public_id: [refusal()] for token in zelda.maker.tokens.all()})
    return zelda


def posts(zelda: Caller) -> None:
    bob, mine = caller("bob"), {"content": f"{WORDS[0]} #{WORDS[3]}", "description": WORDS[1], "external_id": SAID[5]}
    task = zelda.post("/tasks/", {**mine, "done": True}, HTTP_IDEMPOTENCY_KEY="quince").json()["id"]
    zelda.patch(f"/tasks/{task}/", {"attachment": picture()}, format="multipart")
    bobs = bob.post("/tasks/", {"content": "bob's"}).json()["id"]
    zelda.post(f"/tasks/{bobs}/comments/", {"content": WORDS[2]})
    zelda.post(f"/tasks/{bobs}/praise/")
    zelda.post("/users/bob/follow/")
    assert zelda.post("/products/", {"name": WORDS[4], "description": "a thing"}).status_code == 201
    assert zelda.post("/discussions/", {"title": WORDS[5], "body": WORDS[1]}).status_code == 201
    talk = bob.post("/discussions/", {"title": "bob's talk", "body": "words"}).json()["slug"]
    assert zelda.post(f"/discussions/{talk}/replies/", {"body": WORDS[6]}).status_code == 201
    assert zelda.delete(f"/tasks/{zelda.post('/tasks/', {'content': WORDS[0]}).json()['id']}/").status_code == 204


def fails_to_mail(zelda: Caller) -> None:
    """One job given up, one put off, with an error that quotes the address; one under way and one that waits."""
    zelda.patch("/me/privileged/", {"email": NEW})
    zelda.post("/accounts/forgot/", {"email": NEW.upper()})
    emails.mail_reset.enqueue(NEW)  # as the release before put it
    error = ConnectionRefusedError(f"550 <{OLD}> is unknown here")
    for job, attempts in zip(Job.objects.order_by("enqueued_at"), (MAX_ATTEMPTS, 1, 1), strict=False):
        job.worker_ids = ["worker"] * attempts
        job.note_failure(error)


def is_moderated(zelda: Caller) -> None:
    ada = moderation.set_role(maker=make_maker("ada"), role=Role.ADMIN)
    later = timezone.now() + timedelta(hours=1)
    moderation.warn(maker=zelda.maker, actor=ada, reason=f"Be kind, {NAME.upper()} ({NEW}).")
    moderation.suspend(maker=zelda.maker, kind=Maker.Suspension.READ_ONLY, expires_at=later, actor=ada, reason="Twice.")
    moderation.pause_token(token=zelda.maker.tokens.first(), until=None, actor=ada, reason=f"{NAME} spams.")
    Cleanup.objects.create(maker=zelda.maker.pk, until=later, reason=f"{NAME} spams.")
    moderation.unsuspend(maker=zelda.maker, actor=ada, reason="Well.")
    client = Client()
    client.force_login(ada)
    client.post(reverse("admin:accounts_maker_change", args=[zelda.maker.pk]), {"tester": "on", "_save": "Save"})


def refusal() -> Refused:
    return Refused("quince", 1_600_000_000.0, "GET", f"users/{NAME}/", 429, "throttled", "token", 7)


def test_no_column_of_any_table_knows_them_any_more(zelda: Caller, committed: Any) -> None:
    pk, ids = zelda.maker.pk, list(zelda.maker.tokens.values_list("public_id", flat=True))
    unseen = [needle for needle in NEEDLES if not found(needle)]
    assert unseen == [], "what was never stored cannot be seen to go"
    assert {"django_admin_log", Job._meta.db_table} <= {table for each in NEEDLES for table in found(each)}
    with committed():
        assert zelda.post("/accounts/delete_account/", {"validation": NAME}).status_code == 200
    Job.objects.update(run_after=timezone.now())
    run_jobs()
    assert {needle: found(needle) for needle in NEEDLES if found(needle)} == {}
    assert [each for each in references() if rows_of(*each, pk)] == []
    # What every process must hear of, by a random word: the journal forgets it after two days.
    assert {table for each in ids for table in found(each)} <= {Change._meta.db_table}
    assert refusals.newest(ids) == []
    assert list(Path(django_settings.MEDIA_ROOT).rglob("*.webp")) == []


def test_what_others_did_is_left(zelda: Caller, committed: Any) -> None:
    with committed():
        zelda.post("/accounts/delete_account/", {"validation": NAME})
    assert list(Task.objects.values_list("content", "comment_count", "praise")) == [("bob's", 0, 0)]
    assert list(Discussion.objects.values_list("title", "reply_count")) == [("bob's talk", 0)]
    assert Maker.objects.filter(username__in=["bob", "ada"]).count() == 2
    assert AccessToken.objects.count() == 1


def test_a_job_that_is_done_forgets_what_it_was_called_with(zelda: Caller) -> None:
    job = Job.objects.get(pk=emails.mail_reset.enqueue("somebody@else.example").id)
    Job.objects.exclude(pk=job.pk).delete()
    assert run_jobs() == 1
    job.refresh_from_db()
    assert (job.status, job.args_kwargs) == ("SUCCESSFUL", {"args": [], "kwargs": {}})


def test_a_mail_of_another_maker_is_not_taken_for_theirs_by_its_number(zelda: Caller, committed: Any) -> None:
    number = zelda.maker.pk
    kept = [emails.mail_token_paused.enqueue(number, "spam").id, mail_warning.enqueue(number).id]
    Job.objects.filter(pk__in=kept).update(run_after=timezone.now() + timedelta(days=1))
    with committed():
        zelda.post("/accounts/delete_account/", {"validation": NAME})
    run_jobs()
    assert Job.objects.filter(pk__in=kept).count() == 2


def test_staff_read_back_what_they_wrote_without_the_name(zelda: Caller) -> None:
    warned = AuditEntry.objects.get(act="warn")
    assert warned.reason == f"Be kind, {warned.subject} ({warned.subject})."
    assert AuditEntry.objects.get(act="resume_token").reason == f"maker:{zelda.maker.pk} spams."


def test_the_maker_is_called_by_name_in_the_warning_itself(zelda: Caller, mailoutbox: Any) -> None:
    Job.objects.update(run_after=timezone.now())
    run_jobs()
    [mail] = [each for each in mailoutbox if "A word about" in each.subject]
    assert f"Be kind, {NAME} (" in mail.body
