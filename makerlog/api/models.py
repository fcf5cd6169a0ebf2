from django.db import models
from django.utils import timezone


class IdempotencyKey(models.Model):
    """The first answer to a POST that named an ``Idempotency-Key``, written in that POST's own transaction.

    ``body`` is null where the answer held a secret.
    """

    caller = models.CharField(max_length=64)
    route = models.CharField(max_length=300)  # method and path
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    body = models.BinaryField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["caller", "route", "key"], name="one_answer_per_key")]
        indexes = [models.Index(fields=["created_at"], name="idempotency_created")]
