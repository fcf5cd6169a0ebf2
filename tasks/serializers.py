"""A task in words."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.utils import timezone
from rest_framework import serializers

from makerlog.accounts.serializers import MakerSerializer
from makerlog.api.compiled import Part
from makerlog.api.fields import (
    AlwaysNullField,
    AlwaysOneField,
    ComposedField,
    FlexibleBooleanField,
    NullableField,
    NullableTextField,
    UtcDateTimeField,
)
from makerlog.api.files import CleanImageField
from makerlog.api.removals import RemovalSerializer
from products.models import MAX_HOLDERS, Product, Project
from products.serializers import ProductSummarySerializer, ProjectSerializer
from tasks.models import MAX_PROJECTS, Task, TaskComment, TaskRemoval

CLOCK_SKEW = timedelta(minutes=15)


class TaskSerializer(serializers.ModelSerializer):
    content = ComposedField(max_length=500)
    description = NullableTextField(max_length=5000)
    done = FlexibleBooleanField(required=False)
    in_progress = FlexibleBooleanField(required=False)
    due_at = UtcDateTimeField(required=False, allow_null=True)
    done_at = UtcDateTimeField(required=False, allow_null=True)
    external_id = NullableField(max_length=200)
    attachment = CleanImageField(side=2048, animated=True)
    created_at = UtcDateTimeField(read_only=True)
    updated_at = UtcDateTimeField(read_only=True)
    user = MakerSerializer(source="author", read_only=True)
    project_set: Any = serializers.ListSerializer(
        child=ProjectSerializer(), source="projects", read_only=True, max_length=MAX_PROJECTS
    )
    product_set: Any = serializers.ListSerializer(
        child=ProductSummarySerializer(), source="products", read_only=True, max_length=MAX_PROJECTS * MAX_HOLDERS
    )
    og_image = AlwaysNullField()
    video = AlwaysNullField()

    class Meta:
        model = Task
        fields = [
            "id", "event", "done", "in_progress", "content", "created_at", "updated_at", "due_at", "done_at", "user",
            "description", "project_set", "product_set", "praise", "attachment", "comment_count", "og_image", "video",
            "external_id",
        ]  # fmt: skip
        read_only_fields = ["event", "praise", "comment_count"]
        parts: ClassVar = {
            "project_set": Part(Project.objects.visible_to, by="filings__task"),
            "product_set": Part(Product.objects.visible_to, by="filings__task"),
        }

    def validate_done_at(self, moment: datetime | None) -> datetime | None:
        if moment and moment > timezone.now() + CLOCK_SKEW:
            raise serializers.ValidationError("A task cannot be done in the future; due_at says when it is due.")
        return moment


class CommentSerializer(serializers.ModelSerializer):
    """``object_id`` and ``content_type`` say what it is a comment on, as old clients decode it: always a task."""

    user = MakerSerializer(source="author", read_only=True)
    content = ComposedField(max_length=2000)
    object_id = serializers.IntegerField(source="task_id", read_only=True)
    content_type = AlwaysOneField()
    created_at = UtcDateTimeField(read_only=True)
    updated_at = UtcDateTimeField(read_only=True)

    class Meta:
        model = TaskComment
        fields = ["id", "user", "content", "object_id", "content_type", "created_at", "updated_at"]


class SyncSerializer(serializers.Serializer):
    sync_date = UtcDateTimeField(help_text="What to send as last_sync_date the next time.")
    data: Any = TaskSerializer(many=True)
    deleted = serializers.ListField(child=serializers.IntegerField(), help_text="Ids.")
    next = serializers.URLField(allow_null=True)


class BatchAnswerSerializer(serializers.Serializer):
    """Of one task of a batch: 201 or 200 and the task, or 400 and what is wrong with it."""

    status = serializers.IntegerField()
    task = TaskSerializer(required=False)
    errors: Any = serializers.DictField(required=False)


class TaskRemovalSerializer(RemovalSerializer):
    class Meta(RemovalSerializer.Meta):
        model = TaskRemoval
