"""The journal of changes, and who has heard them."""

from django.db import models
from django.db.models.functions import Now


class Change(models.Model):
    """One thing that every process must load anew. ``number`` rises in the order of commits (see journal.announce)."""

    number = models.BigAutoField(primary_key=True)
    topic = models.CharField(max_length=20)
    key = models.CharField(max_length=200)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [
            models.Index(fields=["at"], name="change_age"),
            models.Index(fields=["topic", "key", "number"], name="change_of_thing"),
        ]


class Process(models.Model):
    """A heartbeat: a process that follows the journal, and how far it has come."""

    id = models.UUIDField(primary_key=True)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField(db_default=Now())
    version = models.BigIntegerField()
    # The newest versions and when each was in force here: [[version, Unix seconds], ...], at most HISTORY.
    reached = models.JSONField(default=list)

    class Meta:
        verbose_name_plural = "processes"
