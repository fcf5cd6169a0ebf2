"""How things stand, in sentences: what the admin's first page says."""

from collections.abc import Iterator

from django.urls import reverse

from makerlog.api.bounded_admin import MOST
from makerlog.changes.watch import is_lost, processes
from moderation.enforcement import has_died
from moderation.lockdown import declared_now, sentence
from moderation.models import RUNNING, Ban, Cleanup, RouteSwitch
from moderation.routes import current

NAMED = 3


def affairs() -> Iterator[tuple[str, str]]:
    """Each sentence, and the page that tells more."""
    yield sentence(declared_now()), reverse("admin:moderation_lockdown_changelist")
    yield _bans(), reverse("admin:moderation_ban_changelist", query={"q": "standing"})
    yield _routes(), reverse("admin:moderation_routeswitch_changelist")
    if running := Cleanup.objects.filter(RUNNING).order_by("pk").first():
        yield f"Under way: {running}.", reverse("admin:moderation_cleanup_change", args=[running.pk])
    yield _processes(), reverse("admin:changes_process_changelist")


def _bans() -> str:
    found = len(Ban.objects.standing().values_list("pk")[:MOST])
    if not found:
        return "No ban stands."
    return "1 ban stands." if found == 1 else f"{found:,}{' or more' if found == MOST else ''} bans stand."


def _routes() -> str:
    switched = [str(row) for row in current() if row.state != RouteSwitch.State.OPEN]
    if not switched:
        return "All routes are open."
    more = f" and {len(switched) - NAMED} more" if len(switched) > NAMED else ""
    return f"Routes switched: {', '.join(switched[:NAMED])}{more}."


def _processes() -> str:
    known = [process for process in processes() if not has_died(process)]
    lost = sum(is_lost(process) for process in known)
    if not known:
        return "No process is running that enforces bans."
    if lost:
        return f"{lost} of {len(known)} processes have not been heard of: bans may not be in force there."
    return f"All {len(known)} processes follow what is decided."
