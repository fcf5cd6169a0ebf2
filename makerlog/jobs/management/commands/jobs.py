"""`manage.py jobs`: how the queue is doing."""

from typing import Any

from django.core.management.base import BaseCommand

from makerlog.jobs.status import MOST, status


class Command(BaseCommand):
    help = f"Tells how many background jobs wait, run and were given up (each counted up to {MOST:,})."

    def handle(self, *args: Any, **options: Any) -> None:
        now = status()
        print(f"waiting  {now.waiting}" + (f" (the oldest for {now.oldest_s:.0f} s)" if now.waiting else ""))
        print(f"put off  {now.put_off}")
        print(f"running  {now.running}")
        print(f"given up {now.failed}")
