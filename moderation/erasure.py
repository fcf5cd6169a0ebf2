"""What the staff wrote of a maker who goes: Django's log spells out whose page was saved, a clean-up says why. The audit log
names nobody (see audit.nameless)."""

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType

from makerlog.accounts.models import Maker
from moderation.models import Cleanup


def erase(maker: int) -> None:
    LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(Maker), object_id=str(maker)).delete()
    Cleanup.objects.filter(maker=maker).exclude(reason="").update(reason="")
