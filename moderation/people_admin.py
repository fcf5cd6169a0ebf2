"""The admin's pages of makers and of their tokens."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from makerlog.accounts.models import AccessToken, Maker
from makerlog.accounts.suspension import why_suspended
from makerlog.api.exceptions import Conflict
from moderation import actions
from moderation.leaks import DETAILS, TextTooLong, because, leak
from moderation.looked_at import LookedAt
from moderation.moments import column
from moderation.people_forms import LeakForm, ReasonForm, RevokeForm, RoleForm, SuspendForm, WarnForm
from moderation.revocation import Chosen, NothingChosen, choose, live
from moderation.roles import NotAllowed, may, may_over, role_of
from moderation.second_factor import has_factor

MOST = 10_000  # tokens in one act from a page, which somebody waits for; the commands take more
PREVIEW_LASTS_S = 3_600
previews = signing.TimestampSigner(salt="moderation.leak")


@admin.register(Maker)
class MakerAdmin(LookedAt):
    """Badges are given here. Roles, suspensions and closing go through moderation.actions; what makers say of themselves,
    and the address that their password can be reset through, is theirs."""

    list_display = ("username", "email", "date_joined", "is_active", "is_moderator", "is_staff", "suspension")
    search_fields = ("pk", "folded_username", "email__lower")
    fields: ClassVar = (
        ("username", "email", "pending_email"),
        ("role", "standing"),
        ("verified", "tester", "donor", "gold", "patron"),
        ("date_joined", "last_login"),
        ("private", "follower_count", "run_length", "last_day"),
    )
    readonly_fields = (
        *("username", "email", "pending_email", "role", "standing", "date_joined", "last_login"),
        *("private", "follower_count", "run_length", "last_day"),
    )
    change_form_template = "moderation/maker.html"

    def found(self, lookup: str, term: str) -> Iterable[int]:
        if lookup == "email__lower":
            return Maker.objects.mailed_at(term).values_list("pk", flat=True)
        return super().found(lookup, term)

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return may(request.user, "badge")

    @admin.display
    def role(self, maker: Maker) -> str:
        return role_of(maker).name.lower()

    @admin.display
    def standing(self, maker: Maker) -> str:
        if not maker.is_active:
            return "This account awaits activation." if maker.awaiting_activation else "This account is closed."
        return why_suspended(maker) if maker.suspension else "good"

    def save_model(self, request: HttpRequest, obj: Maker, form: Any, change: bool) -> None:
        """The badges that changed and nothing else: what an act changed meanwhile stays so."""
        obj.save(update_fields=form.changed_data)

    def get_urls(self) -> list[URLPattern]:
        act = path("<int:pk>/act/", self.admin_site.admin_view(self.act), name="accounts_maker_act")
        return [act, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        maker = Maker.objects.filter(pk=object_id).first() if object_id.isdigit() else None
        offered = {"maker": maker, "offers": offers(request.user, maker) if maker else []}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **offered})

    def act(self, request: HttpRequest, pk: int) -> HttpResponse:
        """One of ``offers``, posted. Whether the actor may is for moderation.actions to say."""
        maker = get_object_or_404(Maker, pk=pk)
        back = HttpResponseRedirect(reverse("admin:accounts_maker_change", args=[pk]))
        form_class = FORMS.get(request.POST.get("act", ""))
        if form_class is None:
            return back
        form = form_class(request.POST)
        if not form.is_valid():
            self.message_user(request, "Nothing was done: see below.", messages.ERROR)
            return self.asked_again(request, maker, form)
        try:
            self.message_user(request, done(request.POST["act"], maker, request.user, form.cleaned_data))
        except (NotAllowed, Conflict) as error:
            self.message_user(request, str(error), messages.ERROR)
        return back

    def asked_again(self, request: HttpRequest, maker: Maker, form: forms.Form) -> HttpResponse:
        """What was typed, and what is wrong with it."""
        act = request.POST["act"]
        page = {
            "opts": self.opts,
            "title": f"{maker.username}: {LABELS[act]}",
            "maker": maker,
            "form": form,
            "act": act,
        }
        context = {**self.admin_site.each_context(request), **page, "label": LABELS[act]}
        return TemplateResponse(request, "moderation/act.html", context)


LABELS = {
    "warn": "Warn by mail",
    "reset_factor": "Reset the second factor",
    "unsuspend": "Lift the suspension",
    "suspend": "Suspend",
    "role": "Set the role",
    "close": "Close the account",
    "open": "Open the account",
}
FORMS: dict[str, type[forms.Form]] = {
    "warn": WarnForm,
    "reset_factor": ReasonForm,
    "suspend": SuspendForm,
    "unsuspend": ReasonForm,
    "role": RoleForm,
    "close": ReasonForm,
    "open": ReasonForm,
}


def offers(actor: Any, maker: Maker) -> list[dict[str, Any]]:
    """What ``actor`` is offered to do with ``maker``: the act, its form, and the words on its button."""
    if actor.pk == maker.pk:
        return []
    over = may_over(maker, actor, "suspend")
    held = bool(maker.suspension)
    offered = [
        ("unsuspend", over and held),
        ("suspend", over),
        ("warn", may_over(maker, actor, "warn")),
        ("reset_factor", may(actor, "roles") and has_factor(maker.pk)),
        ("role", may(actor, "roles")),
        ("close", over and maker.is_active),
        ("open", over and not maker.is_active),
    ]
    return [
        {
            "act": act,
            "label": LABELS[act],
            "form": FORMS[act](auto_id=f"{act}_%s", initial={"role": role_of(maker).value}),
        }
        for act, wanted in offered
        if wanted
    ]


def done(act: str, maker: Maker, actor: Any, given: dict[str, Any]) -> str:
    """Does it, and says so in one sentence. Raises NotAllowed."""
    reason = given["reason"]
    if act == "suspend":
        maker = actions.suspend(
            maker=maker, actor=actor, kind=given["kind"], reason=reason, expires_at=given["span"]
        )  # fmt: skip
        said = f"{maker.username} is suspended. No mail went out; the API answers: {why_suspended(maker)}"
        return f"{said} To undo it, lift the suspension here."
    if act == "warn":
        if not maker.email:
            return f"Nothing was sent: {maker.username} has no address."
        actions.warn(maker=maker, actor=actor, reason=reason)
        return f"A mail to {maker.username} is on its way."
    if act == "reset_factor":
        actions.reset_second_factor(maker=maker, actor=actor, reason=reason)
        return f"{maker.username} signs in with the password alone, until they set up another second factor."
    if act == "unsuspend":
        actions.unsuspend(maker=maker, actor=actor, reason=reason)
        return f"{maker.username} is no longer suspended."
    if act == "role":
        actions.set_role(maker=maker, actor=actor, role=given["role"], reason=reason)
        return f"{maker.username} has the role {given['role'].name.lower()} now."
    actions.set_open(maker=maker, actor=actor, is_open=act == "open", reason=reason)
    return f"The account of {maker.username} is {'open' if act == 'open' else 'closed'} now."


@admin.register(AccessToken)
class AccessTokenAdmin(LookedAt):
    """A token's secret is shown to its owner alone, once. Revoked with a look at what it would hit."""

    list_display = (
        *("prefix", "maker", "kind", "name"),
        *(column("last_used_at", "Last used"), column("created_at", "Created")),
        *(column("expires_at", "Expires"), column("revoked_at", "Revoked")),
    )
    list_select_related = ("maker",)
    search_fields = ("pk", "public_id", "maker__folded_username")
    search_help_text = "A maker's name, a token's prefix (mkl_ and 11 characters), or its id."
    exclude = ("digest", "pepper")
    change_list_template = "moderation/tokens.html"
    change_form_template = "moderation/token.html"

    def found(self, lookup: str, term: str) -> Iterable[int]:
        return super().found(lookup, term.removeprefix("mkl_") if lookup == "public_id" else term)

    def subject(self, key: str) -> str:
        """Revocations are noted under whose the tokens are."""
        token = AccessToken.objects.filter(pk=key).first() if key.isdigit() else None
        return f"maker:{token.maker_id}" if token else "tokens"

    def get_urls(self) -> list[URLPattern]:
        return [
            path("revoke/", self.admin_site.admin_view(self.revoke), name="accounts_accesstoken_revoke"),
            path("leaked/", self.admin_site.admin_view(self.leaked), name="accounts_accesstoken_leaked"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "may_revoke": may(request.user, "revoke")})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().change_view(request, object_id, form_url, {"may_revoke": may(request.user, "revoke")})

    @method_decorator(sensitive_post_parameters("token"))
    def revoke(self, request: HttpRequest) -> HttpResponse:
        """The first click shows what it would hit; the second revokes. A token's whole text is not shown again."""
        require_revoke(request)
        given = {name: request.GET.get(name, "") for name in ("user", "token")}
        form = RevokeForm(request.POST if request.method == "POST" else None, initial=given)
        chosen = None
        if request.method == "POST" and form.is_valid():
            try:
                chosen = form.selection.chosen(MOST)
            except NothingChosen as error:
                form.add_error(None, str(error))
        if chosen and form.confirmed:
            return self.revoked(request, chosen, form.cleaned_data["reason"])
        if request.method == "POST":
            form.data = data = request.POST.copy()
            data["token"] = form.cleaned_data.get("token", "")
            data["previewed"] = form.seen if chosen else ""
        return self.page(request, "Revoke tokens", form=form, chosen=chosen)

    @method_decorator(sensitive_post_parameters("text"))
    def leaked(self, request: HttpRequest) -> HttpResponse:
        """The text is read once and never shown again: the page that asks back holds a signed list of ids."""
        require_revoke(request)
        if ids := request.POST.get("ids"):
            return self.revoked(request, previewed(ids), because(request.POST.get("reason", "")))
        form, error = LeakForm(request.POST or None), ""
        if request.method == "POST" and form.is_valid():
            try:
                found = leak(form.cleaned_data["text"].encode())
                ids = previews.sign_object([row.pk for row in found.chosen.rows], compress=True)
                return self.page(request, "Revoke leaked tokens", leak=found, chosen=found.chosen, ids=ids)
            except TextTooLong as too_long:
                error = str(too_long)
        return self.page(request, "Revoke leaked tokens", form=LeakForm(), error=error)

    def revoked(self, request: HttpRequest, chosen: Chosen, reason: str) -> HttpResponse:
        made = actions.revoke_tokens(chosen=chosen, actor=request.user, reason=reason)
        said = f"Revoked {made.tokens}. Told by mail: {made.told} owners; could not be told: {made.untold}."
        self.message_user(request, said, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:accounts_accesstoken_changelist"))

    def page(self, request: HttpRequest, title: str, **context: Any) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": title, **context}
        return TemplateResponse(request, "moderation/revoke.html", context)


def require_revoke(request: HttpRequest) -> None:
    if not may(request.user, "revoke"):
        raise PermissionDenied


def previewed(ids: str) -> Chosen:
    """What the page showed, as far as it still works. PermissionDenied for a list that is not ours, or too old."""
    try:
        pks = previews.unsign_object(ids, max_age=PREVIEW_LASTS_S)
    except signing.BadSignature as error:
        raise PermissionDenied from error
    return choose(live().filter(pk__in=pks), most=len(pks), subject="tokens", details=DETAILS)
