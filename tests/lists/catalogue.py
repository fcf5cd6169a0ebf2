"""Every list of the API, one an entry: which route it is, what fills it, who may ask, and in which order its rows come.

``test_catalogue.py`` fails where a route is missing here. A list that takes filters stands here once for each of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from django.db.models import Model

from discussions.models import Discussion, DiscussionRemoval, Participant, Reply
from discussions.trending import MAX_TRENDING
from makerlog.accounts.models import AccessToken, Follow, Maker
from makerlog.api.renderers import MAX_ROWS
from products.models import (
    MAX_HOLDERS,
    MAX_INVITATIONS,
    MAX_PROJECTS,
    MAX_TEAM,
    Membership,
    Product,
    ProductRemoval,
    Project,
)
from products.tags import MAX_RELATED, MAX_TAGS_NAMED
from tasks.models import Task, TaskComment, TaskRemoval
from tests.lists import rows
from tests.lists.rows import HOST, Add

Keep = Callable[[Any], bool]

NEWEST = ("-created_at", "-id")
OLDEST = ("created_at", "id")
CHANGED = ("updated_at", "id")
WORKED = ("-worked_at", "-id")
LAUNCHED = ("-launched_at", "-id")


@dataclass(frozen=True)
class Listing:
    """One list as one request asks for it.

    ``route``: as the URLconf has it. ``url``: with alice's things in it. ``add``: makes rows of alice's. ``own``: only
    the token's maker is answered. ``public``: what is private is shown to nobody. A page shows each row of ``model``
    that ``keep`` and its privacy let through, in the order of ``key``, as ``wire`` says; an answer without a ``key`` is
    no list but at most ``most`` rows.
    """

    route: str
    url: str
    add: Add
    model: type[Model] | None = None
    key: tuple[str, ...] = ()
    keep: Keep = lambda row: True
    wire: Callable[[Any], Any] = attrgetter("pk")
    own: bool = False
    public: bool = False
    most: int = MAX_ROWS

    def __str__(self) -> str:
        return self.url.replace(str(HOST), "1")


def of_alice(row: Any) -> bool:
    return row.author.username == "alice"


def place_of_alice(place: Any) -> bool:
    return place.maker.username == "alice" and not place.product.hidden


def under(holders: str, name: str) -> Keep:
    """Whether a task is filed under alice's project or product of that name."""
    return lambda task: getattr(task, holders).filter(author__username="alice", name=name).exists()


def tasks(query: str, keep: Keep = lambda task: True, key: tuple[str, ...] = NEWEST) -> Listing:
    return Listing("tasks/", f"/tasks/?{query}", rows.add_tasks, Task, key, keep)


def products(query: str, keep: Keep = lambda product: True, key: tuple[str, ...] = NEWEST) -> Listing:
    return Listing("products/", f"/products/?{query}", rows.add_products, Product, key, keep)


def discussions(query: str, keep: Keep = lambda discussion: True, key: tuple[str, ...] = NEWEST) -> Listing:
    return Listing("discussions/", f"/discussions/?{query}", rows.add_discussions, Discussion, key, keep)


LISTS = [
    tasks(""),
    tasks("ordering=created_at", key=OLDEST),
    tasks("user=alice", of_alice),
    tasks("username=alice", of_alice),
    tasks("done=true", attrgetter("done")),
    tasks("in_progress=false", lambda task: not task.in_progress),
    tasks("product=alice-0", under("products", "Product 0")),
    tasks(f"project={HOST}", under("projects", "attic")),
    tasks("created_at=2026-05-20"),
    tasks("start_date=2026-05-01", key=WORKED),
    tasks("end_date=2026-06-01", key=WORKED),
    tasks("user=alice&start_date=2026-05-01", of_alice, WORKED),
    tasks("updated_since=2026-05-01", key=CHANGED),
    tasks("search=task"),
    tasks("user=alice&done=true&search=task", lambda task: of_alice(task) and task.done),
    Listing("tasks/me/", "/tasks/me/", rows.add_tasks, Task, NEWEST, of_alice, own=True),
    Listing("users/<str:maker>/recent_tasks/", "/users/alice/recent_tasks/", rows.add_tasks, Task, NEWEST, of_alice),
    Listing(
        "users/<str:maker>/tasks_for_day/",
        "/users/alice/tasks_for_day/?day=2026-05-20",
        rows.add_tasks,
        Task,
        WORKED,
        of_alice,
    ),
    Listing("tasks/<int:task>/comments/", f"/tasks/{HOST}/comments/", rows.add_comments, TaskComment, ("id",)),
    products(""),
    products("ordering=created_at", key=OLDEST),
    products("user=alice", of_alice),
    products("launched=true", attrgetter("launched")),
    products("updated_since=2026-05-01", key=CHANGED),
    products("search=product"),
    products("user=alice&launched=true", lambda product: of_alice(product) and product.launched),
    Listing("launches/", "/launches/", rows.add_products, Product, LAUNCHED, attrgetter("launched"), public=True),
    Listing(
        "products/recently_launched/",
        "/products/recently_launched/",
        rows.add_products,
        Product,
        LAUNCHED,
        attrgetter("launched"),
        public=True,
    ),
    Listing(
        "products/me/",
        "/products/me/",
        rows.add_products,
        Membership,
        ("-id",),
        place_of_alice,
        attrgetter("product_id"),
        own=True,
    ),
    Listing(
        "users/<str:maker>/products/",
        "/users/alice/products/",
        rows.add_products,
        Membership,
        ("-id",),
        place_of_alice,
        attrgetter("product_id"),
    ),
    Listing("projects/", "/projects/", rows.add_projects, Project, ("id",), of_alice, own=True),
    discussions(""),
    discussions("ordering=created_at", key=OLDEST),
    discussions("user=alice", of_alice),
    discussions("owner=alice", of_alice),
    discussions("type=QUESTION", lambda discussion: discussion.type == "QUESTION"),
    discussions("updated_since=2026-05-01", key=CHANGED),
    discussions("search=discussion"),
    discussions("user=alice&type=QUESTION", lambda row: of_alice(row) and row.type == "QUESTION"),
    Listing(
        "discussions/recent_discussions/",
        "/discussions/recent_discussions/",
        rows.add_discussions,
        Discussion,
        NEWEST,
        public=True,
    ),
    Listing(
        "discussions/recent_questions/",
        "/discussions/recent_questions/",
        rows.add_discussions,
        Discussion,
        NEWEST,
        lambda discussion: discussion.type == "QUESTION",
        public=True,
    ),
    Listing("discussions/<slug:slug>/replies/", f"/discussions/host-{HOST}/replies/", rows.add_replies, Reply, ("id",)),
    Listing(
        "discussions/<slug:slug>/replies/people/",
        f"/discussions/host-{HOST}/replies/people/",
        rows.add_replies,
        Participant,
        ("id",),
        wire=attrgetter("maker_id"),
    ),
    Listing(
        "discussions/<slug:slug>/replies/people/",
        f"/discussions/host-{HOST}/replies/people/?exclude_owner=true",
        rows.add_replies,
        Participant,
        ("id",),
        wire=attrgetter("maker_id"),
    ),
    *(
        Listing(f"{name}/deleted/", f"/{name}/deleted/", rows.add_removals(model), model, ("deleted_at", "id"))
        for name, model in (("tasks", TaskRemoval), ("products", ProductRemoval), ("discussions", DiscussionRemoval))
    ),
    Listing("users/", "/users/", rows.add_makers, Maker, ("-id",)),
    Listing(
        "me/following/",
        "/me/following/",
        rows.add_follows,
        Follow,
        ("-id",),
        lambda follow: follow.follower.username == "alice",
        attrgetter("followed_id"),
        own=True,
    ),
    Listing(
        "tokens/",
        "/tokens/",
        rows.add_tokens,
        AccessToken,
        ("-id",),
        lambda token: token.maker.username == "alice",
        own=True,
    ),
]

BOUNDED = [
    Listing(
        "products/<slug:slug>/invitations/",
        f"/products/host-{HOST}/invitations/",
        rows.add_invitations,
        own=True,
        most=MAX_TEAM,
    ),
    Listing("me/invitations/", "/me/invitations/", rows.add_invitations_to, own=True, most=MAX_INVITATIONS),
    Listing("projects/<int:pk>/related/", f"/projects/{HOST}/related/", rows.add_products, most=MAX_HOLDERS),
    Listing("products/suggest_tags/", "/products/suggest_tags/?q=tag", rows.add_products, most=MAX_TAGS_NAMED),
    Listing("products/common_tags/", "/products/common_tags/", rows.add_products, most=MAX_TAGS_NAMED),
    Listing("products/<slug:slug>/people/", f"/products/host-{HOST}/people/", rows.add_people, most=MAX_TEAM + 1),
    Listing(
        "products/<slug:slug>/projects/",
        f"/products/host-{HOST}/projects/",
        rows.add_projects_of_product,
        most=MAX_PROJECTS,
    ),
    Listing(
        "products/<slug:slug>/related_products/",
        f"/products/host-{HOST}/related_products/",
        rows.add_related,
        most=MAX_RELATED,
    ),
    Listing("tasks/sync/", "/tasks/sync/?last_sync_date=2026-05-01", rows.add_changes, own=True),
    Listing("tasks/<int:task>/praise/", f"/tasks/{HOST}/praise/", rows.add_praise),
    Listing("discussions/trending/", "/discussions/trending/", rows.add_discussions, most=MAX_TRENDING),
    Listing(
        "discussions/<slug:slug>/replies/<int:pk>/praise/",
        f"/discussions/host-{HOST}/replies/{HOST}/praise/",
        rows.add_reply_praise,
    ),
]

# What says ``bounded_by`` and is one thing, whatever there is in the database.
SINGLE = {
    "",
    "schema/",
    "health/ready/",
    "metrics/",
    "tokens/current/",
    "limits/",
    "me/",
    "me/privileged/",
    "me/refusals/",
    "me/export_data/",
    "users/<str:maker>/is_following/",
    "users/<str:maker>/follow/",
    "users/<str:maker>/unfollow/",
    "accounts/register_preflight/",
    "accounts/email_activate/<str:uid>/<str:token>/",
    "accounts/email_confirm/<str:uid>/<str:token>/",
    "accounts/reset/<str:uid>/<str:token>/",
    "accounts/change_username/",
}
