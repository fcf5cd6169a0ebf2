"""A maker in words: the public form, the same for every reader, and one's own."""

from typing import Any

from rest_framework import serializers

from makerlog.accounts.models import AccessToken, Maker
from makerlog.accounts.scopes import SCOPES, unknown_scopes
from makerlog.api.fields import FlexibleListField, TextField, UtcDateTimeField
from makerlog.api.files import CleanImageField


class PublicDefault(serializers.BooleanField):
    """A setting of its owner's: everybody else reads its default."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)

    def bind(self, field_name: str, parent: Any) -> None:
        super().bind(field_name, parent)
        self.value = Maker._meta.get_field(field_name).default

    def get_attribute(self, instance: Any) -> bool:
        return self.value


SETTINGS = ("digest", "dark_mode", "weekends_off", "hardcore_mode", "email_notifications", "ads_enabled")
FIELDS = (
    "id username first_name last_name status description verified private avatar streak timezone week_tda twitter_handle"
    " instagram_handle product_hunt_handle github_handle telegram_handle nomadlist_handle bmc_handle shipstreams_handle"
    " header is_staff is_moderator donor website tester is_live digest gold patron accent maker_score dark_mode weekends_off"
    " hardcore_mode email_notifications og_image date_joined follower_count ads_enabled streak_end_date"
).split()
OWN = (
    "first_name last_name status description private timezone twitter_handle instagram_handle product_hunt_handle"
    " github_handle telegram_handle nomadlist_handle bmc_handle shipstreams_handle website accent"
).split()


class MakerSerializer(serializers.ModelSerializer):
    """The public form of a maker, called User on the wire."""

    avatar = serializers.URLField(source="avatar_url", read_only=True)
    header = serializers.CharField(source="header_url", read_only=True)
    og_image = serializers.URLField(read_only=True, allow_null=True)
    streak = serializers.IntegerField(read_only=True)
    week_tda = serializers.IntegerField(read_only=True)
    maker_score = serializers.IntegerField(read_only=True)
    streak_end_date = UtcDateTimeField(read_only=True, allow_null=True)
    date_joined = UtcDateTimeField(read_only=True)
    digest = PublicDefault()
    dark_mode = PublicDefault()
    weekends_off = PublicDefault()
    hardcore_mode = PublicDefault()
    email_notifications = PublicDefault()
    ads_enabled = PublicDefault()

    class Meta:
        model = Maker
        fields = FIELDS
        read_only_fields = FIELDS


class MeSerializer(serializers.ModelSerializer):
    """Oneself: settings with their values."""

    og_image = serializers.URLField(read_only=True, allow_null=True)
    streak = serializers.IntegerField(read_only=True)
    week_tda = serializers.IntegerField(read_only=True)
    maker_score = serializers.IntegerField(read_only=True)
    streak_end_date = UtcDateTimeField(read_only=True, allow_null=True)
    date_joined = UtcDateTimeField(read_only=True)
    avatar = CleanImageField(side=512)
    header = CleanImageField(side=1920)

    class Meta:
        model = Maker
        fields = FIELDS
        read_only_fields = [name for name in FIELDS if name not in {*OWN, *SETTINGS, "avatar", "header"}]

    def to_representation(self, instance: Maker) -> dict[str, Any]:
        return {**super().to_representation(instance), "avatar": instance.avatar_url, "header": instance.header_url}


class TokenSerializer(serializers.ModelSerializer):
    """A personal token. Its secret is in the answer to its creation and nowhere else."""

    name = TextField(max_length=100)
    scopes = FlexibleListField(child=serializers.CharField(), required=False, max_length=len(SCOPES))
    created_at = UtcDateTimeField(read_only=True)
    last_used_at = UtcDateTimeField(read_only=True)
    expires_at = UtcDateTimeField(required=False, allow_null=True)

    class Meta:
        model = AccessToken
        fields = ["id", "name", "prefix", "scopes", "created_at", "expires_at", "last_used_at"]

    def validate_scopes(self, scopes: list[str]) -> list[str]:
        if unknown := unknown_scopes(scopes):
            raise serializers.ValidationError(f"Unknown: {', '.join(unknown)}. Known: {', '.join(SCOPES)}.")
        return scopes
