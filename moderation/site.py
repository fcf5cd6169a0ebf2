"""The admin: its log-in is limited per address, never by the username alone, which would let anybody lock staff out;
behind it the second factor."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from makerlog.accounts.forms import StaffLoginForm
from makerlog.gate.wsgi import CSRF, PUBLIC_FOR
from moderation import actions, console, links, second_factor, sign_in, traffic
from moderation.affairs import affairs
from moderation.guards import Guarded
from moderation.models import Ban

PAGE_S = 300.0  # the page where staff sign in changes with a release

URGENT = (
    "Ban",
    "Lockdown",
    "Cleanup",
    "RouteSwitch",
    "RuleAct",
    "AuditEntry",
    "Maker",
    "AccessToken",
    "Process",
    "Job",
    "AllowlistEntry",
)  # what a bad night asks for, first


class Site(AdminSite):
    site_header = site_title = "Makerlog"
    site_url = None  # the header has little room
    index_title = "How things stand"
    login_form = StaffLoginForm

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {**(extra_context or {}), "affairs": affairs(), "warnings": traffic.warned()})

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """The urgent first, the rest by name."""
        apps = super().get_app_list(request, app_label)
        for app in apps:
            app["models"].sort(key=lambda model: urgency(model["object_name"]))
        return sorted(apps, key=lambda app: urgency(app["models"][0]["object_name"]))

    def has_permission(self, request: HttpRequest) -> bool:
        """Nobody who owes a code sees any page but those where it is given."""
        return super().has_permission(request) and not second_factor.step(request)

    def get_urls(self) -> list[Any]:
        return [
            path("login/code/", self.code, name="code"),
            path("login/second-factor/", self.second_factor, name="second_factor"),
            path("traffic/", self.admin_view(self.traffic), name="traffic"),
            path("traffic/talker/", self.admin_view(self.talker), name="talker"),
            path("alert/<str:signed>/", self.alert, name="alert"),
            *super().get_urls(),
        ]

    def traffic(self, request: HttpRequest) -> HttpResponse:
        return console.page(request, self.each_context(request))

    def talker(self, request: HttpRequest) -> HttpResponse:
        return console.talker(request, self.each_context(request))

    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if wait := sign_in.seconds_to_wait(request, sign_in.PASSWORD):
            return sign_in.too_often(request, sign_in.PASSWORD, wait)
        if request.method == "GET" and owes(request):
            return HttpResponseRedirect(reverse(sign_in.STEPS[second_factor.step(request)], query=request.GET.dict()))
        if request.method == "GET" and self.has_permission(request):
            return HttpResponseRedirect(sign_in.way(request))
        if request.method == "GET" and not request.COOKIES:
            extra_context = {**(extra_context or {}), **for_anybody(request)}
        response = super().login(request, extra_context)
        if request.method == "POST":
            sign_in.settle(request, response)
        return response

    @method_decorator([never_cache, sensitive_post_parameters()])
    def code(self, request: HttpRequest) -> HttpResponse:
        return sign_in.code(request, self.each_context(request))

    @method_decorator([never_cache, sensitive_post_parameters()])
    def second_factor(self, request: HttpRequest) -> HttpResponse:
        return sign_in.set_up(request, self.each_context(request))

    @method_decorator(never_cache)
    def alert(self, request: HttpRequest, signed: str) -> HttpResponse:
        """The link of an alert: shows the ban that it is for, and sets it where that is confirmed. Only a POST acts: whatever
        looks at links for its previews, in chats and mails, sends a GET."""
        link = links.opened(signed)
        made, objection = confirmed(request, link) if link and request.method == "POST" else (None, "")
        page: dict[str, Any] = {"link": link, "ban": made, "objection": objection, "title": "Ban"}
        if link and not made:
            page["hit"] = traffic.would_hit(link.network, Ban.AppliesTo.ANONYMOUS) or traffic.AWAY
        return render(request, "moderation/alert.html", page, status=200 if link else 404)


def confirmed(request: HttpRequest, link: links.Link) -> tuple[Ban | None, str]:
    """The ban, or why there is none."""
    try:
        return actions.ban_by_link(link=link, own_address=request.META["REMOTE_ADDR"]), ""
    except (Guarded, links.LinkUsed) as error:
        return None, str(error)


def for_anybody(request: HttpRequest) -> dict[str, str]:
    """What a page says whose form the front door may give to all who come without a cookie, each with a secret of their own
    in it. Not masked: then the same text stands in form and cookie, and a page has one secret, once."""
    get_token(request)
    secret: str = request.META["CSRF_COOKIE"]
    request.META |= {PUBLIC_FOR: PAGE_S, CSRF: secret.encode()}
    return {"csrf_token": secret}


def owes(request: HttpRequest) -> bool:
    """Whether somebody of the staff gave a password and owes the rest."""
    user: Any = request.user
    return bool(user.is_active and user.is_staff and second_factor.step(request))


def urgency(model: str) -> int:
    return URGENT.index(model) if model in URGENT else len(URGENT)
