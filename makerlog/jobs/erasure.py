"""What the queue remembers of a maker who goes: jobs are called with addresses, and mail servers quote them in errors."""

from django.db.models import Q
from django_tasks import task
from django_tasks.base import TaskResultStatus as Status

from makerlog.accounts.models import Maker
from makerlog.jobs.models import Job

MAILS = Q(task_path__contains=".emails.")
BY_OTHER_IDS = Q(task_path__endswith=".mail_token_paused") | Q(task_path__endswith=".mail_warning")  # and no maker's


def erase(maker: int) -> None:
    """As a job, for the queue may be long; and as one that runs after those that wait now."""
    addresses = Maker.objects.values_list("email", "pending_email").get(pk=maker)
    forget_jobs.enqueue(maker, *filter(None, addresses))


@task()
def forget_jobs(maker: int, *emails: str) -> None:
    """Mails to whoever is gone need no second attempt. Those under way right now end by themselves: they find nobody."""
    theirs = MAILS & ~BY_OTHER_IDS & Q(args_kwargs__args__0=maker)
    for email in filter(None, emails):  # which the release before named in a job, and mail servers quote
        theirs |= Q(args_kwargs__args__0__iexact=email) | Q(traceback__icontains=email)
    Job.objects.filter(theirs, status__in=[Status.READY, Status.FAILED]).delete()
