"""What moderation need not keep."""

from datetime import timedelta

from django.utils import timezone

from makerlog.api.purging import purge
from moderation.models import SignInFailure

FAILURES_KEPT = timedelta(days=30)


def purge_sign_in_failures() -> int:
    return purge(SignInFailure.objects.filter(hour__lt=timezone.now() - FAILURES_KEPT).order_by("hour"))
