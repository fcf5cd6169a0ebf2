"""What may happen to discussions. Keyword-only; each is one transaction, counters included.

Whatever changes the replies of a discussion first locks its row: so ``reply_count`` and the participants are right, and
nobody replies to what is being locked.
"""

from typing import Any

from django.db import transaction
from django.db.models import F
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.exceptions import PermissionDenied, ValidationError

from discussions import events
from discussions.models import Discussion, Participant, Reply, ReplyPraise
from discussions.visibility import keep_listed
from makerlog.accounts.models import Maker
from makerlog.accounts.slugs import create_with_slug


@transaction.atomic
def open_discussion(*, author: Maker, **values: Any) -> Discussion:
    listed = not (hold(author.pk).private or values.get("hidden"))
    return create_with_slug(
        Discussion.objects.all(), text=values["title"], kind="discussion", author=author, listed=listed, **values
    )


@transaction.atomic
def change_discussion(*, discussion: Discussion, **values: Any) -> Discussion:
    """Changes a discussion; its place in the lists follows ``hidden``. Returns it as it was."""
    hold(discussion.author_id)
    locked(discussion)
    changed = Discussion.objects.filter(pk=discussion.pk)
    if values.get("hidden"):
        events.leaving(changed)
    # What is hidden may not be listed for one statement even: a constraint says so.
    changed.change(**unmarked(values), **({"listed": False} if values.get("hidden") else {}))
    keep_listed(changed)
    if values.get("hidden"):
        events.gone([discussion.pk])
    return discussion


@transaction.atomic
def delete_discussion(*, discussion: Discussion) -> None:
    """Deletes a discussion with its replies; locked first, so that none comes meanwhile."""
    pk = discussion.pk
    held = locked(discussion)
    events.leaving(Discussion.objects.filter(pk=pk))
    held.delete()
    events.gone([pk])


@transaction.atomic
def reply(*, discussion: Discussion, author: Maker, parent_reply: int | None = None, **values: Any) -> Reply:
    hold(author.pk)
    discussion = locked(discussion)
    if discussion.locked:
        raise PermissionDenied("This discussion is locked: it takes no more replies.", "locked")
    if parent_reply and not discussion.replies.filter(pk=parent_reply, hidden=False).exists():
        raise ValidationError({"parent_reply": ["No such reply in this discussion."]})
    made = Reply.objects.create(discussion=discussion, author=author, parent_reply_id=parent_reply, **values)
    count(made, by=0 if made.hidden else 1)
    events.created(made, discussion)
    return made


@transaction.atomic
def change_reply(*, reply: Reply, **values: Any) -> Reply:
    discussion = locked(reply.discussion)
    reply = get_object_or_404(Reply.objects.select_related("author", "discussion"), pk=reply.pk)
    was_hidden = reply.hidden
    values = {**unmarked(values), "updated_at": timezone.now()}
    for name, value in values.items():
        setattr(reply, name, value)
    reply.save(update_fields=[*values])
    if "hidden" in values:
        count(reply, by=was_hidden - reply.hidden)
    events.changed(reply, discussion, was_hidden=was_hidden)
    return reply


@transaction.atomic
def delete_reply(*, reply: Reply) -> None:
    """Deletes a reply; the replies to it stay."""
    discussion = locked(reply.discussion)
    hidden = Reply.objects.select_for_update().filter(pk=reply.pk).values_list("hidden", flat=True).first()
    if hidden is None:
        return  # somebody was faster
    Reply.objects.filter(pk=reply.pk).delete()
    count(reply, by=0 if hidden else -1)
    if not hidden:
        events.deleted(reply, discussion)


def hold(maker: int) -> Maker:
    """The maker as they are now. Whoever makes them private or erases them does so before this transaction or after it;
    as they do, it locks the maker first and discussions next."""
    return get_object_or_404(Maker.objects.select_for_update(no_key=True), pk=maker)


def locked(discussion: Discussion) -> Discussion:
    """The discussion as it is now, held until the transaction ends."""
    return get_object_or_404(Discussion.objects.select_for_update(no_key=True), pk=discussion.pk)


def unmarked(values: dict[str, Any]) -> dict[str, Any]:
    """``values`` of a moderator who decides on one: what a clean-up decided holds no longer (see content.Posted)."""
    return {**values, "cleanup": None} if "hidden" in values else values


def count(reply: Reply, *, by: int) -> None:
    """``by`` replies more (or less) are shown; its author takes part as long as one of theirs is."""
    if by:
        Discussion.objects.filter(pk=reply.discussion_id).change(reply_count=F("reply_count") + by)
    place: dict[str, Any] = {"discussion_id": reply.discussion_id, "maker_id": reply.author_id}
    if by > 0:
        _, new = Participant.objects.get_or_create(**place)
        if not new:
            Participant.objects.filter(**place, hidden=True).update(hidden=False)
        return
    theirs = Reply.objects.filter(discussion=reply.discussion_id, author=reply.author_id)
    if theirs.filter(hidden=False).exists():
        return
    if theirs.filter(cleanup__isnull=False).exists():
        Participant.objects.filter(**place).update(hidden=True)
    else:
        Participant.objects.filter(**place).delete()


@transaction.atomic
def praise(*, reply: Reply, maker: Maker) -> bool:
    """Whether the maker praises the reply now: True."""
    get_object_or_404(Reply.objects.select_for_update(no_key=True), pk=reply.pk)
    _, new = ReplyPraise.objects.get_or_create(reply=reply, maker=maker)
    if new:
        Reply.objects.filter(pk=reply.pk).update(praise=F("praise") + 1)
    return True


@transaction.atomic
def withdraw_praise(*, reply: Reply, maker: Maker) -> bool:
    """Whether the maker praises the reply now: False."""
    gone, _ = ReplyPraise.objects.filter(reply=reply, maker=maker).delete()
    if gone:
        Reply.objects.filter(pk=reply.pk).update(praise=F("praise") - 1)
    return False
