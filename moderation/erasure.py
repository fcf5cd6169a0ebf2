"""What Django's admin remembers of a maker who goes: its log spells out whose page was saved."""

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType

from makerlog.accounts.models import Maker


def erase(maker: int) -> None:
    LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(Maker), object_id=str(maker)).delete()
