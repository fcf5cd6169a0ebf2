"""Projects and products in words, and what may be sent of them."""

from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.fields import empty

from makerlog.accounts.serializers import MakerSerializer
from makerlog.api.compiled import Part, Through
from makerlog.api.fields import (
    MAX_ID,
    AddressField,
    ComposedField,
    FlexibleBooleanField,
    FlexibleListField,
    FormTextField,
    HandleOrAddressField,
    TextField,
    UtcDateTimeField,
    WholeNumberField,
)
from makerlog.api.files import CleanImageField, StoredFileField
from makerlog.api.removals import RemovalSerializer
from makerlog.api.text import fold, is_blank, to_nfc
from products.models import (
    MAX_HOLDERS,
    MAX_PROJECTS,
    MAX_TAGS,
    MAX_TEAM,
    Invitation,
    Membership,
    Product,
    ProductRemoval,
    Project,
)

MAX_TAG = 40  # characters
SIGNS = "#＃﹟"  # that a hashtag may begin with


class ProjectSerializer(serializers.ModelSerializer):
    name = ComposedField(max_length=50)
    user = serializers.IntegerField(source="author_id", read_only=True)
    private = FlexibleBooleanField(required=False)

    class Meta:
        model = Project
        fields = ["id", "name", "private", "user"]

    def validate_name(self, name: str) -> str:
        """``#name`` names the same project."""
        if is_blank(bare := name.lstrip(SIGNS).strip()):
            raise serializers.ValidationError("A name is more than its #.")
        return bare


class ProductSummarySerializer(serializers.ModelSerializer):
    """A product as a task shows it."""

    user = serializers.IntegerField(source="author_id", read_only=True)
    icon = StoredFileField(read_only=True, allow_null=True)
    launched_at = UtcDateTimeField(read_only=True, allow_null=True)
    created_at = UtcDateTimeField(read_only=True)

    class Meta:
        model = Product
        fields = [
            "id", "name", "slug", "user", "icon", "description", "accent", "website", "twitter", "product_hunt",
            "launched", "launched_at", "created_at",
        ]  # fmt: skip
        read_only_fields = fields


class ProductSerializer(serializers.ModelSerializer):
    """A product as it is read: ``team`` holds ids, ``projects`` those that the reader may see."""

    user = serializers.IntegerField(source="author_id", read_only=True)
    team = serializers.ListField(child=serializers.IntegerField(), read_only=True, max_length=MAX_TEAM)
    projects: Any = serializers.ListSerializer(child=ProjectSerializer(), read_only=True, max_length=MAX_PROJECTS)
    tags = serializers.ListField(child=serializers.CharField(), read_only=True, max_length=MAX_TAGS)
    icon = StoredFileField(read_only=True, allow_null=True)
    launched_at = UtcDateTimeField(read_only=True, allow_null=True)
    created_at = UtcDateTimeField(read_only=True)
    updated_at = UtcDateTimeField(read_only=True)

    class Meta:
        model = Product
        fields = [
            "id", "name", "slug", "user", "team", "product_hunt", "twitter", "website", "projects", "launched",
            "launched_at", "icon", "description", "accent", "tags", "private", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields
        parts: ClassVar = {
            "team": Part(lambda reader: Membership.objects.filter(owner=False), by="product", value="maker"),
            "projects": Part(Project.objects.visible_to, by="products"),
        }


class MemberSerializer(Through, MakerSerializer):
    """A place on a team, as the maker who has it."""

    through = "maker"


class PlaceSerializer(Through, ProductSerializer):
    """A place on a team, as the product it is on."""

    through = "product"


class RelatedSerializer(serializers.Serializer):
    """What a project belongs to."""

    user = MakerSerializer(source="author")
    products: Any = serializers.ListSerializer(child=ProductSerializer(), max_length=MAX_HOLDERS)


class InvitationSerializer(serializers.ModelSerializer):
    """An invitation as the team reads it: ``user`` is invited, ``invited_by`` is an id."""

    user = MakerSerializer(source="maker")
    invited_by = serializers.IntegerField(source="invited_by_id", allow_null=True)
    created_at = UtcDateTimeField()
    expires_at = UtcDateTimeField()

    class Meta:
        model = Invitation
        fields = ["id", "user", "invited_by", "created_at", "expires_at"]
        read_only_fields = fields


class MyInvitationSerializer(serializers.ModelSerializer):
    """An invitation as the one reads it who is invited."""

    product = ProductSummarySerializer()
    invited_by = MakerSerializer(allow_null=True)
    created_at = UtcDateTimeField()
    expires_at = UtcDateTimeField()

    class Meta:
        model = Invitation
        fields = ["id", "product", "invited_by", "created_at", "expires_at"]
        read_only_fields = fields


class InviteSerializer(serializers.Serializer):
    user = serializers.CharField(max_length=30, help_text="Id or username of the maker.")


class ListInput(FlexibleListField):
    """A list that may be left out, and is empty where null is sent."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"required": False, **kwargs})

    def run_validation(self, data: Any = empty) -> Any:
        return super().run_validation([] if data is None else data)


class IdField(WholeNumberField):
    """An id, or the object that has it: old apps send back what they read."""

    def __init__(self) -> None:
        super().__init__(min_value=1, max_value=MAX_ID)

    def to_internal_value(self, data: Any) -> int:
        known: Any = data.get("id") if isinstance(data, dict) else data
        return super().to_internal_value(known)


class ProductInputSerializer(serializers.Serializer):
    """A product as it is sent. Whose the ids are is looked up by the action."""

    name = ComposedField(max_length=100)
    description = FormTextField(max_length=2000)
    website = AddressField()
    product_hunt = HandleOrAddressField(max_length=200)
    twitter = HandleOrAddressField(max_length=50)
    accent = FormTextField(max_length=20)
    icon = CleanImageField(side=512)
    tags = ListInput(child=ComposedField(max_length=MAX_TAG, allow_blank=True), max_length=MAX_TAGS)
    private = FlexibleBooleanField(required=False)
    launched = FlexibleBooleanField(required=False)
    team = ListInput(
        child=IdField(),
        max_length=MAX_TEAM + 1,
        help_text="Ids of makers: the others leave the team, and who is not on it is invited.",
    )
    projects = ListInput(child=IdField(), max_length=MAX_PROJECTS, help_text="Ids of projects of one's own.")

    def validate_tags(self, tags: list[str]) -> list[str]:
        """Small letters, without #, each once however it is written."""
        clean = {fold(tag): tag for tag in map(small, reversed(tags)) if tag}
        if any(len(tag) > MAX_TAG for tag in clean.values()):
            raise serializers.ValidationError(f"A tag has at most {MAX_TAG} characters.")
        return list(reversed(clean.values()))


def small(tag: str) -> str:
    """As a tag is shown; it may be longer than what was sent."""
    return to_nfc(tag.strip().lstrip(SIGNS).strip().lower())


class TagQuerySerializer(serializers.Serializer):
    q = TextField(max_length=40, default="", help_text="What the tag holds.")


class ProductRemovalSerializer(RemovalSerializer):
    class Meta(RemovalSerializer.Meta):
        model = ProductRemoval
