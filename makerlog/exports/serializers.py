"""How an export is doing, in words."""

from typing import Any

from rest_framework import serializers

from makerlog.api.fields import UtcDateTimeField
from makerlog.exports.models import MOST_PARTS, Export


class ExportSerializer(serializers.Serializer):
    state = serializers.ChoiceField(["under_way", "ready"])
    asked_at = UtcDateTimeField()
    finished_at = UtcDateTimeField(allow_null=True)
    kept_until = UtcDateTimeField(help_text="When its files are deleted.")
    whole = serializers.BooleanField(help_text="False while it is under way, and where it was too large to be whole.")
    links: Any = serializers.ListField(
        child=serializers.URLField(),
        max_length=MOST_PARTS,
        help_text="ZIP files, good for an hour; ask for new ones here.",
    )


def described(export: Export, links: list[str]) -> dict[str, Any]:
    state = "ready" if export.is_ready else "under_way"
    times = {name: getattr(export, name) for name in ("asked_at", "finished_at", "kept_until")}
    return {"state": state, **times, "whole": export.is_whole, "links": links}
