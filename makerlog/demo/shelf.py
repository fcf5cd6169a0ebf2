"""Products, with their teams and the projects under them."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from django.db import transaction

from makerlog import content
from makerlog.accounts.models import Maker
from makerlog.accounts.slugs import candidates
from makerlog.demo import words
from makerlog.demo.bulk import batches, free_names, moment, moments
from makerlog.demo.people import People
from makerlog.demo.sentences import Dice, filled, product_name
from products.actions import lock_makers
from products.models import Membership, Product, Project

BATCH = 500
Team = list[int]


def add_products(people: People, count: int, now: datetime, dice: Dice) -> Iterator[int]:
    births = moments(moment(people.joined[0]), now, count, dice)
    for size in batches(count, BATCH):
        with transaction.atomic():
            add_batch(people, list(islice(births, size)), now, dice)
        yield size


def add_batch(people: People, births: list[datetime], now: datetime, dice: Dice) -> None:
    owners = [people.ids[people.busy(birth.timestamp(), dice)] for birth in births]
    teams = [draw_team(people, owner, now, dice) for owner in owners]
    lock_makers({*owners, *(maker for team in teams for maker in team)})
    private = dict(Maker.objects.filter(pk__in=owners).values_list("pk", "private"))
    projects = take_projects(owners)
    products = [
        draft_product(owner, project, birth, now, dice, private[owner])
        for owner, project, birth in zip(owners, projects, births, strict=True)
    ]
    keep(products, teams, projects)


def draw_team(people: People, owner: int, now: datetime, dice: Dice) -> Team:
    return people.others(dice.randint(1, 3), now.timestamp(), owner, dice) if dice.random() < 0.25 else []


def take_projects(owners: list[int]) -> list[Project | None]:
    """For each product a project of its owner that stands under none yet, while there is one."""
    free: dict[int, list[Project]] = {}
    for project in Project.objects.filter(author__in=owners, products=None).order_by("-id"):
        free.setdefault(project.author_id, []).append(project)
    return [free[owner].pop() if free.get(owner) else None for owner in owners]


def draft_product(
    owner: int, project: Project | None, birth: datetime, now: datetime, dice: Dice, private_owner: bool
) -> Product:
    name = product_name(dice, project.name if project else None)
    private = dice.random() < 0.05
    launched_at = birth + timedelta(days=dice.expovariate(1 / 40)) if dice.random() < 0.7 else now
    return Product(
        author_id=owner,
        name=name,
        slug=next(candidates(name, "product")),
        created_at=birth,
        description=filled(dice.choice(words.PRODUCT_KINDS), dice),
        tags=dice.sample(words.TAGS, dice.randint(0, 4)),
        accent=dice.choice(words.ACCENTS),
        private=private,
        listed=not (private or private_owner),
        launched=launched_at < now,
        launched_at=launched_at if launched_at < now else None,
    )


def keep(products: list[Product], teams: list[Team], projects: list[Project | None]) -> None:
    slugs = free_names([product.slug for product in products], taken_slugs, "-")
    for product, slug in zip(products, slugs, strict=True):
        product.slug, product.website = slug, f"https://{slug}.example"
    Product.objects.bulk_create(products)
    Membership.objects.bulk_create(
        Membership(product=product, maker_id=maker, owner=maker == product.author_id, listed=product.listed)
        for product, team in zip(products, teams, strict=True)
        for maker in [product.author_id, *team]
    )
    held = [(product, project) for product, project in zip(products, projects, strict=True) if project]
    under = Product.projects.through
    under.objects.bulk_create(under(product=product, project=project) for product, project in held)
    content.relist(projects=[project.pk for _, project in held])  # tasks of an earlier run may stand under them


def taken_slugs(slugs: list[str]) -> list[str]:
    return list(Product.objects.filter(slug__in=slugs).values_list("slug", flat=True))
