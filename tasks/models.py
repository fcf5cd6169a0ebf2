"""Tasks, what they are filed under, and what others say of them.

``db_index=False`` on a foreign key: an index below begins with it already. A second one would cost every write, and tempt
the planner to fetch all rows of a maker and sort them.
"""

from typing import Any

from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from makerlog.accounts.models import Maker
from makerlog.api.files import RandomName
from makerlog.api.removals import Removal
from makerlog.content import Content, ContentQuerySet, Posted, cleaned_up_is_hidden, may_see, posted_indexes
from products.models import Membership, Product, Project

MAX_PROJECTS = 10


class TaskQuerySet(ContentQuerySet["Task"]):
    def visible_to(self, maker: Any) -> "TaskQuerySet":
        """The team of a product sees the private tasks filed under it, too."""
        condition = may_see(maker)
        if maker.is_authenticated:
            mine = Membership.objects.filter(maker=maker).values("product")
            filed = TaskProduct.objects.filter(task=models.OuterRef("pk"), product__in=mine)
            condition |= Q(models.Exists(filed), hidden=False)
        return self.filter(condition)


class Task(Content):
    """``done_at`` follows ``done``. ``worked_at`` is the moment that date filters go by."""

    author = models.ForeignKey(Maker, models.CASCADE, related_name="tasks", db_index=False)
    content = models.TextField(validators=[MaxLengthValidator(500)])
    description = models.TextField(null=True, blank=True, validators=[MaxLengthValidator(5000)])
    done = models.BooleanField(default=False)
    in_progress = models.BooleanField(default=False)
    due_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    # The day of its author's that it counts on; NULL where it was written before days were kept: see days.day_of.
    done_on = models.DateField(null=True, blank=True, editable=False)
    worked_at = models.GeneratedField(
        expression=Coalesce("done_at", "created_at"), output_field=models.DateTimeField(), db_persist=True
    )
    event = models.CharField(max_length=40, null=True, blank=True)
    external_id = models.CharField(max_length=200, null=True, blank=True)
    attachment = models.FileField(upload_to=RandomName("attachments"), blank=True)
    projects = models.ManyToManyField(Project, through="TaskProject", related_name="tasks")
    products = models.ManyToManyField(Product, through="TaskProduct", related_name="tasks")

    praise = models.PositiveIntegerField(default=0, editable=False)
    comment_count = models.PositiveIntegerField(default=0, editable=False)  # of the comments that are not hidden

    objects = TaskQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["author", "external_id"], name="one_task_per_external_id"),
            models.CheckConstraint(
                condition=Q(done=True, done_at__isnull=False) | Q(done=False, done_at=None), name="done_at_follows_done"
            ),
            models.CheckConstraint(condition=~Q(done=True, in_progress=True), name="done_is_not_in_progress"),
            models.CheckConstraint(condition=~Q(listed=True, hidden=True), name="task_listed"),
            cleaned_up_is_hidden("task"),
        ]
        indexes = [
            *posted_indexes("task"),
            models.Index(fields=["created_at", "id"], name="task_new", condition=Q(listed=True)),
            models.Index(fields=["author", "created_at", "id"], name="task_author", condition=Q(listed=True)),
            # What is done or not is looked up in the index itself: one's own private tasks are read past, never fetched.
            models.Index(
                fields=["author", "created_at", "id", "done", "in_progress"],
                name="task_own",
                condition=Q(listed=False, hidden=False),
            ),
            models.Index(fields=["done", "created_at", "id"], name="task_done", condition=Q(listed=True)),
            models.Index(fields=["in_progress", "created_at", "id"], name="task_in_progress", condition=Q(listed=True)),
            models.Index(fields=["worked_at", "id"], name="task_worked", condition=Q(listed=True)),
            models.Index(fields=["author", "worked_at", "id"], name="task_author_worked", condition=Q(listed=True)),
            models.Index(
                fields=["author", "worked_at", "id"], name="task_own_worked", condition=Q(listed=False, hidden=False)
            ),
            models.Index(fields=["updated_at", "id"], name="task_changed", condition=Q(listed=True)),
            models.Index(fields=["author", "updated_at", "id"], name="task_author_changed"),
            models.Index(
                fields=["author", "updated_at", "id"], name="task_own_changed", condition=Q(listed=False, hidden=False)
            ),
        ]

    def __str__(self) -> str:
        return self.content[:60]

    @property
    def attachment_url(self) -> str | None:
        return self.attachment.url if self.attachment else None


class Filing(models.Model):
    """A task's place in a list of its own: ``created_at`` and ``listed`` are the task's, kept here so that the list of one
    project is read by one index, however many tasks the others have."""

    created_at = models.DateTimeField(editable=False)
    listed = models.BooleanField(editable=False)

    class Meta:
        abstract = True


class TaskProject(Filing):
    task = models.ForeignKey(Task, models.CASCADE, related_name="project_filings", db_index=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="filings", db_index=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "project"], name="filed_once_per_project")]
        indexes = [models.Index(fields=["project", "listed", "created_at", "task"], name="project_filing")]


class TaskProduct(Filing):
    task = models.ForeignKey(Task, models.CASCADE, related_name="product_filings", db_index=False)
    product = models.ForeignKey(Product, models.CASCADE, related_name="filings", db_index=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "product"], name="filed_once_per_product")]
        indexes = [models.Index(fields=["product", "listed", "created_at", "task"], name="product_filing")]


class TaskPraise(models.Model):
    task = models.ForeignKey(Task, models.CASCADE, related_name="praises", db_index=False)
    maker = models.ForeignKey(Maker, models.CASCADE, related_name="task_praises")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "maker"], name="one_task_praise")]
        indexes = [models.Index(fields=["task", "id"], name="task_praise")]


class TaskComment(Posted):
    task = models.ForeignKey(Task, models.CASCADE, related_name="comments")
    author = models.ForeignKey(Maker, models.CASCADE, related_name="task_comments")
    content = models.TextField(validators=[MaxLengthValidator(2000)])
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [cleaned_up_is_hidden("comment")]
        indexes = [
            models.Index(fields=["task", "id"], name="task_comment", condition=Q(hidden=False)),
            models.Index(fields=["author", "created_at", "id"], name="comment_of_author", condition=Q(hidden=False)),
            models.Index(fields=["created_at", "id"], name="comment_new", condition=Q(hidden=False)),
            *posted_indexes("comment"),
        ]

    def __str__(self) -> str:
        return self.content[:60]


class DeletedTask(models.Model):
    """A tombstone, for clients that sync."""

    task_id = models.BigIntegerField()
    author = models.ForeignKey(Maker, models.CASCADE, related_name="deleted_tasks", db_index=False)
    deleted_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [
            models.Index(fields=["author", "deleted_at", "task_id"], name="tombstone_author"),
            models.Index(fields=["deleted_at"], name="tombstone_age"),
        ]


class DayCount(models.Model):
    """How many tasks a maker did on a day of theirs. Streaks and averages are read from it: the maker's own from ``done``,
    those that everybody sees from ``listed``, how many of these tasks are."""

    author = models.ForeignKey(Maker, models.CASCADE, related_name="day_counts", db_index=False)
    day = models.DateField()
    done = models.PositiveIntegerField()
    listed = models.PositiveIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["author", "day"], name="one_count_per_day")]


class TaskRemoval(Removal):
    class Meta:
        indexes = [models.Index(fields=["deleted_at", "id"], name="task_removal")]
