"""A maker in words: the public form, the same for every reader, and one's own."""

from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from rest_framework import serializers
from rest_framework.fields import empty

from makerlog.accounts import links
from makerlog.accounts.actions import USERNAME_TAKEN
from makerlog.accounts.mailboxes import mailbox_of, validate_mail_address
from makerlog.accounts.models import DEFAULT_AVATAR, AccessToken, FreedUsername, Maker, validate_timezone
from makerlog.accounts.names import validate_username
from makerlog.accounts.scopes import KNOWN_SCOPES, TOKENS, unknown_scopes
from makerlog.accounts.tokens import LAST_EXPIRY
from makerlog.api.compiled import Through
from makerlog.api.fields import (
    AddressField,
    ComposedField,
    Constant,
    FlexibleBooleanField,
    FlexibleListField,
    FormTextField,
    HandleOrAddressField,
    TextField,
    UtcDateTimeField,
    says_nothing,
)
from makerlog.api.files import CleanImageField
from makerlog.api.text import fold
from makerlog.gate.limits import MIB


class PublicDefault(Constant, serializers.BooleanField):
    """A setting of its owner's: everybody else reads its default."""

    def bind(self, field_name: str, parent: Any) -> None:
        super().bind(field_name, parent)
        self.constant = Maker._meta.get_field(field_name).get_default()  # type: ignore[union-attr]


SETTINGS = ("digest", "dark_mode", "weekends_off", "hardcore_mode", "email_notifications", "ads_enabled")
FIELDS = (
    "id username first_name last_name status description verified private avatar streak timezone week_tda"
    " twitter_handle instagram_handle product_hunt_handle github_handle telegram_handle nomadlist_handle bmc_handle"
    " shipstreams_handle header is_staff is_moderator donor website tester is_live digest gold patron accent"
    " maker_score dark_mode weekends_off hardcore_mode email_notifications og_image date_joined follower_count"
    " ads_enabled streak_end_date"
).split()
OWN = (
    "first_name last_name status description private timezone twitter_handle instagram_handle product_hunt_handle"
    " github_handle telegram_handle nomadlist_handle bmc_handle shipstreams_handle website accent"
).split()


class UnlessEmpty(ComposedField):
    """Text that cannot be taken away: sent as nothing, it counts as not sent."""

    def get_value(self, dictionary: Any) -> Any:
        value = super().get_value(dictionary)
        return empty if value is None or says_nothing(value) else value


class MailAddressField(serializers.EmailField):
    """An address with one spelling: no quoted local part, and a host that has a name."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=254, **kwargs)
        self.validators.append(validate_mail_address)

    def to_internal_value(self, data: Any) -> str:
        return Maker.objects.normalize_email(super().to_internal_value(data))


class EmailUnlessEmpty(UnlessEmpty, MailAddressField):
    pass


class PasswordField(serializers.CharField):
    """Taken as typed, spaces included."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, write_only=True, max_length=1024, **kwargs)


class WithPassword(serializers.Serializer):
    """A body that may hold the password of the caller's account (see reauthentication.py). Empty counts as not sent."""

    password = PasswordField(
        required=False,
        allow_blank=True,
        help_text="The account's password; not needed with a log-in token of the last hour.",
    )


class DerivedSerializer(serializers.ModelSerializer):
    """What is derived of a maker, the same in every form."""

    og_image = serializers.URLField(read_only=True, allow_null=True)
    streak = serializers.IntegerField(read_only=True)
    week_tda = serializers.IntegerField(read_only=True)
    maker_score = serializers.IntegerField(read_only=True)
    streak_end_date = UtcDateTimeField(read_only=True, allow_null=True)
    date_joined = UtcDateTimeField(read_only=True)


class MakerSerializer(DerivedSerializer):
    """The public form of a maker, called User on the wire: for a day of theirs, as long as their row stays as it is.

    Its numbers count public tasks only, and so are those of a private maker 0: one's own stand on /me/.
    """

    kept = "day"

    streak = serializers.IntegerField(source="public_streak", read_only=True)
    week_tda = serializers.IntegerField(source="public_week_tda", read_only=True)
    maker_score = serializers.IntegerField(source="public_maker_score", read_only=True)
    streak_end_date = UtcDateTimeField(source="public_streak_end_date", read_only=True, allow_null=True)

    avatar = serializers.URLField(source="avatar_url", read_only=True)
    header = serializers.CharField(source="header_url", read_only=True)
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


class FollowedSerializer(Through, MakerSerializer):
    """Of a follow, the maker who is followed."""

    through = "followed"


class MediaQuota(Constant, serializers.IntegerField):
    constant = settings.MEDIA_QUOTA_MB * MIB


class MeSerializer(DerivedSerializer):
    """Oneself: settings with their values."""

    serializer_field_mapping: ClassVar[dict[type[models.Field], type[serializers.Field]]] = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.BooleanField: FlexibleBooleanField,
        models.CharField: FormTextField,
        models.TextField: FormTextField,
        models.URLField: AddressField,
    }

    def build_standard_field(self, field_name: str, model_field: Any) -> Any:
        made, values = super().build_standard_field(field_name, model_field)
        return (HandleOrAddressField if field_name.endswith("_handle") else made), values

    timezone = UnlessEmpty(required=False, max_length=64, validators=[validate_timezone])
    avatar = CleanImageField(side=512, nothing=DEFAULT_AVATAR)
    header = CleanImageField(side=1920, nothing="")
    media_bytes = serializers.IntegerField(read_only=True, help_text="What one's images take.")
    media_quota = MediaQuota(help_text="What they may take, in bytes.")

    class Meta:
        model = Maker
        fields = [*FIELDS, "media_bytes", "media_quota"]
        read_only_fields = [name for name in FIELDS if name not in {*OWN, *SETTINGS, "avatar", "header"}]


class PrivilegedSerializer(WithPassword, MeSerializer):
    """Oneself, with what nobody else is told. A new address asks for the password, or a log-in of the last hour."""

    email = EmailUnlessEmpty(required=False, help_text="A new one counts once the link that is mailed to it is opened.")
    pending_email = serializers.EmailField(read_only=True, help_text="The new one, until then; else empty.")
    needs_setup = serializers.BooleanField(read_only=True)

    class Meta(MeSerializer.Meta):
        fields = [*MeSerializer.Meta.fields, "email", "pending_email", "needs_setup", "password"]


class TimezoneSerializer(serializers.Serializer):
    timezone = serializers.CharField(max_length=64, validators=[validate_timezone])


class FollowingSerializer(serializers.Serializer):
    is_following = serializers.BooleanField()


class TokenSerializer(serializers.ModelSerializer):
    """A token. Its secret is in the answer to its creation and nowhere else."""

    name = TextField(max_length=100)
    scopes = FlexibleListField(
        child=serializers.CharField(), required=False, allow_empty=False, max_length=len(KNOWN_SCOPES),
        help_text=f"Default: those of the token that asks, but for `{TOKENS}`.",
    )  # fmt: skip
    created_at = UtcDateTimeField(read_only=True)
    last_used_at = UtcDateTimeField(read_only=True, allow_null=True)
    expires_at = UtcDateTimeField(required=False, allow_null=True)

    class Meta:
        model = AccessToken
        fields = ["id", "kind", "name", "prefix", "scopes", "created_at", "expires_at", "last_used_at", "second_factor"]
        read_only_fields = ["kind", "second_factor"]

    def validate_scopes(self, scopes: list[str]) -> list[str]:
        if unknown := unknown_scopes(scopes):
            raise serializers.ValidationError(f"Unknown: {', '.join(unknown)}. Known: {', '.join(KNOWN_SCOPES)}.")
        return scopes

    def validate_expires_at(self, moment: datetime | None) -> datetime | None:
        if moment and not timezone.now() < moment < LAST_EXPIRY:
            raise serializers.ValidationError(f"The moment must be in the future, and before {LAST_EXPIRY.year}.")
        return moment


class TokenInputSerializer(WithPassword, TokenSerializer):
    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "password"]


class NewTokenSerializer(TokenSerializer):
    token = serializers.CharField(read_only=True, help_text="The secret, shown this once.")

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "token"]


class SecretSerializer(serializers.Serializer):
    token = serializers.CharField()


class SuccessSerializer(serializers.Serializer):
    success = serializers.BooleanField()


class LogInSerializer(serializers.Serializer):
    username = serializers.CharField(max_length=254, help_text="Username or e-mail address.")
    password = PasswordField()
    otp = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=20,
        help_text="Of staff: a code of the second factor. Moderating by API takes a token that was made with one.",
    )


class UsernameSerializer(serializers.Serializer):
    """A username that one may have."""

    username = serializers.CharField(validators=[validate_username])

    def validate_username(self, username: str) -> str:
        holders, own = Maker.objects.filter(folded_username=fold(username)), self.context["request"].user
        if holders.exclude(pk=own.pk).exists() or FreedUsername.objects.kept_from(own, username).exists():
            raise serializers.ValidationError(USERNAME_TAKEN)
        return username


class RegisterSerializer(serializers.Serializer):
    email = MailAddressField()
    username = serializers.CharField(validators=[validate_username])
    password = PasswordField()
    repeat_password = PasswordField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        username, email = attrs["username"], attrs["email"]
        holder = Maker.objects.filter(folded_username=fold(username)).first()
        # Who registers again before activating may well keep the name.
        again = holder and holder.awaits and mailbox_of(holder.unproven_email) == mailbox_of(email)
        taken = holder and not again and not Maker.objects.lapsed().filter(pk=holder.pk).exists()
        if taken or FreedUsername.objects.kept_from(Maker(), username).exists():
            raise serializers.ValidationError({"username": [USERNAME_TAKEN]})
        require_same(attrs)
        require_good_password(attrs["password"], Maker(username=username, email=email), "password")
        return attrs


def require_same(attrs: dict[str, Any]) -> None:
    if attrs.pop("repeat_password") != attrs["password"]:
        raise serializers.ValidationError({"repeat_password": ["The two passwords are not the same."]})


def require_good_password(password: str, maker: Maker, field: str) -> None:
    """The rules of AUTH_PASSWORD_VALIDATORS, as errors of ``field``."""
    try:
        validate_password(password, maker)
    except ValidationError as error:
        raise serializers.ValidationError({field: error.messages}) from error


class ForgotSerializer(serializers.Serializer):
    email = MailAddressField()


class ResetSerializer(serializers.Serializer):
    """Validated, it holds ``maker``, ``token`` and ``password``."""

    uidb64 = serializers.CharField(max_length=50)
    token = serializers.CharField(max_length=100)
    password = PasswordField()
    repeat_password = PasswordField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        maker = links.maker_of(attrs.pop("uidb64"))
        if maker is None or not maker.is_active or not links.reset_tokens.check_token(maker, attrs["token"]):
            self.context["view"].charge_limits()  # a guess
            raise links.bad_link()
        require_same(attrs)
        require_good_password(attrs["password"], maker, "password")
        return {**attrs, "maker": maker}


class ChangePasswordSerializer(serializers.Serializer):
    old_password = PasswordField()
    new_password = PasswordField()

    def validate_new_password(self, password: str) -> str:
        validate_password(password, self.context["request"].user)
        return password

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        self.context["view"].charge_limits()  # before the hash: a wrong one counts as well
        if not self.context["request"].user.check_password(attrs["old_password"]):
            raise serializers.ValidationError({"old_password": ["This is not your password."]})
        return attrs


class NewUsernameSerializer(WithPassword, UsernameSerializer):
    pass


class DeleteAccountSerializer(WithPassword):
    validation = serializers.CharField(help_text="One's username: nobody deletes an account by mistake.")

    def validate_validation(self, text: str) -> str:
        if fold(text) != fold(self.context["request"].user.username):
            raise serializers.ValidationError("This is not your username.")
        return text


class PreflightSerializer(serializers.Serializer):
    method = serializers.CharField()
    registrations_open = serializers.BooleanField()


class RefusalSerializer(serializers.Serializer):
    request_id = serializers.CharField(help_text="The X-Request-Id of the answer.")
    at = serializers.DateTimeField()
    method = serializers.CharField()
    route = serializers.CharField(
        help_text="As the URLconf has it: users/<str:maker>/; or the path, where none was found."
    )
    status = serializers.IntegerField()
    code = serializers.CharField(allow_null=True, help_text="Null where fields were wrong: the answer named them.")
    limit = serializers.CharField(allow_null=True, help_text="Of a 429: which limit was used up; /limits/ lists them.")
    retry_after = serializers.IntegerField(allow_null=True, help_text="Seconds.")
