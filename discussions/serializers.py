"""Discussions and replies in words, and what may be sent of them."""

import re
from typing import Any

from rest_framework import serializers

from discussions.models import MAX_BODY, Discussion, DiscussionRemoval, Reply
from makerlog.accounts.serializers import MakerSerializer
from makerlog.api.compiled import Through
from makerlog.api.fields import (
    MAX_ID,
    AlwaysNullField,
    ComposedField,
    FlexibleBooleanField,
    TextField,
    UtcDateTimeField,
    WholeNumberField,
    says_nothing,
)
from makerlog.api.removals import RemovalSerializer

CONTROLS = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]")


class BodyField(TextField):
    """Text of several lines. Control characters are left out: they mean nothing, and JSON writes each as six."""

    def to_internal_value(self, data: Any) -> str:
        return CONTROLS.sub("", super().to_internal_value(data))


class DiscussionSerializer(serializers.ModelSerializer):
    """A discussion, called Thread on the wire."""

    type = serializers.ChoiceField(choices=Discussion.Type.choices, required=False)
    owner = MakerSerializer(source="author", read_only=True)
    title = ComposedField(max_length=200)
    body = BodyField(max_length=MAX_BODY)
    pinned = FlexibleBooleanField(required=False)
    locked = FlexibleBooleanField(required=False)
    hidden = FlexibleBooleanField(required=False)
    created_at = UtcDateTimeField(read_only=True)
    updated_at = UtcDateTimeField(read_only=True)
    og_image = AlwaysNullField()

    class Meta:
        model = Discussion
        fields = [
            "id", "slug", "type", "owner", "title", "body", "pinned", "created_at", "updated_at", "reply_count",
            "og_image", "gold", "hidden", "locked",
        ]  # fmt: skip
        read_only_fields = ["slug", "reply_count", "gold"]


class ParentReplyField(WholeNumberField):
    """The id of the reply that is answered; null for the discussion itself."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        return super().run_validation(None if says_nothing(data) else data)


class ReplySerializer(serializers.ModelSerializer):
    """``parent`` is the slug of the discussion."""

    parent = serializers.SlugField(source="discussion.slug", read_only=True)  # type: ignore[assignment]
    parent_reply = ParentReplyField(
        source="parent_reply_id", required=False, allow_null=True, min_value=1, max_value=MAX_ID
    )
    owner = MakerSerializer(source="author", read_only=True)
    body = BodyField(max_length=MAX_BODY, allow_blank=False, required=True)
    created_at = UtcDateTimeField(read_only=True)
    updated_at = UtcDateTimeField(read_only=True)
    hidden = FlexibleBooleanField(required=False)

    class Meta:
        model = Reply
        fields = ["id", "parent", "parent_reply", "owner", "body", "praise", "created_at", "updated_at", "hidden"]
        read_only_fields = ["praise"]


class ParticipantSerializer(Through, MakerSerializer):
    """A maker's part in a discussion, as the maker."""

    through = "maker"


class PeopleQuerySerializer(serializers.Serializer):
    exclude_owner = FlexibleBooleanField(default=False, help_text="Without who opened the discussion.")


class DiscussionRemovalSerializer(RemovalSerializer):
    class Meta(RemovalSerializer.Meta):
        model = DiscussionRemoval
