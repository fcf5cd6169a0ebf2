"""Makers, whom they follow, and their tokens."""

from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser, UserManager
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac

from makerlog.accounts.mailboxes import mailbox_of
from makerlog.accounts.names import validate_username
from makerlog.accounts.rhythm import WEEK, Day, Rhythm, today_in
from makerlog.api.derived import derived
from makerlog.api.files import RandomName
from makerlog.api.folded import FoldedField
from makerlog.api.text import fold
from makerlog.api.timezones import known

DEFAULT_AVATAR = f"{settings.PUBLIC_URL}{settings.STATIC_URL}accounts/avatar.png"

# What streak, average and score are derived from: one's own, and those that everybody sees.
RHYTHM = ("run_length", "last_day", "week_counts", "timezone")
PUBLIC_RHYTHM = ("public_run_length", "public_last_day", "public_week_counts", "timezone")

models.EmailField.register_lookup(Lower)


def validate_timezone(name: str) -> None:
    if not known(name):
        raise ValidationError(f"{name[:64]!r} is no IANA time zone, such as Europe/Madrid.", "invalid_timezone")


def link_horizon() -> datetime:
    """Links that were mailed before this moment work no more."""
    return timezone.now() - timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)


def no_week() -> list[int]:
    return [0] * WEEK


class MakerManager(UserManager["Maker"]):
    def named(self, name: str) -> models.QuerySet["Maker"]:
        """By numeric id or by username, whatever its case: usernames are never all digits."""
        return self.filter(**self.look_up(name))

    @staticmethod
    def look_up(name: str) -> dict[str, Any]:
        """What finds a maker of that numeric id or username; the id 0, which is nobody's, where there can be none."""
        if name.isascii() and name.isdigit():
            return {"pk": int(name) if len(name) < 19 else 0}
        # PostgreSQL's text cannot hold a NUL.
        return {"pk": 0} if "\x00" in name else {"folded_username": fold(name)}

    def at(self, email: str) -> models.QuerySet["Maker"]:
        """Whose mailbox it is; the one with exactly that address first, where an older account shares the mailbox."""
        return self.filter(pk__in=self.with_mailbox(email)).order_by("mailbox")

    def mailed_at(self, email: str) -> models.QuerySet["Maker"]:
        """The same and, behind it, the registration that awaits activation by that mailbox."""
        both = self.with_mailbox(email).union(self.registering(email).values("pk"), all=True)
        return self.filter(pk__in=both).order_by("awaiting_activation", "mailbox")

    # Each condition repeats that of its index, which is of no use otherwise; and an OR of them would use none.

    def with_mailbox(self, email: str) -> models.QuerySet[Any]:
        found = self.filter(~Q(mailbox=""), mailbox=mailbox_of(email)).values("pk")
        without = self.filter(~Q(email=""), mailbox="", email__lower=email.lower()).values("pk")
        return found.union(without, all=True)

    def registering(self, email: str) -> models.QuerySet["Maker"]:
        """The registration that awaits activation by that mailbox."""
        awaiting = self.filter(awaiting_activation=True, is_active=False)
        return awaiting.filter(~Q(pending_mailbox=""), pending_mailbox=mailbox_of(email))

    def signing_in(self, name: str) -> models.QuerySet["Maker"]:
        """By username or e-mail address: no username holds an @."""
        return self.at(name) if "@" in name else self.filter(folded_username=fold(name))

    def lapsed(self) -> models.QuerySet["Maker"]:
        """Registrations that nobody activated while their link worked. They hold no name and no address."""
        return self.filter(awaiting_activation=True, is_active=False, date_joined__lt=link_horizon())

    def _create_user_object(self, username: str, email: str | None, password: str | None, **fields: Any) -> "Maker":
        """Of the commands that make an account: whoever runs them answers for the address."""
        fields["mailbox"] = mailbox_of(email or "")
        return super()._create_user_object(username, email, password, **fields)  # type: ignore[misc]

    def get_by_natural_key(self, username: str | None) -> "Maker":
        return self.get(folded_username=fold(username or ""))


class Maker(AbstractUser):
    """A person. ``author`` is the field on what they make; ``user`` and ``owner`` are words of the wire only."""

    class Suspension(models.TextChoices):
        NONE = ""
        READ_ONLY = "read_only", "read-only: every write is a 403"
        OUT = "out", "out: every token is a 401, and there is no log-in"

    username = models.CharField(max_length=30, unique=True, validators=[validate_username])
    # Proven: its owner opened the link that was mailed to it. ``mailbox`` is what it is compared by; "" beside an address
    # that the release before wrote, or whose mailbox an older account has: those are found by the address alone.
    email = models.EmailField(blank=True)
    mailbox = models.CharField(max_length=320, default="", db_default="", blank=True, editable=False)
    # Not proven yet: of an account that awaits activation, or the next one of an active account.
    pending_email = models.EmailField(default="", db_default="", blank=True, editable=False)
    pending_mailbox = models.CharField(max_length=320, default="", db_default="", blank=True, editable=False)
    folded_username = FoldedField("username")
    is_active = models.BooleanField(default=True)
    awaiting_activation = models.BooleanField(default=False, editable=False)  # registered, the mailed link not used yet

    status = models.CharField(max_length=140, blank=True)
    description = models.TextField(blank=True, validators=[MaxLengthValidator(2000)])
    timezone = models.CharField(max_length=64, default="UTC", validators=[validate_timezone])
    website = models.URLField(blank=True)
    accent = models.CharField(max_length=20, default="green", blank=True)
    avatar = models.FileField(upload_to=RandomName("avatars"), blank=True)
    header = models.FileField(upload_to=RandomName("headers"), blank=True)
    twitter_handle = models.CharField(max_length=50, blank=True)
    instagram_handle = models.CharField(max_length=50, blank=True)
    product_hunt_handle = models.CharField(max_length=50, blank=True)
    github_handle = models.CharField(max_length=50, blank=True)
    telegram_handle = models.CharField(max_length=50, blank=True)
    nomadlist_handle = models.CharField(max_length=50, blank=True)
    bmc_handle = models.CharField(max_length=50, blank=True)
    shipstreams_handle = models.CharField(max_length=50, blank=True)

    private = models.BooleanField(default=False)
    verified = models.BooleanField(default=False)
    is_moderator = models.BooleanField(default=False)
    donor = models.BooleanField(default=False)
    tester = models.BooleanField(default=False)
    is_live = models.BooleanField(default=False)
    gold = models.BooleanField(default=False)
    patron = models.BooleanField(default=False)

    # Moderation's: read-only, or out; see moderation.actions.suspend. ``suspension`` says what holds now.
    suspended = models.CharField(
        max_length=9, choices=Suspension.choices, default="", db_default="", blank=True, editable=False
    )
    suspended_until = models.DateTimeField(null=True, blank=True, editable=False)  # None: until it is lifted
    # Told to the maker.
    suspension_reason = models.CharField(max_length=300, default="", db_default="", blank=True, editable=False)

    # Settings: their owner sees them on /me/, everybody else the defaults.
    digest = models.BooleanField(default=True)
    dark_mode = models.BooleanField(default=False)
    weekends_off = models.BooleanField(default=False)
    hardcore_mode = models.BooleanField(default=False)
    email_notifications = models.BooleanField(default=True)
    ads_enabled = models.BooleanField(default=True)

    # Kept counters, changed in the transaction that changes the fact.
    follower_count = models.PositiveIntegerField(default=0)
    run_length = models.PositiveIntegerField(default=0)
    last_day = models.DateField(null=True, blank=True)
    media_bytes = models.PositiveBigIntegerField(
        default=0, db_default=0, editable=False
    )  # of their files: see media.py
    week_counts = ArrayField(models.PositiveIntegerField(), size=WEEK, default=no_week)
    # The same of the tasks that everybody sees: else a private task could be told from a number that moves.
    public_run_length = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    public_last_day = models.DateField(null=True, blank=True, editable=False)
    public_week_counts = ArrayField(
        models.PositiveIntegerField(), size=WEEK, default=no_week, null=True, blank=True, editable=False
    )

    objects: ClassVar[MakerManager] = MakerManager()
    REQUIRED_FIELDS: ClassVar[list[str]] = ["email"]

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["folded_username"], name="one_maker_of_a_name", condition=Q(folded_username__isnull=False)
            ),
            models.UniqueConstraint(Lower("email"), name="one_maker_per_email", condition=~Q(email="")),
            models.UniqueConstraint(fields=["mailbox"], name="one_maker_per_mailbox", condition=~Q(mailbox="")),
            models.UniqueConstraint(
                fields=["pending_mailbox"],
                name="one_registration_per_mailbox",
                condition=Q(awaiting_activation=True, is_active=False) & ~Q(pending_mailbox=""),
            ),
            models.CheckConstraint(condition=~Q(username__regex=r"^\d*$"), name="username_is_no_number"),
        ]
        indexes = [
            models.Index(fields=["id"], name="maker_active", condition=Q(is_active=True)),
            models.Index(
                fields=["date_joined"], name="maker_awaiting", condition=Q(awaiting_activation=True, is_active=False)
            ),
        ]

    def clean(self) -> None:
        # AbstractUser's own would need a unique username column; ours is unique whatever its case.
        self.email = Maker.objects.normalize_email(self.email)

    @property
    def awaits(self) -> bool:
        """Whether the account opens with the link that was mailed; one that is closed later does not."""
        return self.awaiting_activation and not self.is_active

    @property
    def has_lapsed(self) -> bool:
        """Whether it awaits activation by a link that works no more."""
        return self.awaits and self.date_joined < link_horizon()

    @property
    def unproven_email(self) -> str:
        """The address that a link is mailed to. (As ``email``: of a registration by the release before.)"""
        return self.pending_email or (self.email if self.awaits else "")

    @derived("timezone")
    def day(self) -> Day:
        """Today, as the maker has it."""
        return today_in(self.timezone)

    @property
    def today(self) -> date:
        return self.day.date

    @property
    def suspension(self) -> str:
        """How the maker is suspended now: a value of Suspension. Over at its second."""
        over = self.suspended_until is not None and self.suspended_until <= timezone.now()
        return "" if over else self.suspended

    @property
    def rhythm(self) -> Rhythm:
        return Rhythm(self.run_length, self.last_day, self.week_counts)

    @derived(*RHYTHM)
    def streak(self) -> int:
        return self.rhythm.streak(self.today)

    @derived(*RHYTHM)
    def week_tda(self) -> int:
        return self.rhythm.week_tda(self.today)

    @derived(*RHYTHM)
    def maker_score(self) -> int:
        return self.rhythm.score(self.today)

    @derived(*RHYTHM)
    def streak_end_date(self) -> Any:
        return self.rhythm.streak_ends_at(self.today, self.timezone)

    @property
    def public_rhythm(self) -> Rhythm:
        return Rhythm(self.public_run_length, self.public_last_day, self.public_week_counts or no_week())

    @derived(*PUBLIC_RHYTHM)
    def public_streak(self) -> int:
        return self.public_rhythm.streak(self.today)

    @derived(*PUBLIC_RHYTHM)
    def public_week_tda(self) -> int:
        return self.public_rhythm.week_tda(self.today)

    @derived(*PUBLIC_RHYTHM)
    def public_maker_score(self) -> int:
        return self.public_rhythm.score(self.today)

    @derived(*PUBLIC_RHYTHM)
    def public_streak_end_date(self) -> Any:
        return self.public_rhythm.streak_ends_at(self.today, self.timezone)

    @derived("avatar")
    def avatar_url(self) -> str:
        return self.avatar.url if self.avatar else DEFAULT_AVATAR

    @derived("header")
    def header_url(self) -> str:
        return self.header.url if self.header else ""

    @derived("first_name", "status", "description", "avatar")
    def needs_setup(self) -> bool:
        """Whether the maker has said nothing of themselves so far."""
        return not (self.first_name or self.status or self.description or self.avatar)

    @derived()
    def og_image(self) -> None:
        """Pictures for link previews are not made here; the key is on the wire."""


class FreedUsernameManager(models.Manager["FreedUsername"]):
    def kept_from(self, maker: Maker, username: str) -> models.QuerySet["FreedUsername"]:
        """What keeps ``username`` from ``maker``: somebody else had it lately. Who had it may have it again."""
        since = timezone.now() - FreedUsername.KEPT_BACK
        rows = self.filter(digest__in=username_digests(username), freed_at__gt=since)
        return rows if maker.pk is None else rows.exclude(maker=maker.pk)


class FreedUsername(models.Model):
    """A username that its maker gave up. Nobody else may have it for ``KEPT_BACK``: links and mentions still mean who had it.

    Kept as a keyed hash of the folded name, so that it says nothing of who is erased; ``maker`` is None then.
    """

    KEPT_BACK = timedelta(days=90)
    MAX_OF_A_MAKER = 5  # of the newest: nobody keeps names from others by passing through them

    digest = models.BinaryField(max_length=32, unique=True)
    maker = models.ForeignKey(Maker, models.SET_NULL, null=True, related_name="freed_usernames")
    freed_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar[FreedUsernameManager] = FreedUsernameManager()

    class Meta:
        indexes = [models.Index(fields=["freed_at"], name="freed_username_age")]


def username_digests(username: str) -> list[bytes]:
    """Under SECRET_KEY, and under those before it."""
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return [salted_hmac("makerlog.username", fold(username), secret=key, algorithm="sha256").digest() for key in keys]


class StoredFile(models.Model):
    """What a file in the storage counts for, and whose quota. Files from before there were quotas have no row."""

    name = models.CharField(max_length=100, unique=True)
    maker = models.ForeignKey(Maker, models.CASCADE, related_name="files")
    bytes = models.PositiveIntegerField()


class Follow(models.Model):
    follower = models.ForeignKey(Maker, models.CASCADE, related_name="follows")
    followed = models.ForeignKey(Maker, models.CASCADE, related_name="followed_by")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["follower", "followed"], name="one_follow"),
            models.CheckConstraint(condition=~Q(follower=F("followed")), name="nobody_follows_themselves"),
        ]
        indexes = [models.Index(fields=["follower", "id"], name="follow_by_follower")]


class AccessToken(models.Model):
    """What is kept of a token: enough to recognise it, not enough to use it."""

    class Kind(models.TextChoices):
        PERSONAL = "personal"
        LOGIN = "login"

    IDLE_LOGIN = timedelta(days=90)
    MAX_LOGINS = 20
    MAX_PERSONAL = 100

    maker = models.ForeignKey(Maker, models.CASCADE, related_name="tokens")
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.PERSONAL)
    name = models.CharField(max_length=100, blank=True)
    scopes = ArrayField(models.CharField(max_length=40))
    public_id = models.CharField(max_length=11, unique=True)
    pepper = models.PositiveSmallIntegerField()
    digest = models.BinaryField(max_length=32)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_used_from = models.GenericIPAddressField(null=True, blank=True)  # written with last_used_at
    revoked_at = models.DateTimeField(null=True, blank=True)
    # By moderation; who did it stands in its audit log.
    revoked_because = models.CharField(max_length=300, default="", db_default="", blank=True)
    # Until when it may only read: moderation paused it; see moderation.actions.pause_token.
    paused_until = models.DateTimeField(null=True, blank=True, editable=False)
    # Whether the log-in that made it showed a code of the maker's second factor, which stands since.
    second_factor = models.BooleanField(default=False, db_default=False, editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["maker", "kind", "id"], name="token_live", condition=Q(revoked_at=None)),
            models.Index(fields=["maker", "id"], name="token_of_maker", condition=Q(revoked_at=None)),
            models.Index(fields=["last_used_from", "id"], name="token_by_address", condition=Q(revoked_at=None)),
            models.Index(fields=["created_at", "id"], name="token_by_issue", condition=Q(revoked_at=None)),
            models.Index(fields=["revoked_at", "id"], name="token_revoked", condition=Q(revoked_at__isnull=False)),
            models.Index(fields=["expires_at"], name="token_expired", condition=Q(expires_at__isnull=False)),
            models.Index(
                Coalesce("last_used_at", "created_at"), name="token_idle", condition=Q(kind="login", revoked_at=None)
            ),
        ]

    def __str__(self) -> str:
        return f"mkl_{self.public_id}_…"

    @derived("public_id")
    def prefix(self) -> str:
        return f"mkl_{self.public_id}"

    @property
    def is_paused(self) -> bool:
        """Over at its second."""
        return self.paused_until is not None and self.paused_until > timezone.now()

    def live(self) -> bool:
        """Whether it works now: not revoked, not expired, and, for a log-in, not left idle."""
        now = timezone.now()
        if self.revoked_at or (self.expires_at and self.expires_at <= now):
            return False
        if self.kind == self.Kind.LOGIN:
            return (self.last_used_at or self.created_at) > now - self.IDLE_LOGIN
        return True
