"""How far an export has come, and where its files lie."""

import secrets
from datetime import datetime, timedelta

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from makerlog.accounts.models import Maker

KEPT = timedelta(days=3)  # from when it was asked for
GIVEN_UP = timedelta(days=1)  # a job that fails is tried for 15 hours: what is not ready by then will never be
MOST_PARTS = 1_000


def random_stem() -> str:
    return secrets.token_urlsafe(16)


class Export(models.Model):
    """One export of a maker, who has one at a time. ``stem``: what its files' names begin with; ``parts``: how many are
    there. ``section`` and ``after``: what the next part begins with (see sections.py); "" and None when all is packed."""

    maker = models.OneToOneField(Maker, models.CASCADE, related_name="export")
    stem = models.CharField(max_length=22, unique=True, default=random_stem)
    asked_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    parts = models.PositiveIntegerField(default=0)
    section = models.CharField(max_length=40, blank=True)
    after = models.JSONField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(finished_at=None) | Q(finished_at__gte=F("asked_at")), name="an_export_ends_after_it_began"
            ),
        ]
        indexes = [models.Index(fields=["asked_at"], name="export_by_age")]

    def __str__(self) -> str:
        return f"export {self.pk} ({self.parts} parts)"

    @property
    def kept_until(self) -> datetime:
        return self.asked_at + KEPT

    @property
    def is_ready(self) -> bool:
        return self.finished_at is not None and timezone.now() < self.kept_until

    @property
    def is_under_way(self) -> bool:
        return self.finished_at is None and timezone.now() < self.asked_at + GIVEN_UP

    @property
    def is_whole(self) -> bool:
        """False where it was cut off after ``MOST_PARTS``."""
        return self.finished_at is not None and not self.section

    @property
    def files(self) -> list[str]:
        """Names in the storage."""
        return [self.part(number) for number in range(1, self.parts + 1)]

    @property
    def traces(self) -> list[str]:
        """The same, and what a job may be writing, or left behind when it died."""
        return [*self.files, self.part(self.parts + 1)]

    def part(self, number: int) -> str:
        return f"{self.stem}-{number}.zip"
