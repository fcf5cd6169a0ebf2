"""What moderation decides: bans, route switches, clean-ups, the lockdown level; who decided it; and how the staff sign in."""

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from makerlog.env import Network
from makerlog.gate.level import GUARDED, NORMAL, UNDER_ATTACK

UNDONE_WITHIN = timedelta(days=30)
RUNNING = Q(state__in=["hiding", "showing"])  # of clean-ups


class BanQuerySet(models.QuerySet["Ban"]):
    def standing(self) -> Self:
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()), lifted_at=None)

    def past(self) -> Self:
        return self.filter(Q(expires_at__lte=timezone.now()) | Q(lifted_at__isnull=False))

    def covering(self, network: Network) -> Self:
        """Those whose network holds all of ``network``: of its own or a shorter prefix, one equality each."""
        lengths = range(network.prefixlen + 1)
        return self.filter(network__in=[str(network.supernet(new_prefix=length)) for length in lengths])


class Ban(models.Model):
    """A network that is refused. It stands until it expires or is lifted; rows stay, as a record."""

    class AppliesTo(models.TextChoices):
        EVERYTHING = "everything", "everything"
        ANONYMOUS = "anonymous", "anonymous only: genuine tokens pass"

    class Origin(models.TextChoices):
        MANUAL = "manual"
        RULE = "rule"

    network = models.CharField(max_length=43)  # canonical CIDR, always with its prefix length
    family = models.PositiveSmallIntegerField()
    low = models.DecimalField(max_digits=39, decimal_places=0)
    high = models.DecimalField(max_digits=39, decimal_places=0)
    applies_to = models.CharField(max_length=10, choices=AppliesTo.choices, default=AppliesTo.EVERYTHING)
    reason = models.CharField(max_length=300, blank=True)
    reason_is_public = models.BooleanField(default=False)
    origin = models.CharField(max_length=6, choices=Origin.choices, default=Origin.MANUAL)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    forced = models.BooleanField(default=False, db_default=False)  # against the guard rails and the allowlist
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)

    # Flushed by every process every few seconds.
    refused = models.PositiveBigIntegerField(default=0)
    last_refused_at = models.DateTimeField(null=True, blank=True)

    objects = BanQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["network"], condition=Q(lifted_at=None), name="one_standing_ban_per_network"
            ),
            models.CheckConstraint(condition=Q(family__in=[4, 6]), name="ban_family_is_4_or_6"),
            models.CheckConstraint(condition=Q(low__lte=F("high")), name="ban_low_is_not_above_high"),
        ]
        indexes = [models.Index(fields=["network"], name="ban_by_network")]

    def __str__(self) -> str:
        return f"{self.network} ({self.applies_to})"

    @property
    def stands(self) -> bool:
        return self.lifted_at is None and (self.expires_at is None or self.expires_at > timezone.now())


class AllowlistQuerySet(models.QuerySet["AllowlistEntry"]):
    def in_force(self) -> Self:
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()))

    def covering(self, network: Network) -> Self:
        """Those in force whose network holds all of ``network``."""
        lengths = range(network.prefixlen + 1)
        return self.in_force().filter(network__in=[str(network.supernet(new_prefix=length)) for length in lengths])


class AllowlistEntry(models.Model):
    """A network that no rule and no ban of a range around it refuses, unless that was forced."""

    network = models.CharField(max_length=43, unique=True)  # canonical CIDR, always with its prefix length
    note = models.CharField(max_length=300)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)

    objects = AllowlistQuerySet.as_manager()

    class Meta:
        verbose_name = "allowlist entry"
        verbose_name_plural = "allowlist"

    def __str__(self) -> str:
        return f"{self.network} ({self.note})"


class RouteSwitch(models.Model):
    """How one route of the URLconf is answered. No row, or one that expired: open."""

    class State(models.TextChoices):
        OPEN = "open"
        CACHED = "cached"
        TOKENS_ONLY = "tokens_only"
        CLOSED = "closed"

    route = models.CharField(max_length=200, unique=True)  # as the URLconf has it: users/<str:maker>/
    state = models.CharField(max_length=11, choices=State.choices, default=State.OPEN)
    message = models.CharField(max_length=300, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "route switches"

    def __str__(self) -> str:
        return f"/{self.route}: {self.state}"


class Lockdown(models.Model):
    """The lockdown level that was declared last: one row, or none. Over: normal."""

    class Level(models.TextChoices):
        NORMAL = NORMAL
        GUARDED = GUARDED
        UNDER_ATTACK = UNDER_ATTACK

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    level = models.CharField(max_length=12, choices=Level.choices, default=Level.NORMAL)
    notice = models.CharField(max_length=500, blank=True)  # told to everybody, at /status/
    expires_at = models.DateTimeField(null=True, blank=True)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "lockdown"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="there_is_one_lockdown_level")]

    def __str__(self) -> str:
        return self.level


class RuleAct(models.Model):
    """What a rule did about somebody, or, in a dry run, would have done. ``subject``: a network, or ``token:4``."""

    rule = models.CharField(max_length=30)
    subject = models.CharField(max_length=50)
    sentence = models.CharField(max_length=300)
    at = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField()
    dry_run = models.BooleanField()
    ban = models.ForeignKey(Ban, models.SET_NULL, null=True, related_name="+")
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "rule act"
        constraints = [
            models.CheckConstraint(condition=Q(dry_run=False) | Q(ban=None), name="a_dry_run_bans_nobody"),
            models.CheckConstraint(condition=Q(until__gt=F("at")), name="a_rule_act_ends_after_it_began"),
        ]
        indexes = [
            models.Index(fields=["subject", "id"], name="rule_act_by_subject"),
            models.Index(fields=["at"], name="rule_act_by_time"),
        ]

    def __str__(self) -> str:
        return self.sentence


class AuditEntry(models.Model):
    """One act of moderation. Append-only: a trigger refuses UPDATE and DELETE.

    Names nobody: makers, tokens and bans stand here by id (``maker:12``, ``token:4``, ``ban:7``), so an erasure has nothing
    to reach. ``actor_id`` None: done by a command on the server, or by a rule (``act`` begins with ``rule.``).
    """

    at = models.DateTimeField(db_default=Now())
    actor_id = models.BigIntegerField(null=True, blank=True)
    act = models.CharField(max_length=40)
    subject = models.CharField(max_length=240)
    reason = models.CharField(max_length=300, blank=True)
    details = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["subject", "id"], name="audit_by_subject"),
            models.Index(fields=["actor_id", "id"], name="audit_by_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.act} {self.subject}"


class DeviceEpoch(models.Model):
    """Devices known before this moment are strangers again: of one maker (``key``: the id), or of all the staff ("*").
    Rows are few: one for each of the staff who ever lost the role, the account or the second factor."""

    key = models.CharField(max_length=20, primary_key=True)
    at = models.DateTimeField()


class SignInFailure(models.Model):
    """Sign-ins of staff that failed: one row an hour for each of the staff who was tried, and one for all other names."""

    class Kind(models.TextChoices):
        PASSWORD = "password", "wrong password"
        CODE = "code", "right password, wrong code"

    hour = models.DateTimeField()
    kind = models.CharField(max_length=8, choices=Kind.choices)
    maker = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+")
    count = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["hour", "kind", "maker"], name="one_row_of_failures_an_hour", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return f"{self.count} x {self.get_kind_display()}"


class Cleanup(models.Model):
    """Spam hidden in one act; the content that it hid names it (see makerlog.content.Posted).

    ``token`` and ``maker`` are ids and no foreign keys: were one of them gone, the rest would choose more than was meant.
    ``network`` is forgotten with the addresses that it chose by.
    """

    class State(models.TextChoices):
        HIDING = "hiding"
        HIDDEN = "hidden"
        SHOWING = "showing", "being undone"
        SHOWN = "shown", "undone"

    token = models.BigIntegerField(null=True, blank=True)
    maker = models.BigIntegerField(null=True, blank=True)
    network = models.CharField(max_length=43, blank=True)
    since = models.DateTimeField(null=True, blank=True)
    until = models.DateTimeField()

    state = models.CharField(max_length=7, choices=State.choices, default=State.HIDING)
    expected = models.PositiveIntegerField(default=0)  # rows seen when it began: at least so many
    hidden = models.JSONField(default=dict)  # how many of each kind
    shown = models.JSONField(default=dict)
    reason = models.CharField(max_length=300, blank=True)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "clean-up"
        verbose_name_plural = "clean-ups"
        constraints = [
            models.CheckConstraint(
                condition=Q(token__isnull=False)
                | Q(maker__isnull=False)
                | ~Q(network="")
                | Q(since__isnull=False)
                | ~Q(state="hiding"),
                name="cleanup_chooses_something",
            ),
        ]
        indexes = [
            models.Index(fields=["id"], name="cleanup_running", condition=RUNNING),
            models.Index(fields=["until"], name="cleanup_of_network", condition=~Q(network="")),
        ]

    def __str__(self) -> str:
        return f"clean-up {self.pk} ({self.get_state_display()})"

    @property
    def runs(self) -> bool:
        return self.state in (self.State.HIDING, self.State.SHOWING)

    @property
    def undo_until(self) -> datetime:
        return self.created_at + UNDONE_WITHIN

    @property
    def may_be_undone(self) -> bool:
        return self.state in (self.State.HIDING, self.State.HIDDEN) and timezone.now() < self.undo_until


class UsedLink(models.Model):
    """A link of an alert that has set its ban; it sets no other. Kept for longer than any link is good."""

    nonce = models.CharField(max_length=20, primary_key=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["at"], name="used_link_by_time")]


class Incident(models.Model):
    """From the first alert to the all-clear. ``audit_from`` and ``audit_to``: acts of the audit log behind the one and up to
    the other fell into it."""

    began_at = models.DateTimeField(default=timezone.now)
    troubled_at = models.DateTimeField(default=timezone.now)  # when there was last a reason for it
    ended_at = models.DateTimeField(null=True, blank=True)
    audit_from = models.BigIntegerField(default=0)
    audit_to = models.BigIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(models.Value(1), condition=Q(ended_at=None), name="one_incident_at_a_time")
        ]

    def __str__(self) -> str:
        return f"Incident of {self.began_at:%Y-%m-%d %H:%M} UTC"


class IncidentNote(models.Model):
    """What was noticed, as the alerts said it: it may name an address, and goes after 30 days."""

    incident = models.ForeignKey(Incident, models.CASCADE, related_name="notes")
    at = models.DateTimeField()
    sentence = models.CharField(max_length=500)

    class Meta:
        indexes = [
            models.Index(fields=["incident", "at"], name="incident_note_by_time"),
            models.Index(fields=["at"], name="incident_note_old"),
        ]


class IncidentFigures(models.Model):
    """All requests of one interval, of all processes."""

    incident = models.ForeignKey(Incident, models.CASCADE, related_name="figures")
    at = models.DateTimeField()
    requests = models.BigIntegerField()
    served = models.BigIntegerField()
    shed = models.BigIntegerField()
    throttled = models.BigIntegerField()
    banned = models.BigIntegerField()
    failed = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["incident", "at"], name="one_row_of_figures_an_interval")]


class IncidentRefused(models.Model):
    """Whom it refused, and how often at least: addresses are personal data, so they are few, and go after 30 days."""

    incident = models.ForeignKey(Incident, models.CASCADE, related_name="refused")
    client = models.CharField(max_length=45)
    count = models.BigIntegerField()
    at = models.DateTimeField()  # the last time

    class Meta:
        constraints = [models.UniqueConstraint(fields=["incident", "client"], name="one_row_a_client_refused")]
        indexes = [
            models.Index(fields=["at"], name="incident_refused_by_time"),
            models.Index(fields=["incident", "-count", "client"], name="incident_refused_most"),
        ]
