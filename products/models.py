"""Projects (what a #hashtag names) and products (what is launched), with their teams."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from makerlog.accounts.models import Maker
from makerlog.api.files import RandomName
from makerlog.api.folded import FoldedField
from makerlog.api.removals import Removal
from makerlog.content import Content, ContentQuerySet, cleaned_up_is_hidden, may_see, posted_indexes

MAX_TEAM = 50
MAX_PROJECTS = 50
MAX_TAGS = 20
MAX_INVITATIONS = 50  # open ones, of one product and to one maker each
MAX_HOLDERS = 5  # products that one project may stand under


class ProjectQuerySet(models.QuerySet["Project"]):
    def visible_to(self, maker: Any) -> "ProjectQuerySet":
        """What is public; one's own; and what stands under a product on whose team one is."""
        condition = Q(private=False, author__private=False)
        if maker.is_authenticated:
            team = Membership.objects.filter(maker=maker, product__projects=models.OuterRef("pk"))
            condition |= Q(author=maker) | Q(models.Exists(team))
        return self.filter(condition)


class Project(models.Model):
    """Groups its author's tasks: ``#name`` in a task's content."""

    author = models.ForeignKey(Maker, models.CASCADE, related_name="projects")
    name = models.CharField(max_length=50)
    folded = FoldedField("name")
    private = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["author", "folded"], name="one_project_of_a_name", condition=Q(folded__isnull=False)
            )
        ]
        indexes = [models.Index(fields=["author", "id"], name="project_author")]

    def __str__(self) -> str:
        return f"#{self.name}"


class ProductQuerySet(ContentQuerySet["Product"]):
    def visible_to(self, maker: Any) -> "ProductQuerySet":
        """The team sees a private product, too."""
        condition = may_see(maker)
        if maker.is_authenticated:
            team = Membership.objects.filter(maker=maker, product=models.OuterRef("pk"))
            condition |= Q(models.Exists(team), hidden=False)
        return self.filter(condition)

    def named(self, name: str) -> "ProductQuerySet":
        """By slug or by numeric id: slugs are never all digits."""
        return self.filter(**look_up(name))

    def whole(self, maker: Any) -> "ProductQuerySet":
        """With all that a product's answer shows to ``maker``, in three queries however many products."""
        return self.prefetch_related(*parts(maker))


def look_up(name: str) -> dict[str, Any]:
    """What finds a product of that slug or numeric id; the id 0, which is none's, where there can be none."""
    if name.isascii() and name.isdigit():
        return {"pk": int(name) if len(name) < 19 else 0}
    return {"slug": name}


def parts(maker: Any, path: str = "") -> tuple[models.Prefetch, models.Prefetch]:
    """The projects of a product that ``maker`` may see, and its team. ``path`` leads to the product."""
    return (
        models.Prefetch(f"{path}projects", Project.objects.visible_to(maker).order_by("id")),
        models.Prefetch(f"{path}memberships", Membership.objects.order_by("id")),
    )


class Product(Content):
    author = models.ForeignKey(Maker, models.CASCADE, related_name="products", db_index=False)
    name = models.CharField(max_length=100)
    slug = models.SlugField(max_length=120, unique=True)
    description = models.TextField(blank=True, validators=[MaxLengthValidator(2000)])
    website = models.URLField(blank=True)
    product_hunt = models.CharField(max_length=200, blank=True)
    twitter = models.CharField(max_length=50, blank=True)
    accent = models.CharField(max_length=20, blank=True)
    icon = models.FileField(upload_to=RandomName("icons"), blank=True)
    tags = ArrayField(models.CharField(max_length=40), default=list, blank=True, size=MAX_TAGS)
    private = models.BooleanField(default=False)
    launched = models.BooleanField(default=False)
    launched_at = models.DateTimeField(null=True, blank=True)
    projects = models.ManyToManyField(Project, related_name="products", blank=True)

    objects = ProductQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(launched=False) | Q(launched_at__isnull=False), name="launched_products_say_when"
            ),
            models.CheckConstraint(condition=~Q(slug__regex=r"^\d*$"), name="slug_is_no_number"),
            models.CheckConstraint(condition=~Q(listed=True) | Q(hidden=False, private=False), name="product_listed"),
            cleaned_up_is_hidden("product"),
        ]
        indexes = [
            *posted_indexes("product"),
            models.Index(fields=["created_at", "id"], name="product_new", condition=Q(listed=True)),
            models.Index(fields=["author", "created_at", "id"], name="product_author", condition=Q(listed=True)),
            models.Index(
                fields=["author", "created_at", "id"], name="product_own", condition=Q(listed=False, hidden=False)
            ),
            models.Index(fields=["launched", "created_at", "id"], name="product_launched", condition=Q(listed=True)),
            models.Index(
                fields=["author", "launched", "created_at", "id"],
                name="product_own_launched",
                condition=Q(listed=False, hidden=False),
            ),
            models.Index(
                fields=["launched_at", "id"], name="product_launches", condition=Q(listed=True, launched=True)
            ),
            # Finds what a deleted maker leaves: the foreign key's own index would tempt the planner to fetch all and sort it.
            models.Index(fields=["author", "updated_at", "id"], name="product_author_changed"),
            models.Index(fields=["updated_at", "id"], name="product_changed", condition=Q(listed=True)),
            models.Index(
                fields=["author", "updated_at", "id"],
                name="product_own_changed",
                condition=Q(listed=False, hidden=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def icon_url(self) -> str | None:
        return self.icon.url if self.icon else None

    @property
    def team(self) -> list[int]:
        """Ids of the makers on the team, the owner not among them. Reads what ``whole`` has fetched."""
        return [place.maker_id for place in self.memberships.all() if not place.owner]


class Membership(models.Model):
    """A maker's place on a product's team; the owner has one too, so that one index lists all of a maker's products."""

    product = models.ForeignKey(Product, models.CASCADE, related_name="memberships")
    maker = models.ForeignKey(Maker, models.CASCADE, related_name="memberships")
    owner = models.BooleanField(default=False)
    listed = models.BooleanField(default=True, editable=False)  # the product's own, kept here for the index

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["product", "maker"], name="one_place_per_maker"),
            models.UniqueConstraint(fields=["product"], name="one_owner", condition=Q(owner=True)),
        ]
        indexes = [
            models.Index(fields=["maker", "id"], name="membership_listed", condition=Q(listed=True)),
            models.Index(fields=["maker", "id"], name="membership_own", condition=Q(listed=False)),
            models.Index(fields=["product", "id"], name="membership_product"),
        ]


INVITED_FOR = timedelta(
    days=30
)  # an invitation is open for so long, and one that was declined is not repeated for so long


def in_a_while() -> datetime:
    return timezone.now() + INVITED_FOR


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def standing(self) -> "InvitationQuerySet":
        """Those that are not over: open ones, and those that keep a product from asking again."""
        return self.filter(expires_at__gt=timezone.now())

    def open(self) -> "InvitationQuerySet":
        return self.standing().filter(declined=False)


class Invitation(models.Model):
    """A place on a team that a maker may take. Accepted, it is a Membership and no invitation any more; declined, or where
    the maker has left the team, it stays until it expires and keeps the product from asking again."""

    product = models.ForeignKey(Product, models.CASCADE, related_name="invitations")
    maker = models.ForeignKey(Maker, models.CASCADE, related_name="invitations", db_index=False)
    invited_by = models.ForeignKey(Maker, models.SET_NULL, null=True, related_name="+")
    declined = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(default=in_a_while)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["product", "maker"], name="one_invitation_per_maker")]
        indexes = [
            models.Index(fields=["maker", "id"], name="invitation_maker"),
            models.Index(fields=["expires_at"], name="invitation_over"),
        ]


class ProductRemoval(Removal):
    class Meta:
        indexes = [models.Index(fields=["deleted_at", "id"], name="product_removal")]
