"""Discussions, the replies in them, and what others say of those."""

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from discussions import actions
from discussions.filters import DiscussionFilter
from discussions.models import Discussion, DiscussionRemoval, Participant, Reply, ReplyPraise
from discussions.serializers import (
    DiscussionRemovalSerializer,
    DiscussionSerializer,
    ParticipantSerializer,
    PeopleQuerySerializer,
    ReplySerializer,
)
from discussions.trending import CANDIDATES, MAX_TRENDING, trending
from makerlog import content
from makerlog.accounts import staff
from makerlog.accounts.praise import Praises
from makerlog.accounts.serializers import MakerSerializer
from makerlog.api.audience import moderates
from makerlog.api.budgets import ONE, PAGE, RANKED, WRITES
from makerlog.api.keyset import fixed
from makerlog.api.pagination import BareKeysetPagination
from makerlog.api.removals import Removals
from makerlog.api.views import ApiView, Endpoint, ViewSet

T = TypeVar("T")
MODERATED = {"pinned", "locked", "hidden"}


class Moderated(Endpoint):
    """What its author writes and a moderator pins, locks and hides."""

    kind: ClassVar[str]  # in one word, as the audit log names it

    def carry_out(self, row: Any, values: dict[str, Any], change: Callable[[], T]) -> T:
        """``change``, which gives ``row`` these ``values`` and returns it; what a moderator decides in it, by moderation."""
        moderated = self.require_right(row, values)
        if not moderated:
            return change()
        return staff.rules().moderate(self.request.auth, self.kind, moderated, change)  # type: ignore[arg-type]

    def require_right(self, row: Any, values: dict[str, Any]) -> dict[str, bool]:
        """Of ``values``, what is a moderator's to decide. Old apps send whole objects: only what would change counts, and
        what was hidden by a clean-up and is to be hidden for itself."""
        changed = {name for name, value in values.items() if getattr(row, name) != value}
        if "hidden" in values and row.cleanup is not None:
            changed.add("hidden")
        moderator = moderates(self.caller)
        if changed - MODERATED or not moderator:
            self.require_own(row)
        if changed & MODERATED and not moderator:
            raise PermissionDenied("Only a moderator may do this.", "not_moderator")
        return {name: values[name] for name in values if name in changed & MODERATED}


class DiscussionViewSet(Moderated, ViewSet):
    """Everybody reads what is listed; its author changes and deletes a discussion. A moderator sets `hidden`, `locked` and
    `pinned`, with a log-in token made with a code of their second factor."""

    scope = "discussions"
    kind = "discussion"
    budgets = {"list": PAGE, "retrieve": ONE, **WRITES}
    serializer_class = DiscussionSerializer
    filterset_class = DiscussionFilter
    lookup_field = "slug"

    rows = fixed(Discussion.objects.all())

    @classmethod
    def visible_to(cls, reader: Any) -> QuerySet[Discussion]:
        return Discussion.objects.visible_to(reader)

    def list(self, request: Request) -> Response:
        return self.listed(self.rows, content.branches(self.caller))

    def create(self, request: Request) -> Response:
        values = self.validated()
        made = self.carry_out(
            Discussion(author=self.caller),
            values,
            lambda: actions.open_discussion(author=self.caller, **values, **self.posting),
        )
        return self.shown(self.rows, pk=made.pk, status=201)

    def retrieve(self, request: Request, slug: str) -> Response:
        return self.shown(slug=slug)

    def update(self, request: Request, slug: str, partial: bool = False) -> Response:
        discussion = self.get_object()
        values = self.validated(partial=partial)
        self.carry_out(discussion, values, lambda: actions.change_discussion(discussion=discussion, **values))
        return self.shown(slug=slug)

    def partial_update(self, request: Request, slug: str) -> Response:
        return self.update(request, slug, partial=True)

    def destroy(self, request: Request, slug: str) -> Response:
        discussion = self.get_object()
        self.require_own(discussion)
        actions.delete_discussion(discussion=discussion)
        return Response(status=204)


class RecentDiscussions(ApiView):
    """The newest of every type, for everybody the same."""

    scope = "discussions"
    budgets = {"get": PAGE}
    serializer_class = DiscussionSerializer
    pagination_class = BareKeysetPagination
    order = ("-created_at", "-id")

    rows = fixed(Discussion.objects.all())

    def get(self, request: Request) -> Response:
        return self.listed(self.rows, content.PUBLIC)


class RecentQuestions(RecentDiscussions):
    """The newest questions."""

    within = ("type",)

    def get(self, request: Request) -> Response:
        return self.listed(self.rows, content.PUBLIC, type=Discussion.Type.QUESTION)


class Trending(ApiView):
    """Ranked by replies and age."""

    scope = "discussions"
    budgets = {"get": RANKED}
    queryset = Discussion.objects.none()
    serializer_class = DiscussionSerializer
    bounded_by = f"the best {MAX_TRENDING} of the newest {CANDIDATES} listed discussions"

    @extend_schema(responses=DiscussionSerializer(many=True))
    def get(self, request: Request) -> Response:
        return Response(trending(self.caller))


class DiscussionPart(Endpoint):
    """What hangs on one discussion: found only where the caller may see the discussion."""

    scope = "discussions"

    @property
    def discussions(self) -> QuerySet[Discussion]:
        return Discussion.objects.visible_to(self.caller)

    @property
    def discussion(self) -> Discussion:
        return get_object_or_404(self.discussions, slug=self.kwargs["slug"])

    all_replies = fixed(Reply.objects.all())
    open_replies = fixed(Reply.objects.filter(hidden=False))

    @property
    def replies(self) -> QuerySet[Reply]:
        """Those the caller may see, of any discussion."""
        return self.all_replies if moderates(self.caller) else self.open_replies

    @property
    def reply(self) -> Reply:
        """It knows its author and its discussion."""
        replies = self.replies.select_related("author", "discussion")
        return get_object_or_404(replies, pk=self.kwargs["pk"], discussion=self.discussion)


class Replies(DiscussionPart, Moderated, ViewSet):
    """Oldest first, as apps show them: one level, each naming the reply it answers."""

    kind = "reply"
    budgets = {"list": PAGE, "retrieve": ONE, **WRITES}
    queryset = Reply.objects.none()
    serializer_class = ReplySerializer
    pagination_class = BareKeysetPagination
    order = ("id",)
    within = ("discussion",)

    def get_object(self) -> Reply:
        return self.reply

    def list(self, request: Request, slug: str) -> Response:
        (discussion,) = self.values_of(Discussion.objects.visible_to, "pk", slug=slug)
        return self.listed(self.replies, discussion=discussion)

    def create(self, request: Request, slug: str) -> Response:
        discussion, values = self.discussion, self.validated()
        parent_reply = values.pop("parent_reply_id", None)
        made = self.carry_out(
            Reply(author=self.caller),
            {**values, "body": ""},
            lambda: actions.reply(
                discussion=discussion, author=self.caller, parent_reply=parent_reply, **values, **self.posting
            ),
        )
        return self.answer(made, status=201)

    def retrieve(self, request: Request, slug: str, pk: int) -> Response:
        (discussion,) = self.values_of(Discussion.objects.visible_to, "pk", slug=slug)
        return self.shown(self.replies, pk=pk, discussion=discussion)

    def update(self, request: Request, slug: str, pk: int, partial: bool = False) -> Response:
        reply, values = self.get_object(), self.validated(partial=partial)
        values.pop("parent_reply_id", None)  # what a reply answers stays
        return self.answer(self.carry_out(reply, values, lambda: actions.change_reply(reply=reply, **values)))

    def partial_update(self, request: Request, slug: str, pk: int) -> Response:
        return self.update(request, slug, pk, partial=True)

    def destroy(self, request: Request, slug: str, pk: int) -> Response:
        reply = self.get_object()
        self.require_own(reply)
        actions.delete_reply(reply=reply)
        return Response(status=204)


class People(DiscussionPart, ApiView):
    """Who has replied, each once, in the order of their first reply."""

    budgets = {"get": PAGE}
    serializer_class = ParticipantSerializer
    pagination_class = BareKeysetPagination
    queryset = Participant.objects.none()
    params = ("exclude_owner",)
    order = ("id",)
    within = ("discussion",)

    people = fixed(Participant.objects.filter(hidden=False))

    @extend_schema(parameters=[PeopleQuerySerializer], responses=MakerSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        query = PeopleQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        discussion, owner = self.values_of(Discussion.objects.visible_to, "pk", "author_id", slug=slug)
        people = self.people
        if query.validated_data["exclude_owner"]:
            people = people.exclude(maker=owner)
        return self.listed(people, discussion=discussion)


class ReplyPraises(DiscussionPart, Praises):
    """POST toggles, as old apps call it; PUT and DELETE say what they mean and may be repeated."""

    queryset = ReplyPraise.objects.none()

    def get_object(self) -> Reply:
        return self.reply

    def give(self, praised: Reply) -> bool:
        return actions.praise(reply=praised, maker=self.caller)

    def withdraw(self, praised: Reply) -> bool:
        return actions.withdraw_praise(reply=praised, maker=self.caller)


class DiscussionRemovals(Removals):
    """Ids of discussions that left the public within 30 days: deleted, hidden, or made private; the oldest first. Beside
    `updated_since`, for apps that mirror the list: ask again, at least every 30 days, with the last `deleted_at` as `since`.
    What is public again is not here any more."""

    scope = "discussions"
    serializer_class = DiscussionRemovalSerializer

    rows = fixed(DiscussionRemoval.objects.all())
