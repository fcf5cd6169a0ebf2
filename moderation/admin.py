"""Django admin over everything the service keeps; every list is bounded (see makerlog.api.bounded_admin)."""

from itertools import groupby
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils.html import format_html_join
from django.utils.http import url_has_allowed_host_and_scheme
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from discussions.models import Discussion, Reply
from moderation import actions
from moderation import ban_admin as ban_admin  # registers its pages
from moderation import cleanup_admin as cleanup_admin  # registers its pages
from moderation import people_admin as people_admin  # registers its pages
from moderation import rule_admin as rule_admin  # registers its pages
from moderation.forms import LockdownForm, RouteSwitchForm
from moderation.incidents import markdown
from moderation.lockdown import LEVELS, declared_now, sentence
from moderation.looked_at import LookedAt
from moderation.models import Incident, Lockdown, RouteSwitch, SignInFailure
from moderation.moments import column, spoken
from moderation.post_admin import PostAdmin
from moderation.roles import may, require
from moderation.routes import ABOUT, current
from products.models import Product, Project
from tasks.models import Task, TaskComment

# Second factors are set up and reset by moderation.actions; their keys are nobody's to look at.
admin.site.unregister([Group, TOTPDevice, StaticDevice])


@admin.register(Project)
class ProjectAdmin(LookedAt):
    list_display = ("name", "author", "private", "created_at")
    list_select_related = ("author",)
    search_fields = ("pk", "author__folded_username")


@admin.register(Product)
class ProductAdmin(PostAdmin):
    list_display = ("name", "slug", "author", "launched", "hidden", "created_at")
    list_select_related = ("author",)
    search_fields = ("pk", "slug", "author__folded_username")
    exclude = ("projects",)


@admin.register(Task)
class TaskAdmin(PostAdmin):
    list_display = ("__str__", "author", "done", "hidden", "created_at")
    list_select_related = ("author",)
    search_fields = ("pk", "author__folded_username")


@admin.register(TaskComment)
class TaskCommentAdmin(PostAdmin):
    list_display = ("__str__", "author", "hidden", "created_at")
    list_select_related = ("author",)
    search_fields = ("pk", "author__folded_username")


@admin.register(Discussion)
class DiscussionAdmin(PostAdmin):
    list_display = ("title", "author", "type", "pinned", "locked", "hidden", "created_at")
    list_select_related = ("author",)
    search_fields = ("pk", "slug", "author__folded_username")


@admin.register(Reply)
class ReplyAdmin(PostAdmin):
    list_display = ("__str__", "author", "hidden", "created_at")
    list_select_related = ("author",)
    search_fields = ("pk", "author__folded_username")


@admin.register(Incident)
class IncidentAdmin(LookedAt):
    """What happened from the first alert to the all-clear, as a page and as a file."""

    list_display = ("__str__", column("began_at", "Began"), column("ended_at", "All clear"))
    fields = ("began_at", "ended_at", "told")
    readonly_fields = ("told",)
    search_fields = ("pk",)
    change_form_template = "moderation/incident.html"

    @admin.display(description="Told")
    def told(self, incident: Incident) -> str:
        """As it is exported; its tables scroll sideways by themselves."""
        parts = groupby(markdown(incident).splitlines(), key=lambda line: line.startswith("|"))
        blocks = (("told rows" if is_table else "told", "\n".join(lines)) for is_table, lines in parts)
        return format_html_join("", '<pre class="{}">{}</pre>', blocks)

    def get_urls(self) -> list[URLPattern]:
        export = path("<int:pk>/markdown/", self.admin_site.admin_view(self.export), name="moderation_incident_export")
        return [export, *super().get_urls()]

    def export(self, request: HttpRequest, pk: int) -> HttpResponse:
        require(request.user, "look")
        response = HttpResponse(
            markdown(get_object_or_404(Incident, pk=pk)), content_type="text/markdown; charset=utf-8"
        )
        response["Content-Disposition"] = f'attachment; filename="incident-{pk}.md"'
        return response


@admin.register(SignInFailure)
class SignInFailureAdmin(LookedAt):
    """How often staff were tried to be signed in as, and it failed: by the hour."""

    list_display = (column("hour", "Hour"), "kind", "maker", "count")
    list_select_related = ("maker",)
    search_fields = ("pk", "maker__folded_username")


@admin.register(RouteSwitch)
class RouteSwitchAdmin(LookedAt):
    """One page: every route of the URLconf, also those never switched, and one tap for each state."""

    change_list_template = "moderation/routes.html"
    list_select_related = ("author",)
    search_fields = ("pk", "route")
    list_display_links = None

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        form = RouteSwitchForm(request.POST or None)
        if request.method == "POST":
            require(request.user, "route")
            if form.is_valid():
                return self.switched(request, form)
        sought = request.GET.get("q", "").strip().strip("/").lower()
        found = [row for row in current() if sought in row.route.lower()]
        switched_first = sorted(found, key=lambda row: row.state == RouteSwitch.State.OPEN)
        page = {"title": "Routes", "routes": switched_first, "sought": sought, "about": ABOUT, "form": form}
        return super().changelist_view(request, {**page, "may_switch": may(request.user, "route")})

    def switched(self, request: HttpRequest, form: RouteSwitchForm) -> HttpResponse:
        switch = actions.switch_route(**form.cleaned_data, actor=request.user)
        until = f", which ends {spoken(switch.expires_at)}" if switch.expires_at else ""
        undo = "" if switch.state == RouteSwitch.State.OPEN else " To undo it, tap Open."
        messages.success(request, f"{switch}{until}. In force in every process within a second.{undo}")
        return HttpResponseRedirect(request.get_full_path())


@admin.register(Lockdown)
class LockdownAdmin(LookedAt):
    """One page: what holds, and one tap for each level."""

    change_list_template = "moderation/lockdown.html"
    list_select_related = ("author",)
    search_fields = ("pk",)
    list_display_links = None

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        held = declared_now()
        form = LockdownForm(request.POST or None, initial={"notice": held.notice})
        if request.method == "POST":
            require(request.user, "lockdown")
            if form.is_valid():
                return self.declared(request, form)
        page = {"title": "Lockdown", "held": held, "sentence": sentence(held), "levels": LEVELS, "form": form}
        return super().changelist_view(request, {**page, "may_declare": may(request.user, "lockdown")})

    def declared(self, request: HttpRequest, form: LockdownForm) -> HttpResponse:
        """Back to the page that asked, by ``next``: the console has these buttons, too."""
        declared = actions.lock_down(**form.cleaned_data, actor=request.user)
        undo = "" if declared.level == Lockdown.Level.NORMAL else " To undo it, tap Normal."
        messages.success(request, f"{sentence(declared)} In force in every process within a second.{undo}")
        onward = request.POST.get("next", "")
        ours = url_has_allowed_host_and_scheme(onward, allowed_hosts=None)
        return HttpResponseRedirect(onward if onward and ours else request.path)
