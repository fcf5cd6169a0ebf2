"""`manage.py worker`: runs the jobs until SIGTERM or Ctrl-C; the one under way is finished first."""

from typing import Any

from django.core.management.base import BaseCommand

from makerlog.jobs.worker import Worker


class Command(BaseCommand):
    help = "Runs background jobs: mails, purges. Any number may run beside each other."

    def handle(self, *args: Any, **options: Any) -> None:
        Worker().run()
