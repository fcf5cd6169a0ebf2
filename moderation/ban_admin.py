"""The admin's pages of bans, of the audit log, and of the processes that enforce what was decided."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from makerlog.accounts.models import Maker
from makerlog.api.bounded_admin import MOST
from makerlog.changes.models import Change, Process
from makerlog.changes.watch import is_lost
from makerlog.gate.bans import network_of
from moderation import actions
from moderation.console import talker_page, why_not_lifted
from moderation.enforcement import blunt, enforcement
from moderation.forms import AllowForm, BanForm, LiftForm
from moderation.guards import Guarded
from moderation.looked_at import LookedAt
from moderation.models import AllowlistEntry, AuditEntry, Ban
from moderation.moments import column, spoken
from moderation.roles import NotAllowed, may, require
from moderation.traffic import AWAY, warned, would_hit

NAMED = 5  # networks in one sentence
STANDING = "standing"  # a search for it finds the bans that stand


@admin.register(Ban)
class BanAdmin(LookedAt):
    """Set with a look at whom it would hit, lifted in bulk, never changed: a ban of the same network replaces it."""

    list_display = (
        "network",
        "state",
        "applies_to",
        "refused",
        column("last_refused_at", "Last refused"),
        "author",
        "reason",
    )
    list_select_related = ("author",)
    search_fields = ("pk", "network")
    search_help_text = "An address or range: finds every ban that covers it. Or the id of a ban. Or the word standing."
    fields: ClassVar = (
        ("network", "state"),
        "in_force",
        "applies_to",
        ("refused", "last_refused_at"),
        ("created_at", "expires_at", "lifted_at"),
        ("reason", "reason_is_public"),
        ("author", "origin"),
    )
    readonly_fields = ("state", "in_force")
    change_form_template = "moderation/banned.html"
    actions = ("lift",)
    action_form = LiftForm

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return may(request.user, "ban.briefly")

    def has_lift_permission(self, request: HttpRequest) -> bool:
        return may(request.user, "lift.own")

    def found(self, lookup: str, term: str) -> Iterable[int]:
        if lookup != "network":
            return super().found(lookup, term)
        if term == STANDING:
            return Ban.objects.standing().order_by("-pk").values_list("pk", flat=True)[:MOST]
        try:
            network = network_of(term)
        except ValueError:
            return []
        return Ban.objects.covering(network).values_list("pk", flat=True)[:MOST]

    @admin.display
    def state(self, ban: Ban) -> str:
        if ban.lifted_at:
            return f"lifted {spoken(ban.lifted_at)}"
        if not ban.stands:
            return f"expired {spoken(ban.expires_at)}"
        return f"stands, ends {spoken(ban.expires_at)}" if ban.expires_at else "stands until it is lifted"

    @admin.display(description="In force")
    def in_force(self, ban: Ban) -> str:
        if not ban.stands:
            return "No more."
        known = enforcement(ban)
        lines = [*blunt(ban, known), *map(str, known)]
        return format_html_join("", "<div>{}</div>", ((line,) for line in lines)) or "No process is running."

    @admin.action(description="Lift the selected bans", permissions=["lift"])
    def lift(self, request: HttpRequest, chosen: QuerySet[Ban]) -> None:
        bans = list(chosen.values_list("pk", flat=True)[:MOST])
        try:
            lifted = actions.lift(bans=bans, actor=request.user, reason=request.POST.get("reason", ""))
        except NotAllowed as error:
            self.message_user(request, str(error), messages.ERROR)
            return
        if not lifted:
            said = why_not_lifted(bans[0]) if len(bans) == 1 else "Nothing was lifted: none of them stood any more."
            self.message_user(request, said, messages.WARNING)
            return
        networks = ", ".join(chosen.order_by("-pk").values_list("network", flat=True)[:NAMED])
        said = f"Lifted {lifted} ({networks}{', ...' if len(bans) > NAMED else ''}), in every process within a second."
        self.message_user(request, f"{said} To undo it, ban again.", messages.SUCCESS)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        for sentence in [*warned(), *unfound(request.GET.get("q", "").strip())] if request.method == "GET" else ():
            self.message_user(request, sentence, messages.WARNING)
        return super().changelist_view(request, extra_context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().change_view(request, object_id, form_url, {"may_lift": self.has_lift_permission(request)})

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The first click shows whom the ban would hit and what speaks against it; the second bans. A link that says for
        how long (the traffic console's) is the first click; what it led from is where the second leads back to."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        asked = request.GET if "span" in request.GET else None
        initial = {"network": request.GET.get("network", "")}
        form = BanForm(request.POST or asked, actor=request.user, initial=initial)
        looked: dict[str, Any] = {}
        if form.is_bound and form.is_valid():
            if request.method == "POST" and form.confirmed and (made := self.ban(request, form)):
                self.message_user(request, self.confirmation(made), messages.SUCCESS)
                return HttpResponseRedirect(self.back(request, made))
            looked = self.look(request, form)
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": "Ban", "form": form, **looked}
        return TemplateResponse(request, "moderation/ban.html", context)

    def back(self, request: HttpRequest, ban: Ban) -> str:
        """The talker who was banned, for whoever came from the traffic console; else the list."""
        if request.GET.get("from") == "traffic":
            return talker_page(network_of(ban.network))
        return reverse("admin:moderation_ban_changelist")

    def confirmation(self, ban: Ban) -> SafeString:
        page = reverse("admin:moderation_ban_change", args=[ban.pk])
        return format_html(
            '<a href="{}">Ban {} of {}</a> {}. It applies to {}, in every process within a second. To undo it, lift it.',
            *(page, ban.pk, ban.network, self.state(ban), ban.get_applies_to_display()),
        )

    def ban(self, request: HttpRequest, form: BanForm) -> Ban | None:
        """None where it is refused; the form says why."""
        given = form.cleaned_data
        try:
            return actions.ban(
                network=given["network"],
                applies_to=given["applies_to"],
                expires_at=given["span"],
                reason=given["reason"],
                reason_is_public=given["reason_is_public"],
                actor=request.user,
                own_address=request.META["REMOTE_ADDR"],
                force=given.get("force", False),
            )
        except Guarded:
            form.add_error(None, "The guard rails refuse this ban.")
        except NotAllowed as error:
            form.add_error(None, str(error))
        return None

    def look(self, request: HttpRequest, form: BanForm) -> dict[str, Any]:
        network, applies_to = form.cleaned_data["network"], form.cleaned_data["applies_to"]
        own = request.META["REMOTE_ADDR"]
        return {
            "network": network,
            "previewed": form.seen,
            "hit": would_hit(network, applies_to) or AWAY,
            "standing": [(ban, self.state(ban)) for ban in Ban.objects.covering(network).standing().order_by("pk")],
            "objections": actions.guarded(network, own),
            "warnings": warned(),
        }


def unfound(term: str) -> list[SafeString]:
    """What is to be said of a search that finds no ban that stands; an id speaks for itself."""
    if not term or term.isdigit() or term == STANDING:
        return []
    try:
        network = network_of(term)
    except ValueError:
        return [format_html("“{}” is no address, no range (CIDR) and no id of a ban.", term)]
    if Ban.objects.covering(network).standing().exists():
        return []
    add = reverse("admin:moderation_ban_add", query={"network": term})
    return [format_html('No ban that stands covers {}. <a href="{}">Ban it</a>', network, add)]


PAGES = {
    "cleanup": "admin:moderation_cleanup_change",
    "ban": "admin:moderation_ban_change",
    "maker": "admin:accounts_maker_change",
    "route": "admin:moderation_routeswitch_changelist",
    "lockdown": "admin:moderation_lockdown_changelist",
}


def linked(page: str, key: object, text: str) -> SafeString:
    return format_html('<a href="{}">{}</a>', reverse(page, args=[key]), text)


@admin.register(AllowlistEntry)
class AllowlistEntryAdmin(LookedAt):
    """One page: what is on the list, and a form to add to it."""

    change_list_template = "moderation/allowlist.html"
    list_select_related = ("author",)
    search_fields = ("pk", "network")
    list_display_links = None

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        form = AllowForm(request.POST if "add" in request.POST else None)
        if request.method == "POST":
            require(request.user, "ban")
            if response := self.change(request, form):
                return response
        entries = AllowlistEntry.objects.select_related("author").order_by("-pk")[:MOST]
        page = {"title": "Allowlist", "entries": [(each, ends(each)) for each in entries], "form": form}
        return super().changelist_view(request, {**page, "may_allow": may(request.user, "ban")})

    def change(self, request: HttpRequest, form: AllowForm) -> HttpResponse | None:
        """None where the form has errors."""
        if (pk := request.POST.get("remove", "")).isdigit():
            removed = actions.disallow(entry=int(pk[:18]), actor=request.user)
            said = "Taken off, in every process within a second." if removed else "It was taken off already."
        elif form.is_valid():
            given = form.cleaned_data
            entry = actions.allow(
                network=given["network"], note_of_it=given["note"], expires_at=given["span"], actor=request.user
            )
            said = f"{entry} is on the allowlist, in every process within a second. To undo it, take it off."
        else:
            return None
        self.message_user(request, said, messages.SUCCESS)
        return HttpResponseRedirect(request.path)


def ends(entry: AllowlistEntry) -> str:
    if entry.expires_at is None:
        return "until it is taken off"
    return f"{'ends' if entry.expires_at > timezone.now() else 'expired'} {spoken(entry.expires_at)}"


@admin.register(AuditEntry)
class AuditEntryAdmin(LookedAt):
    list_display = (column("at", "When"), "act", "about", "by", "reason")
    fields: ClassVar = ("at", "act", "about", "by", "reason", "details")
    readonly_fields = ("about", "by")
    search_fields = ("subject", "actor_id")
    search_help_text = "What was acted upon (ban:7, maker:12), or the id of the maker who acted."

    def subject(self, key: str) -> str:
        """Its own: all that was done to the same."""
        entry = AuditEntry.objects.filter(pk=key).first() if key.isdigit() else None
        return entry.subject if entry else ""

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEntry]:
        actor = Maker.objects.filter(pk=OuterRef("actor_id")).values("username")
        return super().get_queryset(request).annotate(actor=Subquery(actor))

    @admin.display
    def about(self, entry: AuditEntry) -> str:
        """The subject, and the way to it."""
        kind, _, key = entry.subject.partition(":")
        if kind == "lockdown":
            return format_html('<a href="{}">{}</a>', reverse(PAGES[kind]), entry.subject)
        if kind == "route":
            return format_html('<a href="{}">{}</a>', reverse(PAGES[kind], query={"q": key}), entry.subject)
        return linked(PAGES[kind], key, entry.subject) if kind in PAGES and key.isdigit() else entry.subject

    @admin.display
    def by(self, entry: Any) -> str:
        if entry.actor_id is None:
            return "a rule" if entry.act.startswith("rule.") else "a command"
        return linked(PAGES["maker"], entry.actor_id, entry.actor or f"maker:{entry.actor_id}")

    def found(self, lookup: str, term: str) -> Iterable[int]:
        if lookup == "actor_id":
            actor = super().found("pk", term)
            return AuditEntry.objects.filter(actor_id__in=actor).order_by("-pk").values_list("pk", flat=True)[:MOST]
        return super().found(lookup, term)


@admin.register(Process)
class ProcessAdmin(LookedAt):
    """Heartbeats, of the last hour: who has heard of what."""

    list_display = (
        *("pid", "state", column("seen_at", "Last heard of"), "behind"),
        *("host", column("started_at", "Started"), "version"),
    )
    ordering: ClassVar = ("-started_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Process]:
        newest = Change.objects.order_by("-number").values("number")[:1]
        return super().get_queryset(request).annotate(newest=Subquery(newest))

    @admin.display(description="Changes behind")
    def behind(self, process: Any) -> int:
        return max(0, (process.newest or 0) - process.version)

    @admin.display
    def state(self, process: Process) -> str:
        return "lost: what it does now nobody knows" if is_lost(process) else "follows"
