"""Discussions, the replies in them, and who took part."""

from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from makerlog.accounts.models import Maker
from makerlog.api.removals import Removal
from makerlog.content import Content, ContentQuerySet, Posted, cleaned_up_is_hidden, posted_indexes

MAX_BODY = 20_000


class DiscussionQuerySet(ContentQuerySet["Discussion"]):
    pass


class Discussion(Content):
    class Type(models.TextChoices):
        TEXT = "TEXT"
        QUESTION = "QUESTION"
        LINK = "LINK"

    author = models.ForeignKey(Maker, models.CASCADE, related_name="discussions", db_index=False)
    slug = models.SlugField(max_length=120, unique=True)
    type = models.CharField(max_length=8, choices=Type.choices, default=Type.TEXT)
    title = models.CharField(max_length=200)
    body = models.TextField(blank=True, validators=[MaxLengthValidator(MAX_BODY)])
    pinned = models.BooleanField(default=False)
    locked = models.BooleanField(default=False)
    gold = models.BooleanField(default=False, editable=False)
    reply_count = models.PositiveIntegerField(default=0, editable=False)  # of the replies that are not hidden

    objects = DiscussionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(slug__regex=r"^\d*$"), name="discussion_slug_is_no_number"),
            models.CheckConstraint(condition=Q(type__in=["TEXT", "QUESTION", "LINK"]), name="discussion_type"),
            models.CheckConstraint(condition=~Q(listed=True, hidden=True), name="discussion_listed"),
            cleaned_up_is_hidden("discussion"),
        ]
        indexes = [
            *posted_indexes("discussion"),
            models.Index(fields=["created_at", "id"], name="discussion_new", condition=Q(listed=True)),
            models.Index(fields=["author", "created_at", "id"], name="discussion_author", condition=Q(listed=True)),
            models.Index(
                fields=["author", "created_at", "id"], name="discussion_own", condition=Q(listed=False, hidden=False)
            ),
            models.Index(fields=["type", "created_at", "id"], name="discussion_type_new", condition=Q(listed=True)),
            models.Index(
                fields=["author", "type", "created_at", "id"],
                name="discussion_own_type",
                condition=Q(listed=False, hidden=False),
            ),
            # Finds what a deleted maker leaves: the foreign key's own index would tempt the planner to fetch all and sort it.
            models.Index(fields=["author", "updated_at", "id"], name="discussion_author_changed"),
            models.Index(fields=["updated_at", "id"], name="discussion_changed", condition=Q(listed=True)),
            models.Index(
                fields=["author", "updated_at", "id"],
                name="discussion_own_changed",
                condition=Q(listed=False, hidden=False),
            ),
        ]

    def __str__(self) -> str:
        return self.title


class Reply(Posted):
    discussion = models.ForeignKey(Discussion, models.CASCADE, related_name="replies")
    author = models.ForeignKey(Maker, models.CASCADE, related_name="replies")
    parent_reply = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="children")
    body = models.TextField(validators=[MaxLengthValidator(MAX_BODY)])
    praise = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "replies"
        constraints = [cleaned_up_is_hidden("reply")]
        indexes = [
            models.Index(fields=["author", "created_at", "id"], name="reply_of_author", condition=Q(hidden=False)),
            models.Index(fields=["created_at", "id"], name="reply_new", condition=Q(hidden=False)),
            *posted_indexes("reply"),
            models.Index(fields=["discussion", "id"], name="reply_shown", condition=Q(hidden=False)),
            models.Index(fields=["discussion", "id"], name="reply_all"),  # what a moderator reads
            models.Index(fields=["discussion", "author"], name="reply_author", condition=Q(hidden=False)),
        ]

    def __str__(self) -> str:
        return self.body[:60]


class Participant(models.Model):
    """A maker who has replied in a discussion, once however often: so the list of them is read by one index. ``hidden``: all
    their replies are, by clean-ups; the place is kept, for it comes back with them where it was."""

    discussion = models.ForeignKey(Discussion, models.CASCADE, related_name="participants")
    maker = models.ForeignKey(Maker, models.CASCADE, related_name="participations")
    hidden = models.BooleanField(default=False, db_default=False, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["discussion", "maker"], name="one_participant")]
        indexes = [models.Index(fields=["discussion", "id"], name="participant_shown", condition=Q(hidden=False))]


class ReplyPraise(models.Model):
    reply = models.ForeignKey(Reply, models.CASCADE, related_name="praises")
    maker = models.ForeignKey(Maker, models.CASCADE, related_name="reply_praises")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["reply", "maker"], name="one_reply_praise")]
        indexes = [models.Index(fields=["reply", "id"], name="reply_praise")]


class DiscussionRemoval(Removal):
    class Meta:
        indexes = [models.Index(fields=["deleted_at", "id"], name="discussion_removal")]
