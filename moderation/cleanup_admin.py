"""The admin's pages of clean-ups: what it would hit, how far it is, and undo, all on one spot."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from makerlog.accounts.models import AccessToken, Maker
from moderation import actions
from moderation.cleanups import Hit, hit
from moderation.looked_at import LookedAt
from moderation.models import Cleanup
from moderation.moments import column, spoken
from moderation.people_forms import HidePostsForm, ReasonForm
from moderation.revocation import NothingChosen
from moderation.roles import NotAllowed, may


@admin.register(Cleanup)
class CleanupAdmin(LookedAt):
    list_display = ("__str__", "chosen", column("created_at", "Begun"), "hid", "author", "reason")
    list_select_related = ("author",)
    search_fields = ("pk",)
    search_help_text = "The id of a clean-up."
    add_form_template = "moderation/hide_posts.html"
    change_form_template = "moderation/cleanup.html"
    fields: ClassVar = ("chosen", ("created_at", "finished_at"), ("reason", "author"))
    readonly_fields = ("chosen",)

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return may(request.user, "hide")

    def get_urls(self) -> list[URLPattern]:
        undo = path("<int:pk>/undo/", self.admin_site.admin_view(self.undo), name="moderation_cleanup_undo")
        return [undo, *super().get_urls()]

    @admin.display(description="Posts")
    def chosen(self, cleanup: Cleanup) -> str:
        return ", ".join(words_of(cleanup))

    @admin.display(description="Hidden")
    def hid(self, cleanup: Cleanup) -> str:
        return counted(cleanup.hidden)

    @method_decorator(sensitive_post_parameters("token"))
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The first click shows what it would hit; the second hides. A token's whole text is not shown again."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        given = {name: request.GET.get(name, "") for name in ("user", "token", "network")}
        form = HidePostsForm(request.POST or None, initial=given)
        found = previewed(form) if form.is_valid() else None
        if found and found.count and form.confirmed:
            made = actions.hide_posts(posts=form.posts, actor=request.user, reason=form.cleaned_data["reason"])
            return HttpResponseRedirect(reverse("admin:moderation_cleanup_change", args=[made.pk]))
        if form.is_bound:
            form.data = data = request.POST.copy()
            data["token"] = form.cleaned_data.get("token", "")
            data["previewed"] = form.seen if found else ""
        page = {"opts": self.opts, "title": "Hide posts", "form": form, "found": found}
        return TemplateResponse(request, self.add_form_template, {**self.admin_site.each_context(request), **page})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        cleanup = Cleanup.objects.filter(pk=object_id).first() if object_id.isdigit() else None
        told = progress(cleanup) if cleanup else {}
        page = {**told, "may_undo": may(request.user, "hide"), "form": ReasonForm()}
        return super().change_view(request, object_id, form_url, page)

    def undo(self, request: HttpRequest, pk: int) -> HttpResponse:
        cleanup = get_object_or_404(Cleanup, pk=pk)
        form = ReasonForm(request.POST)
        if request.method == "POST" and form.is_valid():
            try:
                actions.unhide_posts(cleanup=pk, actor=request.user, reason=form.cleaned_data["reason"])
            except (NotAllowed, actions.TooLate) as error:
                self.message_user(request, str(error), messages.ERROR)
        return HttpResponseRedirect(reverse("admin:moderation_cleanup_change", args=[cleanup.pk]))


def previewed(form: HidePostsForm) -> Hit | None:
    try:
        return hit(form.posts)
    except NothingChosen as error:
        form.add_error(None, str(error))
        return None


def progress(cleanup: Cleanup) -> dict[str, Any]:
    """How far it is: ``done`` of at least ``total`` rows, and a sentence."""
    hidden, shown = sum(cleanup.hidden.values()), sum(cleanup.shown.values())
    undoing = cleanup.state in (Cleanup.State.SHOWING, Cleanup.State.SHOWN)
    sentence = {
        Cleanup.State.HIDING: f"Hiding: {counted(cleanup.hidden)} so far, of at least {cleanup.expected:,}.",
        Cleanup.State.HIDDEN: f"Hidden from everybody but moderators: {counted(cleanup.hidden)}.",
        Cleanup.State.SHOWING: f"Being undone: {counted(cleanup.shown)} of {hidden:,} shown again so far.",
        Cleanup.State.SHOWN: f"Undone: {counted(cleanup.shown)} shown again, of {hidden:,} that were hidden.",
    }[Cleanup.State(cleanup.state)]
    return {
        "cleanup": cleanup,
        "sentence": sentence,
        "done": shown if undoing else hidden,
        "total": hidden if undoing else max(cleanup.expected, hidden),
        "ends": spoken(cleanup.undo_until),
    }


def counted(counts: dict[str, int]) -> str:
    """ "312 tasks, 4 replies"."""
    return ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count) or "nothing"


def words_of(cleanup: Cleanup) -> list[str]:
    """How it chose; whoever is erased is an id."""
    words = []
    if cleanup.token is not None:
        token = AccessToken.objects.filter(pk=cleanup.token).first()
        words.append(f"with the token {token or cleanup.token}")
    if cleanup.maker is not None:
        maker = Maker.objects.filter(pk=cleanup.maker).first()
        words.append(f"by {maker.username if maker else f'maker:{cleanup.maker}'}")
    if cleanup.network:
        words.append(f"from {cleanup.network}")
    if cleanup.since:
        words.append(f"since {cleanup.since:%Y-%m-%d %H:%M}")
    return [*words, f"until {cleanup.until:%Y-%m-%d %H:%M:%S} UTC"]
