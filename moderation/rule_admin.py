"""The admin's page of the automatic rules: what they did, each with its undo, and the table of them all."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone

from moderation import actions
from moderation.judge import is_dry
from moderation.looked_at import LookedAt
from moderation.models import RuleAct
from moderation.moments import spoken
from moderation.roles import may, require
from moderation.rules import UNDONE_HOLDS, table

SHOWN = 100


@admin.register(RuleAct)
class RuleActAdmin(LookedAt):
    """One page: the newest acts, and one tap to undo each."""

    change_list_template = "moderation/rules.html"
    search_fields = ("pk", "subject")
    list_display_links = None

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method == "POST":
            require(request.user, "lift")
            return self.undone(request)
        sought = request.GET.get("q", "").strip()
        found: QuerySet[Any] = self.get_search_results(request, RuleAct.objects.all(), sought)[0]
        page = {
            "title": "What rules did",
            "acts": [(made, state(made), page_of(made)) for made in found.order_by("-pk")[:SHOWN]],
            "sought": sought,
            "rules": [(rule, does, is_dry(rule.name)) for rule, does in table()],
            "may_undo": may(request.user, "lift"),
        }
        return super().changelist_view(request, page)

    def undone(self, request: HttpRequest) -> HttpResponse:
        made = get_object_or_404(RuleAct, pk=int(request.POST.get("undo", "0") or 0))
        actions.undo_rule_act(made=made, actor=request.user, reason=request.POST.get("reason", "")[:300])
        hours = int(UNDONE_HOLDS.total_seconds()) // 3600
        again = f"The rule {made.rule} leaves it alone for {hours} hours."
        messages.success(request, f"Undone: {made.subject}, in every process within a second. {again}")
        return HttpResponseRedirect(request.get_full_path())


def state(made: RuleAct) -> str:
    """What holds now."""
    if made.undone_at:
        return f"undone {spoken(made.undone_at)}"
    ends = f"ends {spoken(made.until)}" if made.until > timezone.now() else f"over {spoken(made.until)}"
    return f"dry run, nothing was done; {ends}" if made.dry_run else ends


def page_of(made: RuleAct) -> str:
    """Where more is known of whom it was about."""
    if made.ban_id is not None:
        return reverse("admin:moderation_ban_change", args=[made.ban_id])
    kind, _, key = made.subject.partition(":")
    return reverse("admin:accounts_accesstoken_change", args=[key]) if kind == "token" and key.isdigit() else ""
