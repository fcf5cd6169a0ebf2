"""What may happen to projects and products. Keyword-only; each is one transaction.

Whoever changes what is private, or which product holds which project, first locks the makers whose tasks that touches,
in the order of their ids, then the product. Whoever writes a task holds its author, too (tasks.actions): so no task is
listed by what was true a moment ago.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.exceptions import PermissionDenied, ValidationError

from makerlog import content
from makerlog.accounts import media
from makerlog.accounts.models import Maker
from makerlog.accounts.slugs import create_with_slug
from makerlog.api.columns import AnyOf
from makerlog.api.exceptions import Conflict, ConflictForNow
from makerlog.api.folded import with_folded
from makerlog.api.text import fold
from makerlog.api.written import instances
from makerlog.changes.journal import announce
from products.events import announce_refiling
from products.models import (
    INVITED_FOR,
    MAX_HOLDERS,
    MAX_INVITATIONS,
    MAX_TEAM,
    Invitation,
    Membership,
    Product,
    Project,
    in_a_while,
)

OF_THE_TEAM = {"private", "team", "projects"}
ICON = Product._meta.get_field("icon")


def get_or_create_project(*, author: Maker, name: str, **values: Any) -> Project:
    """The author's project of that name, whatever its case."""
    return create_project(author=author, name=name, **values)[0]


@transaction.atomic(savepoint=False)  # a task that names many has one transaction
def create_project(*, author: Maker, name: str, **values: Any) -> tuple[Project, bool]:
    """A new project and True; or the author's own of that name, as it is, and False."""
    if known := projects_called(name, author):
        return known[0], False
    try:
        with transaction.atomic():
            return author.projects.create(name=name, **values), True
    except IntegrityError:
        return projects_called(name, author)[0], False


@transaction.atomic(savepoint=False)
def get_or_create_projects(*, author: Maker, names: Sequence[str]) -> list[Project]:
    """The author's projects of these names, whatever their case, in this order; those that are missing are created. Three
    statements at most, however many names."""
    projects = projects_by_key(author, names)
    if missing := [name for name in names if fold(name) not in projects]:
        # Somebody may create one of them at the same moment: theirs is as good.
        Project.objects.bulk_create([Project(author=author, name=name) for name in missing], ignore_conflicts=True)
        projects = projects_by_key(author, names)
    return [projects[fold(name)] for name in names]


def projects_by_key(author: Maker, names: Sequence[str]) -> dict[str, Project]:
    """By their folded names, those of these that there are."""

    def rows(values: Sequence[Any]) -> QuerySet[Project]:
        return Project.objects.filter(AnyOf("folded", values[1]), author=values[0])

    keys = [fold(name) for name in names]
    return {str(each.folded): each for each in instances(Project, "projects by key", [author.pk, keys], rows)}


def projects_called(name: str, author: Maker) -> list[Project]:
    """The author's one of that name, or none."""
    return list(projects_by_key(author, [name]).values())


@transaction.atomic
def change_project(*, project: Project, **values: Any) -> Project:
    """Renames a project, or makes it private or public together with all its tasks."""
    lock_makers([project.author_id])
    project = get_object_or_404(Project, pk=project.pk)
    was_private, old_name = project.private, project.name
    for name, value in values.items():
        setattr(project, name, value)
    try:
        with transaction.atomic():
            project.save(update_fields=with_folded(Project, values))
    except IntegrityError as error:
        raise ValidationError({"name": ["You have another project of this name."]}) from error
    if project.private != was_private:
        content.relist(projects=[project.pk])
    if project.name != old_name:
        content.announce_rename(projects=[project.pk])
    return project


@transaction.atomic
def delete_project(*, project: Project) -> None:
    """Deletes a project. Its tasks stay, as public as what else they belong to."""
    lock_makers([project.author_id])
    Product.objects.filter(projects=project).change()
    project.products.clear()
    Project.objects.filter(pk=project.pk).update(private=False)
    content.relist(projects=[project.pk])
    project.delete()


@media.atomic()
def create_product(
    *, author: Maker, team: Collection[int] = (), projects: Collection[int] = (), **values: Any
) -> Product:
    lock_makers({author.pk, *team})
    author.refresh_from_db(fields=["private"])
    values = media.with_file(settled(values), ICON, maker=author)
    listed = not (author.private or values.get("private"))
    product = create_with_slug(
        Product.objects.all(), text=values["name"], kind="product", author=author, listed=listed, **values
    )
    Membership.objects.create(product=product, maker=author, owner=True, listed=listed)
    set_team(product, team, by=author)
    set_projects(product, projects, maker=author)
    return product


@media.atomic()
def change_product(*, product: Product, maker: Maker, **values: Any) -> None:
    """Changes a product; the projects under it, where they are given, become exactly those. Of its team, where it is given,
    those who are not named leave; those who are not on it are invited.

    The team may change everything but who is on it and whether it is private: that is the owner's.
    """
    touched = OF_THE_TEAM & {name for name, value in values.items() if value is not None} or "icon" in values
    team, projects = values.pop("team", None), values.pop("projects", None)
    product = locked(product, maker=maker, team=team or ()) if touched else current(product)
    if maker.pk != product.author_id:
        require_unchanged(product, values.get("private"), team)
    old_name = product.name
    values = media.with_file(settled(values, product), ICON, maker=product.author, old=product.icon.name or "")
    write(product, values)
    if product.name != old_name:
        announce_refiling([product.pk])
    parted = set() if team is None else set_team(product, team, by=maker)
    if projects is not None:
        set_projects(product, projects, maker=maker)
    Product.objects.filter(pk=product.pk).change()
    announce_parting(product, parted)


@transaction.atomic
def delete_product(*, product: Product, maker: Maker) -> None:
    """Deletes a product. The tasks of its projects stay, as public as what else they belong to."""
    product = locked(product, maker=maker)
    take_out(product, held_by(product))
    product.delete()
    media.forget([product.icon.name or ""])


@transaction.atomic
def leave(*, product: Product, maker: Maker) -> None:
    """Leaves the team, and takes along one's own projects: who stays would go on reading their private tasks."""
    if maker.pk == product.author_id:
        raise ValidationError(["Its owner cannot leave a product; delete it instead."])
    product = locked(product, maker=maker)
    if not Membership.objects.filter(product=product, maker=maker).exists():
        raise PermissionDenied("You are not on this team.", "not_yours")
    part_with(product, {maker.pk})
    refuse_further(product, maker)
    Product.objects.filter(pk=product.pk).change()
    announce_parting(product, {maker.pk})


@transaction.atomic
def invite(*, product: Product, maker: int, by: Maker) -> Invitation:
    """Invites a maker onto the team. Repeated, it is the invitation that there is."""
    product = locked(product, maker=by, team=[maker])
    require_on_team(product, by)
    if maker == product.author_id or maker in members(product):
        raise Conflict("They are on the team already.", "on_the_team")
    invite_all(product, {maker}, by=by, field="user")
    return Invitation.objects.select_related("maker").get(product=product, maker=maker)


def require_on_team(product: Product, maker: Maker) -> None:
    if maker.pk != product.author_id and maker.pk not in members(product):
        raise PermissionDenied("Only its owner and its team may do this.", "not_yours")


def invite_all(product: Product, makers: Collection[int], *, by: Maker, field: str = "team") -> None:
    """Invites those who are not invited yet; ``field`` is the one to blame. The product and the makers are locked: the bounds
    hold whoever else invites."""
    active = Maker.objects.filter(pk__in=makers, is_active=True).values_list("pk", flat=True)
    if unknown := set(makers) - set(active):
        raise ValidationError({field: [f"No such maker: {written(unknown)}."]})
    standing = dict(product.invitations.standing().filter(maker__in=makers).values_list("maker", "declined"))
    if declined := [maker for maker, has_declined in standing.items() if has_declined]:
        raise ValidationError({field: [f"Declined, or left, within {INVITED_FOR.days} days: {written(declined)}."]})
    asked = set(makers) - set(standing)
    places = product.invitations.open().count() + len(members(product)) + len(asked)
    if places > MAX_TEAM:
        raise ValidationError({field: [f"A team, with those invited, has at most {MAX_TEAM} makers beside the owner."]})
    if crowded := crowded_among(asked):
        raise ValidationError({field: [f"Has {MAX_INVITATIONS} open invitations already: {written(crowded)}."]})
    Invitation.objects.filter(product=product, maker__in=asked).delete()  # what is over
    Invitation.objects.bulk_create(Invitation(product=product, maker_id=pk, invited_by=by) for pk in sorted(asked))


def crowded_among(makers: Collection[int]) -> list[int]:
    counts = Invitation.objects.open().filter(maker__in=makers).values("maker").annotate(n=Count("pk"))
    return list(counts.filter(n__gte=MAX_INVITATIONS).values_list("maker", flat=True))


@transaction.atomic
def accept_invitation(*, invitation: Invitation, maker: Maker) -> None:
    """Takes the place on the team. Http404 where the invitation is over by now."""
    product = locked(invitation.product, maker=maker)
    open_ones = Invitation.objects.select_for_update().filter(product=product, product__hidden=False).open()
    get_object_or_404(open_ones, pk=invitation.pk, maker=maker).delete()
    Membership.objects.create(product=product, maker=maker, listed=product.listed)
    Product.objects.filter(pk=product.pk).change()


@transaction.atomic
def decline_invitation(*, invitation: Invitation, maker: Maker) -> None:
    refuse_further(current(invitation.product), maker)


def refuse_further(product: Product, maker: Maker) -> None:
    """Keeps the product from asking ``maker`` again for a while."""
    values = {"declined": True, "expires_at": in_a_while()}
    Invitation.objects.update_or_create(product=product, maker=maker, defaults=values)


@transaction.atomic
def withdraw_invitation(*, product: Product, invitation: int, by: Maker) -> None:
    """Takes an open invitation back. Http404 where there is none."""
    product = current(product)
    require_on_team(product, by)
    get_object_or_404(product.invitations.open(), pk=invitation).delete()


def announce_parting(product: Product, makers: Collection[int]) -> None:
    """What these have open of the team's alone is closed in every process."""
    announce("team", [f"{product.pk}:{maker}" for maker in sorted(makers)])


def require_unchanged(product: Product, private: bool | None, team: Collection[int] | None) -> None:
    """What only the owner may change; sent as it is, it does no harm: old apps send whole objects."""
    same_team = team is None or set(team) - {product.author_id} == members(product)
    if private not in (None, product.private) or not same_team:
        raise PermissionDenied("Only its owner may make a product private or public, or change its team.", "not_owner")


def write(product: Product, values: dict[str, Any]) -> None:
    """The columns; where it became private or public, its place in the lists and the tasks of its projects too."""
    was_private = product.private
    for name, value in values.items():
        setattr(product, name, value)
    if product.private == was_private:
        product.save(update_fields=[*values])
    else:
        product.listed = not (product.private or product.hidden or product.author.private)
        product.save(update_fields=[*values, "listed"])
        product.memberships.update(listed=product.listed)
        content.relist(projects=held_by(product))


def settled(values: dict[str, Any], product: Product | None = None) -> dict[str, Any]:
    """``values`` with the moment of a first launch, which is kept from then on."""
    if values.get("launched") and not (product and product.launched_at):
        values = {**values, "launched_at": timezone.now()}
    return values


def set_team(product: Product, makers: Collection[int], *, by: Maker) -> set[int]:
    """Of the team, these makers stay, and those not on it are invited; the owner among them is passed over. Gives those who
    are on it no longer."""
    wanted, team = set(makers) - {product.author_id}, members(product)
    part_with(product, team - wanted)
    if joining := wanted - team:
        invite_all(product, joining, by=by)
    return team - wanted


def set_projects(product: Product, projects: Collection[int], *, maker: Maker) -> None:
    """These projects stand under the product: what stands there already, and what is ``maker``'s own."""
    held, wanted = set(held_by(product)), set(projects)
    added = wanted - held
    own = dict(Project.objects.filter(pk__in=added, author=maker).annotate(n=Count("products")).values_list("pk", "n"))
    if foreign := added - set(own):
        raise ValidationError({"projects": [f"Not yours to use: {written(foreign)}."]})
    if full := [pk for pk, holders in own.items() if holders >= MAX_HOLDERS]:
        raise ValidationError({"projects": [f"Under {MAX_HOLDERS} products already: {written(full)}."]})
    product.projects.add(*added)
    take_out(product, held - wanted, relist=added)


def part_with(product: Product, makers: Collection[int]) -> None:
    """These makers are no longer on the team, and their projects no longer under the product."""
    if makers:
        Membership.objects.filter(product=product, maker__in=makers, owner=False).delete()
        theirs = product.projects.filter(author__in=makers).values_list("pk", flat=True)
        take_out(product, list(theirs))


def take_out(product: Product, projects: Collection[int], *, relist: Collection[int] = ()) -> None:
    """Takes these projects from under the product. Their tasks, and those of ``relist``, are brought up to date."""
    product.projects.remove(*projects)
    if projects or relist:
        content.relist(projects={*projects, *relist})


def members(product: Product) -> set[int]:
    return set(product.memberships.filter(owner=False).values_list("maker", flat=True))


def held_by(product: Product) -> list[int]:
    return list(product.projects.values_list("pk", flat=True))


def written(ids: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(ids)))


def lock_makers(ids: Iterable[int]) -> set[int]:
    """Holds the makers' rows until the transaction ends; always in the order of their ids, so that no two wait for each
    other. Gives those that there are."""
    rows = Maker.objects.filter(pk__in=set(ids)).select_for_update(no_key=True).order_by("pk")
    return set(rows.values_list("pk", flat=True))


def locked(product: Product, *, maker: Maker, team: Collection[int] = ()) -> Product:
    """The product as it is now, held until the transaction ends, with all whose tasks it touches."""
    concerned = {product.author_id, maker.pk, *team, *authors_of(product)}
    lock_makers(concerned)
    product = current(product)
    if not authors_of(product) <= concerned:
        raise ConflictForNow("Somebody else changed this product at the same moment; try again.", "changed_meanwhile")
    return product


def current(product: Product) -> Product:
    rows = Product.objects.select_for_update(of=("self",), no_key=True).select_related("author")
    return get_object_or_404(rows, pk=product.pk)


def authors_of(product: Product) -> set[int]:
    return set(product.projects.values_list("author", flat=True))
