"""What an export holds, table by table; what it leaves out, and why.

A table that refers to makers stands in one of the two: ``tests/exports/test_sections.py`` looks at every table there is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, FileField, Model, OuterRef, QuerySet

from discussions.models import Discussion, Reply, ReplyPraise
from makerlog.accounts.models import AccessToken, Follow, Maker
from makerlog.api.keyset import Reading
from products.models import Invitation, Membership, Product, Project
from tasks.models import DayCount, Task, TaskComment, TaskPraise, TaskProduct, TaskProject

AT_ONCE = 500  # rows in memory; the longest have 20 KB
MODERATIONS = ("listed", "cleanup")  # columns of content that are kept for lists and for moderation

Row = dict[str, Any]
Position = Sequence[Any]


def ids(rows: QuerySet[Any], column: str) -> Callable[[], Any]:
    """A column of what hangs on a row. Bounded: a task has ten projects at most, a product a team of fifty."""
    return lambda: ArraySubquery(rows.order_by(column).values(column))


@dataclass(frozen=True)
class Section:
    """One kind of row, each with all its columns but those ``without``, and ``beside`` them what is read elsewhere.

    ``of``: what names the maker. ``key``: the order it is read in, behind which stands an index that begins with ``of``; or
    the maker's own index, whose rows are few. What is changed while an export is packed may come twice, and is never missed.
    """

    name: str
    model: type[Model]
    of: str = "author"
    key: tuple[str, ...] = ("id",)
    without: tuple[str, ...] = ()
    beside: Mapping[str, Callable[[], Any]] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        return [each.attname for each in self.model._meta.concrete_fields if each.name not in self.without]

    @property
    def files(self) -> list[str]:
        """Columns that hold names of uploads."""
        fields = self.model._meta.concrete_fields
        return [each.attname for each in fields if isinstance(each, FileField) and each.name not in self.without]

    def rows(self, maker: int, after: Position | None) -> list[Row]:
        """The next rows behind ``after``, ``AT_ONCE`` at most."""
        everything: QuerySet[Any] = self.model._base_manager.all()
        reading = Reading(rows=everything, key=self.key, pins={self.of: maker})
        position = after and [field.to_python(value) for field, value in zip(reading.fields, after, strict=True)]
        beside = {name: made() for name, made in self.beside.items()}
        return list(reading.after(position, everything).annotate(**beside).values(*self.columns, *beside)[:AT_ONCE])

    def position(self, row: Row) -> Position:
        """As JSON keeps it."""
        values = (row[name] for name in self.key)
        return [value.isoformat() if isinstance(value, date) else value for value in values]


CHANGED = ("updated_at", "id")
HERE = OuterRef("pk")

SECTIONS = [
    Section("profile", Maker, of="id", without=("password",)),
    Section("tokens", AccessToken, of="maker", without=("digest", "pepper")),
    Section("following", Follow, of="follower", beside={"username": lambda: F("followed__username")}),
    Section("projects", Project),
    Section(
        "products",
        Product,
        key=CHANGED,
        without=MODERATIONS,
        beside={
            "project_ids": ids(Product.projects.through._default_manager.filter(product=HERE), "project_id"),
            "team_ids": ids(Membership.objects.filter(product=HERE, owner=False), "maker_id"),
        },
    ),
    Section("teams", Membership, of="maker", without=("listed",), beside={"slug": lambda: F("product__slug")}),
    Section("invitations", Invitation, of="maker", beside={"slug": lambda: F("product__slug")}),
    Section(
        "tasks",
        Task,
        key=CHANGED,
        without=(*MODERATIONS, "worked_at"),
        beside={
            "project_ids": ids(TaskProject.objects.filter(task=HERE), "project_id"),
            "product_ids": ids(TaskProduct.objects.filter(task=HERE), "product_id"),
        },
    ),
    Section("days", DayCount, key=("day",)),
    Section("task_comments", TaskComment, without=MODERATIONS[1:]),
    Section("task_praise", TaskPraise, of="maker"),
    Section("discussions", Discussion, key=CHANGED, without=MODERATIONS),
    Section("replies", Reply, without=MODERATIONS[1:]),
    Section("reply_praise", ReplyPraise, of="maker"),
]

# By model and field. Of what refers to a maker in no such field, the audit log holds ids alone and no words about them,
# and jobs, idempotency keys and refusals pass within days.
LEFT_OUT = {
    "accounts.Follow.followed": "who follows a maker is what others did; the number stands in the profile",
    "accounts.Maker_groups.maker": "Django's own, not used: roles are flags, which stand in the profile",
    "accounts.Maker_user_permissions.maker": "Django's own, not used",
    "accounts.FreedUsername.maker": "hashes of usernames given up, kept so that nobody else takes them at once",
    "accounts.StoredFile.maker": "the sizes of files that are exported themselves",
    "products.Invitation.invited_by": "whom one invited is said to them, until they answer",
    "tasks.DeletedTask.author": "the numbers of tasks deleted within 30 days, nothing of what they said",
    "discussions.Participant.maker": "a list made of the replies, which are exported",
    "otp_totp.TOTPDevice.user": "a secret of the staff's second factor",
    "otp_static.StaticDevice.user": "holds secrets of the staff's second factor",
    "exports.Export.maker": "the export itself",
    "admin.LogEntry.user": "what the staff did to others",
    "moderation.Ban.author": "what the staff did to others",
    "moderation.AllowlistEntry.author": "what the staff did",
    "moderation.RouteSwitch.author": "what the staff did",
    "moderation.Lockdown.author": "what the staff did",
    "moderation.Cleanup.author": "what the staff did to others",
    "moderation.SignInFailure.maker": "counts of sign-ins of the staff that failed, which guard them",
}
