"""The admin: its log-in is limited per address, never by the username alone, which would let anybody lock staff out."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django_ratelimit.core import get_usage

from makerlog.accounts.forms import StaffLoginForm
from makerlog.api.limits import LIMITS
from moderation.affairs import affairs

LOG_IN = LIMITS["admin-log-in"]
URGENT = (
    "Ban",
    "RouteSwitch",
    "AuditEntry",
    "Maker",
    "AccessToken",
    "Process",
    "Job",
)  # what a bad night asks for, first


class Site(AdminSite):
    site_header = site_title = "Makerlog"
    site_url = None  # the header has little room
    index_title = "How things stand"
    login_form = StaffLoginForm

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {**(extra_context or {}), "affairs": affairs()})

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """The urgent first, the rest by name."""
        apps = super().get_app_list(request, app_label)
        for app in apps:
            app["models"].sort(key=lambda model: urgency(model["object_name"]))
        return sorted(apps, key=lambda app: urgency(app["models"][0]["object_name"]))

    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        wait = seconds_to_wait(request)
        return too_often(request, wait) if wait else super().login(request, extra_context)


def urgency(model: str) -> int:
    return URGENT.index(model) if model in URGENT else len(URGENT)


def seconds_to_wait(request: HttpRequest) -> int:
    """0: go on. django-ratelimit's windows are fixed ones: a burst in each keeps any window within the quota."""
    rate = f"{LOG_IN.burst}/{LOG_IN.window}s"
    usage = get_usage(request, group=LOG_IN.name, key="ip", rate=rate, method="POST", increment=True)
    return max(1, usage["time_left"]) if usage and usage["should_limit"] else 0


def too_often(request: HttpRequest, seconds: int) -> HttpResponse:
    page = render(request, "moderation/too_often.html", {"limit": LOG_IN, "seconds": seconds}, status=429)
    page["Retry-After"] = str(seconds)
    return page
