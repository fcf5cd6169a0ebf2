"""Projects, and the products they stand under."""

from collections.abc import Collection
from typing import Any

from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from makerlog import content
from makerlog.accounts.lookups import active_id, id_of
from makerlog.accounts.permissions import HasOwnScope
from makerlog.accounts.serializers import MakerSerializer, SuccessSerializer
from makerlog.api.budgets import FULL_PAGE, ONE, PAGE, RANKED, RELISTS, WRITE, WRITES
from makerlog.api.compiled import compiled
from makerlog.api.keyset import Branch, fixed
from makerlog.api.pagination import BareKeysetPagination
from makerlog.api.removals import Removals
from makerlog.api.views import ApiView, ViewSet
from products import actions, tags
from products.filters import ProductFilter
from products.models import (
    MAX_HOLDERS,
    MAX_INVITATIONS,
    MAX_PROJECTS,
    MAX_TEAM,
    Invitation,
    Membership,
    Product,
    ProductRemoval,
    Project,
    look_up,
)
from products.serializers import (
    InvitationSerializer,
    InviteSerializer,
    MemberSerializer,
    MyInvitationSerializer,
    PlaceSerializer,
    ProductInputSerializer,
    ProductRemovalSerializer,
    ProductSerializer,
    ProjectSerializer,
    RelatedSerializer,
    TagQuerySerializer,
)


class MyProjects(ViewSet):
    """One's own projects. POST answers the one of that name where there is one already."""

    scope = "projects"
    budgets = {"list": PAGE, **WRITES}
    queryset = Project.objects.none()
    permission_classes = [HasOwnScope]
    serializer_class = ProjectSerializer
    pagination_class = BareKeysetPagination
    order = ("id",)
    within = ("author",)

    rows = fixed(Project.objects.all())

    def list(self, request: Request) -> Response:
        return self.listed(self.rows, author=self.caller.pk)

    @extend_schema(responses={201: ProjectSerializer, 200: ProjectSerializer})
    def create(self, request: Request) -> Response:
        project, new = actions.create_project(author=self.caller, **self.validated())
        return self.answer(project, status=201 if new else 200)


class ProjectViewSet(ViewSet):
    """Everybody reads what is not private; only its author changes a project."""

    scope = "projects"
    budgets = {"retrieve": ONE, **WRITES, **RELISTS}
    serializer_class = ProjectSerializer

    @classmethod
    def visible_to(cls, reader: Any) -> QuerySet[Project]:
        return Project.objects.visible_to(reader)

    def retrieve(self, request: Request, pk: int) -> Response:
        return self.shown(pk=pk)

    def update(self, request: Request, pk: int, partial: bool = False) -> Response:
        project = self.get_object()
        self.require_own(project)
        return self.answer(actions.change_project(project=project, **self.validated(partial=partial)))

    def partial_update(self, request: Request, pk: int) -> Response:
        return self.update(request, pk, partial=True)

    def destroy(self, request: Request, pk: int) -> Response:
        project = self.get_object()
        self.require_own(project)
        actions.delete_project(project=project)
        return Response(status=204)


class RelatedToProject(ApiView):
    """Whose a project is, and which products it stands under."""

    scope = "projects"
    budgets = {"get": PAGE}
    serializer_class = RelatedSerializer
    bounded_by = f"a project stands under at most {MAX_HOLDERS} products"

    def get(self, request: Request, pk: int) -> Response:
        projects = Project.objects.visible_to(self.caller).select_related("author")
        project = get_object_or_404(projects, pk=pk)
        holders = Product.objects.visible_to(self.caller).whole(self.caller).filter(projects=project)
        return self.answer({"author": project.author, "products": holders.order_by("id")[:MAX_HOLDERS]})


class ProductViewSet(ViewSet):
    """Everybody reads what is listed; owner and team change a product, its owner alone deletes it."""

    scope = "products"
    budgets = {"list": FULL_PAGE, "retrieve": ONE, **WRITES, **RELISTS}
    queryset = Product.objects.none()
    serializer_class = ProductSerializer
    filterset_class = ProductFilter

    def get_object(self) -> Product:
        products = Product.objects.visible_to(self.caller).whole(self.caller)
        return get_object_or_404(products.named(self.kwargs["slug"]))

    rows = fixed(Product.objects.all())

    @classmethod
    def visible_to(cls, reader: Any) -> QuerySet[Product]:
        return Product.objects.visible_to(reader)

    def list(self, request: Request) -> Response:
        return self.listed(self.rows, content.branches(self.caller))

    @extend_schema(request=ProductInputSerializer)
    def create(self, request: Request) -> Response:
        values = self.validated(ProductInputSerializer)
        self.charge_invitations({*values.get("team", ())} - {self.caller.pk})
        product = actions.create_product(author=self.caller, **values, **self.posting)
        return self.shown(self.rows, pk=product.pk, status=201)

    def retrieve(self, request: Request, slug: str) -> Response:
        return self.shown(**look_up(slug))

    @extend_schema(request=ProductInputSerializer)
    def update(self, request: Request, slug: str, partial: bool = False) -> Response:
        product = self.get_object()
        if self.caller.pk not in {product.author_id, *product.team}:
            raise PermissionDenied("Only its owner and its team may do this.", "not_yours")
        values = self.validated(ProductInputSerializer, instance=product, partial=partial)
        if strangers := {*values.get("team", ())} - {product.author_id, *product.team}:
            invited = product.invitations.open().values_list("maker", flat=True)
            self.charge_invitations(strangers.difference(invited))
        actions.change_product(product=product, maker=self.caller, **values)
        return self.shown(**look_up(slug))

    def charge_invitations(self, makers: Collection[int]) -> None:
        if makers:
            self.charge("invitation", units=len(makers))

    @extend_schema(request=ProductInputSerializer)
    def partial_update(self, request: Request, slug: str) -> Response:
        return self.update(request, slug, partial=True)

    def destroy(self, request: Request, slug: str) -> Response:
        product = self.get_object()
        self.require_own(product)
        actions.delete_product(product=product, maker=self.caller)
        return Response(status=204)


class ProductPart(ApiView):
    """What hangs on one product: found only where the caller may see the product."""

    scope = "products"
    queryset = Product.objects.none()

    @property
    def product(self) -> Product:
        return get_object_or_404(Product.objects.visible_to(self.caller).named(self.kwargs["slug"]))


class LeaveProduct(ProductPart):
    """Takes the caller off its team, which cannot invite them again for 30 days."""

    budgets = {"post": WRITE}
    bounded_by = "one word"

    @extend_schema(request=None, responses=SuccessSerializer)
    def post(self, request: Request, slug: str) -> Response:
        actions.leave(product=self.product, maker=self.caller)
        return Response({"success": True})


class OfTheTeam(ProductPart):
    @property
    def product_of_team(self) -> Product:
        """The action asks again, with the team held."""
        product = self.product
        if not Membership.objects.filter(product=product, maker=self.caller).exists():
            raise PermissionDenied("Only its owner and its team may do this.", "not_yours")
        return product


class ProductInvitations(OfTheTeam):
    """Who is invited onto the team: for the owner and the team, who invite. Repeated, it is the invitation that there is; one
    that was declined, or whose maker has left the team, is not repeated for 30 days."""

    budgets = {"get": PAGE, "post": WRITE}
    permission_classes = [HasOwnScope]
    serializer_class = InvitationSerializer
    bounded_by = f"a team, with those invited, has at most {MAX_TEAM} makers beside the owner"
    price = "page"

    @extend_schema(responses=InvitationSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        product = self.product_of_team
        invitations = product.invitations.open().select_related("maker").order_by("id")
        return Response(InvitationSerializer(invitations[:MAX_TEAM], many=True).data)

    @extend_schema(request=InviteSerializer, responses={201: InvitationSerializer})
    def post(self, request: Request, slug: str) -> Response:
        product, name = self.product_of_team, self.validated(InviteSerializer)["user"]
        maker = id_of(name, is_active=True)
        if maker is None:
            raise ValidationError({"user": ["No such maker."]})
        self.charge("invitation")
        return self.answer(actions.invite(product=product, maker=maker, by=self.caller), status=201)


class ProductInvitation(OfTheTeam):
    """Taken back by the owner or the team."""

    budgets = {"delete": WRITE}
    permission_classes = [HasOwnScope]
    bounded_by = "nothing"

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, slug: str, pk: int) -> Response:
        actions.withdraw_invitation(product=self.product_of_team, invitation=pk, by=self.caller)
        return Response(status=204)


class MyInvitations(ApiView):
    """Onto which teams one is invited, the newest first."""

    scope = "products"
    budgets = {"get": PAGE}
    permission_classes = [HasOwnScope]
    serializer_class = MyInvitationSerializer
    bounded_by = f"a maker has at most {MAX_INVITATIONS} open invitations"
    price = "page"

    @extend_schema(responses=MyInvitationSerializer(many=True))
    def get(self, request: Request) -> Response:
        invitations = mine(self.caller).select_related("product", "invited_by").order_by("-id")
        return Response(MyInvitationSerializer(invitations[:MAX_INVITATIONS], many=True).data)


def mine(maker: Any) -> QuerySet[Invitation]:
    """The invitations that are ``maker``'s to answer: none to a product that moderation has hidden."""
    return Invitation.objects.open().filter(maker=maker, product__hidden=False)


class InvitationAct(ApiView):
    scope = "products"
    budgets = {"post": WRITE}
    permission_classes = [HasOwnScope]
    bounded_by = "one word"

    @property
    def invitation(self) -> Invitation:
        return get_object_or_404(mine(self.caller).select_related("product"), pk=self.kwargs["pk"])


class AcceptInvitation(InvitationAct):
    """Puts the caller on the team."""

    @extend_schema(request=None, responses=SuccessSerializer)
    def post(self, request: Request, pk: int) -> Response:
        actions.accept_invitation(invitation=self.invitation, maker=self.caller)
        return Response({"success": True})


class DeclineInvitation(InvitationAct):
    """Says no; the product cannot invite the caller again for 30 days."""

    @extend_schema(request=None, responses=SuccessSerializer)
    def post(self, request: Request, pk: int) -> Response:
        actions.decline_invitation(invitation=self.invitation, maker=self.caller)
        return Response({"success": True})


class ProductPeople(ProductPart):
    """The owner and the team, in the order they came."""

    budgets = {"get": PAGE}
    serializer_class = MakerSerializer
    bounded_by = f"its owner and at most {MAX_TEAM} on the team"

    @extend_schema(responses=MakerSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        places = Membership.objects.filter(product=self.product).order_by("id")
        return Response(compiled(MemberSerializer).of(places[: MAX_TEAM + 1], self.caller))


class ProductProjects(ProductPart):
    """The projects it holds, as far as the caller may see them."""

    budgets = {"get": PAGE}
    serializer_class = ProjectSerializer
    bounded_by = f"a product holds at most {MAX_PROJECTS} projects"

    @extend_schema(responses=ProjectSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        projects = Project.objects.visible_to(self.caller).filter(products=self.product).order_by("id")
        return Response(compiled(ProjectSerializer).of(projects[:MAX_PROJECTS], self.caller))


class RelatedProducts(ProductPart):
    """The newest products that share a tag with this one."""

    budgets = {"get": RANKED}
    serializer_class = ProductSerializer
    bounded_by = f"the newest {tags.MAX_RELATED} that share a tag, of the newest {tags.CANDIDATES} listed"

    @extend_schema(responses=ProductSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        return Response(compiled(ProductSerializer).of(tags.related(self.product), self.caller))


class Launches(ApiView):
    """Newest launch first: what everybody sees."""

    scope = "products"
    budgets = {"get": FULL_PAGE}
    serializer_class = ProductSerializer
    order = ("-launched_at", "-id")

    rows = fixed(Product.objects.filter(launched=True))

    def get(self, request: Request) -> Response:
        return self.listed(self.rows, content.PUBLIC)


class RecentlyLaunched(Launches):
    """Newest launch first: what everybody sees, as a bare array."""

    pagination_class = BareKeysetPagination


class Places(ApiView):
    """Products by their team, which the owner is on: newest place first."""

    scope = "products"
    budgets = {"get": FULL_PAGE}
    serializer_class = PlaceSerializer
    pagination_class = BareKeysetPagination
    queryset = Membership.objects.none()
    order = ("-id",)
    within = ("maker",)

    public = content.PUBLIC
    own = (*content.PUBLIC, Branch(Q(listed=False, product__hidden=False)))

    rows = fixed(Membership.objects.all())


class MyProducts(Places):
    """What one owns or is on the team of, the newest place first."""

    permission_classes = [HasOwnScope]

    @extend_schema(responses=ProductSerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.listed(self.rows, self.own, maker=self.caller.pk)


class MakerProducts(Places):
    """The products of one maker: those they own and those they are on the team of."""

    @extend_schema(responses=ProductSerializer(many=True))
    def get(self, request: Request, maker: str) -> Response:
        found = active_id(maker)
        return self.listed(self.rows, self.own if found == self.caller.pk else self.public, maker=found)


class ProductTags(ApiView):
    """What products are tagged with, the most used first; ``q`` is part of a tag."""

    scope = "products"
    budgets = {"get": RANKED}
    serializer_class = TagQuerySerializer
    params = ("q",)
    bounded_by = f"the {tags.MAX_TAGS_NAMED} most used tags of the newest {tags.CANDIDATES} listed products"

    @extend_schema(parameters=[TagQuerySerializer], responses={200: {"type": "array", "items": {"type": "string"}}})
    def get(self, request: Request) -> Response:
        query = self.get_serializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        return Response(tags.common(query.validated_data["q"]))


class ProductRemovals(Removals):
    """Ids of products that left the public within 30 days: deleted, hidden, or made private; the oldest first. Beside
    `updated_since`, for apps that mirror the list: ask again, at least every 30 days, with the last `deleted_at` as `since`.
    What is public again is not here any more."""

    scope = "products"
    serializer_class = ProductRemovalSerializer

    rows = fixed(ProductRemoval.objects.all())
