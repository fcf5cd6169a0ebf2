from rest_framework import serializers

from makerlog.api.fields import FlexibleBooleanField, UtcDateTimeField
from products.models import Product, Project


class ProjectSerializer(serializers.ModelSerializer):
    user = serializers.IntegerField(source="author_id", read_only=True)
    private = FlexibleBooleanField(required=False)

    class Meta:
        model = Project
        fields = ["id", "name", "private", "user"]


class ProductSummarySerializer(serializers.ModelSerializer):
    """A product as a task shows it."""

    user = serializers.IntegerField(source="author_id", read_only=True)
    icon = serializers.URLField(source="icon_url", read_only=True, allow_null=True)
    launched_at = UtcDateTimeField(read_only=True, allow_null=True)
    created_at = UtcDateTimeField(read_only=True)

    class Meta:
        model = Product
        fields = [
            "id", "name", "slug", "user", "icon", "description", "accent", "website", "twitter", "product_hunt", "launched",
            "launched_at", "created_at",
        ]  # fmt: skip
        read_only_fields = fields
