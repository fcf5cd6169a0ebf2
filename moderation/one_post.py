"""One post that a moderator hides, shows, locks, unlocks or deletes where they see it: each noted by moderation.actions."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from django.db import transaction

from discussions import actions as discussions
from discussions.models import Discussion, Reply
from moderation import actions
from moderation.cleanups import KINDS
from moderation.roles import require
from products import actions as products
from products.models import Product
from tasks import actions as tasks
from tasks.models import Task, TaskComment


class Act(NamedTuple):
    """What a button does: which field it sets, and how that is said."""

    label: str
    field: str
    value: bool
    done: str


ACTS = {
    "hide": Act("Hide", "hidden", True, "hidden"),
    "show": Act("Show", "hidden", False, "shown"),
    "lock": Act("Lock", "locked", True, "locked"),
    "unlock": Act("Unlock", "locked", False, "unlocked"),
    "delete": Act("Delete", "deleted", True, "deleted"),
}
UNDONE_BY = {"hide": "show", "show": "hide", "lock": "unlock", "unlock": "lock"}
HIDING = {kind.model: kind for kind in KINDS}
NAMES = {Task: "task", TaskComment: "comment", Discussion: "discussion", Reply: "reply", Product: "product"}
DELETE: dict[Any, Callable[[Any], None]] = {
    Task: lambda row: tasks.delete_task(task=row),
    TaskComment: lambda row: tasks.delete_comment(comment=row),
    Discussion: lambda row: discussions.delete_discussion(discussion=row),
    Reply: lambda row: discussions.delete_reply(reply=row),
    Product: lambda row: products.delete_product(product=row, maker=row.author),
}


def acts_on(model: Any) -> list[str]:
    """The acts that there are for posts of this kind."""
    return [name for name, act in ACTS.items() if act.field != "locked" or model is Discussion]


@transaction.atomic
def moderate(*, model: Any, pk: int, act: str, actor: Any, reason: str = "") -> bool:
    """Whether there was anything to do: somebody else may have done it meanwhile, or the post is gone."""
    require(actor, "hide")
    kind, (_, field, value, _) = NAMES[model], ACTS[act]
    actions.take_turn(f"{kind}:{pk}")
    row = model._base_manager.select_related("author").filter(pk=pk).first()
    if row is None or (field != "deleted" and getattr(row, field) == value):
        return False
    change = partial(set_value, row, field, value)
    actions.moderate(kind=kind, values={field: value}, change=change, actor=actor, reason=reason)
    return True


def set_value(row: Any, field: str, value: bool) -> Any:
    """Gives ``row`` the value, with all that follows from it: counters, lists, events."""
    if field == "deleted":
        DELETE[type(row)](row)
    elif field == "locked":
        discussions.change_discussion(discussion=row, locked=value)
    elif value:
        to_everybody = {"to_everybody": True} if isinstance(row, Task) else {}
        HIDING[type(row)].hide(ids=[row.pk], cleanup=None, **to_everybody)
    else:
        HIDING[type(row)].show(ids=[row.pk], cleanup=row.cleanup)
    return row
