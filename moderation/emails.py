"""The mails that moderation sends: jobs, as makerlog.accounts.emails has them."""

from django.conf import settings
from django_tasks import task

from makerlog.accounts.emails import send
from makerlog.accounts.models import Maker
from moderation.models import AuditEntry

WARNING = """Hello {maker.username},

the people who look after Makerlog ask you to read this:

{reason}

Nothing has changed for your account. If this is wrong, write to {appeal}.
"""

FACTOR = """Hello {maker.username},

the second factor of your account {what}.

If it was not you, somebody has your password: choose a new one, and tell another admin, at once.
"""


@task()
def mail_warning(entry: int) -> None:
    """``entry``: of the audit log, where the words stand."""
    noted = AuditEntry.objects.get(pk=entry)
    if maker := Maker.objects.filter(pk=noted.subject.removeprefix("maker:")).first():
        words = noted.reason.replace(noted.subject, maker.username)  # as they were written: see audit.nameless
        send(
            "notice",
            maker.email,
            "A word about your account",
            WARNING.format(maker=maker, reason=words, appeal=settings.APPEAL_TO),
        )


@task()
def mail_second_factor(maker: int, what: str) -> None:
    """``what``: became of it."""
    if owner := Maker.objects.filter(pk=maker).first():
        send("notice", owner.email, "Your second factor", FACTOR.format(maker=owner, what=what))
