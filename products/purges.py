"""What need not be kept of teams."""

from django.utils import timezone

from makerlog.api.purging import purge
from products.models import Invitation


def purge_invitations() -> int:
    """Those that are over, answered or not."""
    return purge(Invitation.objects.filter(expires_at__lte=timezone.now()).order_by("expires_at"))
