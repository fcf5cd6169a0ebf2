"""The admin's pages of what makers post: read here, and hidden, shown, locked or deleted where one sees it."""

from functools import partial
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from moderation.looked_at import LookedAt
from moderation.one_post import ACTS, NAMES, UNDONE_BY, acts_on, moderate
from moderation.roles import may

MAX_POSTS = 100  # in one act from a list: what is on a page


class PostAdmin(LookedAt):
    """A list's action and a page's button do the same; deleting, which nothing takes back, is asked a second time."""

    change_form_template = "moderation/post.html"

    def subject(self, key: str) -> str:
        return f"{NAMES[self.model]}:{key}"

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        if not may(request.user, "hide"):
            return {}
        return {name: (act_on_list(name), name, f"{ACTS[name].label} the selected") for name in acts_on(self.model)}

    def get_action_choices(self, request: HttpRequest, default_choices: Any = ()) -> list[tuple[str, str]]:
        """None is chosen beforehand."""
        return super().get_action_choices(request, default_choices=[("", "Choose what to do")])

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_moderate"
        return [path("<int:pk>/moderate/", self.admin_site.admin_view(self.moderate), name=name), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.model._base_manager.filter(pk=object_id).first() if object_id.isdigit() else None
        offered = self.offers(row) if row is not None and may(request.user, "hide") else []
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "offers": offered})

    def offers(self, row: Any) -> list[tuple[str, str]]:
        """The acts that would change something, and the words on their buttons."""
        names = [name for name in acts_on(self.model) if getattr(row, ACTS[name].field, None) != ACTS[name].value]
        return [(name, ACTS[name].label) for name in names]

    def moderate(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A button of the page, posted."""
        act = request.POST.get("act", "")
        if request.method != "POST" or act not in acts_on(self.model):
            raise PermissionDenied
        row = get_object_or_404(self.model._base_manager, pk=pk)
        page = HttpResponseRedirect(reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[pk]))
        if act == "delete":
            return self.delete(request, [row.pk], page.url)
        self.carry_out(request, act, [row.pk])
        return page

    def delete(self, request: HttpRequest, keys: list[int], back: str) -> HttpResponse:
        """Asks, and deletes where that was answered."""
        posts = self.model._base_manager.select_related("author").filter(pk__in=keys)
        if "sure" not in request.POST:
            page = {"opts": self.opts, "title": f"Delete {len(keys)}?", "posts": posts, "back": back}
            context = {**self.admin_site.each_context(request), **page, "action": request.POST.get("action", "")}
            return TemplateResponse(request, "moderation/delete_posts.html", context)
        self.carry_out(request, "delete", keys)
        return HttpResponseRedirect(reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"))

    def carry_out(self, request: HttpRequest, act: str, keys: list[int]) -> None:
        """Each is a transaction of its own; says what was done, and of how many it was true already."""
        reason = request.POST.get("reason", "")[:300]
        one = partial(moderate, model=self.model, act=act, actor=request.user, reason=reason)
        changed = [pk for pk in keys if one(pk=pk)]
        done, kind = ACTS[act].done, NAMES[self.model]
        if changed:
            named = ", ".join(f"{kind} {pk}" for pk in changed[:5])
            undo = f" To undo it: {ACTS[UNDONE_BY[act]].label}." if act in UNDONE_BY else ""
            more = ", ..." if len(changed) > 5 else ""
            self.message_user(request, f"{done.capitalize()}: {named}{more}.{undo}", messages.SUCCESS)
        if already := len(keys) - len(changed):
            said = f"{already} {'was' if already == 1 else 'were'} {done} already, or gone: somebody was faster."
            self.message_user(request, said, messages.WARNING)


def act_on_list(act: str) -> Any:
    def run(admin: PostAdmin, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponse | None:
        keys = list(chosen.order_by("-pk").values_list("pk", flat=True)[:MAX_POSTS])
        if act == "delete":
            return admin.delete(request, keys, request.get_full_path())
        admin.carry_out(request, act, keys)
        return None

    return run
