"""Rows for every kind of list, with all that hangs on a row: projects, products, teams, what is private, and NULLs.

Each function adds ``count`` rows to what is there, ``apart`` from each other and not in the order of their ids; 0 makes them
of one moment. The first row is public, the second private where there is such a thing.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from discussions.models import Discussion, Participant, Reply, ReplyPraise
from makerlog.accounts.models import AccessToken, Follow, Maker
from products.models import Invitation, Membership, Product, Project
from tasks.models import DeletedTask, Task, TaskComment, TaskPraise, TaskProduct, TaskProject
from tests.makers import make_maker
from tests.tasks.logs import NOON

Add = Callable[[Maker, int, timedelta], None]

HOST = 900_000_000  # the id of what a list hangs on: one task, one reply, one project; also the number in their slugs


def moment(number: int, apart: timedelta) -> datetime:
    return NOON - apart * (number * 7 % 101)


def shown(number: int) -> bool:
    return number % 3 != 1


def others(count: int) -> list[Maker]:
    """New makers, every second of whom has said nothing of themselves."""
    taken = Maker.objects.count()
    return Maker.objects.bulk_create(
        Maker(
            username=f"maker{taken + number}",
            status="" if number % 2 else "Making",
            avatar="" if number % 2 else "avatars/a.png",
            last_day=None if number % 2 else NOON.date(),
            private=not shown(number),
        )
        for number in range(count)
    )


# --- Products and projects ---


def shelf(maker: Maker) -> list[Project]:
    """Two projects of a maker, the second one private. Alice's first is the host."""
    attic = {"pk": HOST} if maker.username == "alice" else {}
    return [
        Project.objects.get_or_create(author=maker, name="attic", defaults=attic)[0],
        Project.objects.get_or_create(author=maker, name="cellar", private=True)[0],
    ]


def product(maker: Maker, number: int, apart: timedelta, **values: Any) -> Product:
    made: dict[str, Any] = {
        "author": maker,
        "name": f"Product {number}",
        "slug": f"{maker.username}-{number}",
        "private": not shown(number),
        "listed": shown(number),
        "launched": number % 2 == 0,
        "launched_at": None if number % 2 else moment(number, apart),
        "tags": ["honey", f"tag{number}"] if number % 5 < 4 else [],
        "icon": "" if number % 2 else "icons/a.png",
        "created_at": moment(number, apart),
        "updated_at": moment(number, apart),
    }
    return Product(**{**made, **values})


def add_products(maker: Maker, count: int, apart: timedelta) -> None:
    """Each with a team of its owner and two more, and two projects: so the first project stands under all of them."""
    start = Product.objects.filter(author=maker, slug__startswith=maker.username).count()
    made = Product.objects.bulk_create(product(maker, start + number, apart) for number in range(count))
    furnish(maker, made)


def furnish(maker: Maker, made: list[Product]) -> None:
    helpers, projects = Maker.objects.filter(username__in=[make_helper(name) for name in HELPERS]), shelf(maker)
    owners = [Membership(product=each, maker=maker, owner=True, listed=each.listed) for each in made]
    team = [Membership(product=each, maker=helper, listed=each.listed) for each in made for helper in helpers]
    Membership.objects.bulk_create([*owners, *team])
    link = Product.projects.through
    link.objects.bulk_create(link(product=each, project=project) for each in made for project in projects)


HELPERS = ("charlie", "dora")


def make_helper(name: str) -> str:
    return (Maker.objects.filter(username=name).first() or make_maker(name)).username


def add_projects(maker: Maker, count: int, apart: timedelta) -> None:
    start = Project.objects.filter(author=maker).count()
    Project.objects.bulk_create(
        Project(author=maker, name=f"project{start + number}", private=not shown(start + number))
        for number in range(count)
    )


def host_product(maker: Maker) -> Product:
    values = {"author": maker, "name": "Host", "tags": ["honey"]}
    found, new = Product.objects.get_or_create(slug=f"host-{HOST}", defaults=values)
    if new:
        Membership.objects.create(product=found, maker=maker, owner=True)
    return found


def add_invitations(maker: Maker, count: int, apart: timedelta) -> None:
    host = host_product(maker)
    Invitation.objects.bulk_create(Invitation(product=host, maker=each, invited_by=maker) for each in others(count))


def add_invitations_to(maker: Maker, count: int, apart: timedelta) -> None:
    inviting = others(count)
    made = Product.objects.bulk_create(product(each, 0, apart) for each in inviting)
    Invitation.objects.bulk_create(
        Invitation(product=each, maker=maker, invited_by=owner) for each, owner in zip(made, inviting, strict=True)
    )


def add_people(maker: Maker, count: int, apart: timedelta) -> None:
    host = host_product(maker)
    Membership.objects.bulk_create(Membership(product=host, maker=each) for each in others(count))


def add_projects_of_product(maker: Maker, count: int, apart: timedelta) -> None:
    add_projects(maker, count, apart)
    host_product(maker).projects.set(maker.projects.all())


def add_related(maker: Maker, count: int, apart: timedelta) -> None:
    host_product(maker)
    add_products(maker, count, apart)


# --- Tasks ---


def add_tasks(maker: Maker, count: int, apart: timedelta) -> None:
    """Tasks under two projects and a product with a team; every column that takes NULL is NULL in many of them."""
    start = Task.objects.filter(author=maker).count()
    made = Task.objects.bulk_create(task(maker, start + number, apart) for number in range(count))
    if not maker.products.exists():
        add_products(maker, 2, apart)
    filings = [{"task": each, "created_at": each.created_at, "listed": each.listed} for each in made]
    projects, products = shelf(maker), list(maker.products.all())
    TaskProject.objects.bulk_create(TaskProject(project=each, **filing) for each in projects for filing in filings)
    TaskProduct.objects.bulk_create(TaskProduct(product=each, **filing) for each in products for filing in filings)


def task(maker: Maker, number: int, apart: timedelta) -> Task:
    done = number % 2 == 0
    return Task(
        author=maker,
        content=f"Task {number} #attic",
        description=None if number % 5 else "Long",
        done=done,
        in_progress=number % 4 == 1,
        done_at=moment(number, apart) if done else None,
        due_at=None if number % 7 else NOON,
        event=None if number % 4 else "nomadlist",
        external_id=None if number % 3 else f"x{number}",
        attachment="" if number % 2 else "attachments/a.png",
        listed=shown(number),
        created_at=moment(number, apart),
        updated_at=moment(number, apart),
    )


def add_changes(maker: Maker, count: int, apart: timedelta) -> None:
    """Tasks, and as many that are gone."""
    add_tasks(maker, count, apart)
    DeletedTask.objects.bulk_create(
        DeletedTask(task_id=HOST + number, author=maker, deleted_at=moment(number, apart)) for number in range(count)
    )


def add_removals(model: Any) -> Add:
    """Of the last weeks: what is older is shown no more."""

    def add(maker: Maker, count: int, apart: timedelta) -> None:
        start, now = model.objects.count(), timezone.now() - timedelta(days=1)
        model.objects.bulk_create(
            model(id=HOST + start + number, deleted_at=now - apart * (number * 7 % 101)) for number in range(count)
        )

    return add


def host_task(maker: Maker) -> Task:
    return Task.objects.get_or_create(pk=HOST, defaults={"author": maker, "content": "host", "created_at": NOON})[0]


def add_comments(maker: Maker, count: int, apart: timedelta) -> None:
    host = host_task(maker)
    TaskComment.objects.bulk_create(
        TaskComment(task=host, author=author, content="Nice", created_at=moment(number, apart))
        for number, author in enumerate(others(count))
    )


def add_praise(maker: Maker, count: int, apart: timedelta) -> None:
    host = host_task(maker)
    TaskPraise.objects.bulk_create(TaskPraise(task=host, maker=each) for each in others(count))


# --- Discussions ---


def add_discussions(maker: Maker, count: int, apart: timedelta) -> None:
    start = Discussion.objects.filter(author=maker).count()
    Discussion.objects.bulk_create(
        Discussion(
            author=maker,
            slug=f"{maker.username}-{number}",
            title=f"Discussion {number}",
            body="" if number % 2 else "Long",
            type=Discussion.Type.LINK if number % 2 else Discussion.Type.QUESTION,
            listed=shown(number),
            reply_count=number % 5,
            created_at=moment(number, apart),
            updated_at=moment(number, apart),
        )
        for number in range(start, start + count)
    )


def host_discussion(maker: Maker) -> Discussion:
    defaults = {"author": maker, "title": "Host"}
    return Discussion.objects.get_or_create(slug=f"host-{HOST}", defaults=defaults)[0]


def add_replies(maker: Maker, count: int, apart: timedelta) -> None:
    """Of as many makers, every second one to the reply before; each of them takes part once."""
    host, authors = host_discussion(maker), others(count)
    first = Reply.objects.filter(discussion=host).first()
    Reply.objects.bulk_create(
        Reply(
            discussion=host,
            author=author,
            body="Yes",
            parent_reply=None if number % 2 else first,
            created_at=moment(number, apart),
        )
        for number, author in enumerate(authors)
    )
    Participant.objects.bulk_create(Participant(discussion=host, maker=author) for author in authors)


def add_reply_praise(maker: Maker, count: int, apart: timedelta) -> None:
    host = host_discussion(maker)
    reply, _ = Reply.objects.get_or_create(pk=HOST, defaults={"discussion": host, "author": maker, "body": "Yes"})
    ReplyPraise.objects.bulk_create(ReplyPraise(reply=reply, maker=each) for each in others(count))


# --- Makers ---


def add_makers(maker: Maker, count: int, apart: timedelta) -> None:
    others(count)


def add_follows(maker: Maker, count: int, apart: timedelta) -> None:
    Follow.objects.bulk_create(Follow(follower=maker, followed=each) for each in others(count))


def add_tokens(maker: Maker, count: int, apart: timedelta) -> None:
    start = AccessToken.objects.count()
    AccessToken.objects.bulk_create(
        AccessToken(
            maker=maker,
            name="" if number % 2 else "app",
            scopes=["tasks:read"],
            public_id=f"{number:011}",
            pepper=1,
            digest=bytes(32),
            last_used_at=None if number % 2 else NOON,
            expires_at=None if number % 3 else NOON,
        )
        for number in range(start, start + count)
    )


# --- What a moderator does ---


def hide(rows: list[Any]) -> None:
    """Takes rows out of every list, their owner's included. A place on a team goes with its product."""
    for row in rows:
        if isinstance(row, Membership):
            row.product.memberships.update(listed=False)
            hide([row.product])
            continue
        row.hidden = True
        if hasattr(row, "listed"):
            row.listed = False
        if isinstance(row, Task):
            row.project_filings.update(listed=False)
            row.product_filings.update(listed=False)
        row.save()
