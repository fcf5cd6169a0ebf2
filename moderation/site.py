"""The admin: its log-in is limited per address, never by the username alone, which would let anybody lock staff out."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django_ratelimit.core import get_usage

from makerlog.accounts.forms import StaffLoginForm
from makerlog.api.limits import LIMITS

LOG_IN = LIMITS["admin-log-in"]


class Site(AdminSite):
    site_header = site_title = "Makerlog"
    login_form = StaffLoginForm

    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        wait = seconds_to_wait(request)
        return too_often(request, wait) if wait else super().login(request, extra_context)


def seconds_to_wait(request: HttpRequest) -> int:
    """0: go on. django-ratelimit's windows are fixed ones: a burst in each keeps any window within the quota."""
    rate = f"{LOG_IN.burst}/{LOG_IN.window}s"
    usage = get_usage(request, group=LOG_IN.name, key="ip", rate=rate, method="POST", increment=True)
    return max(1, usage["time_left"]) if usage and usage["should_limit"] else 0


def too_often(request: HttpRequest, seconds: int) -> HttpResponse:
    page = render(request, "moderation/too_often.html", {"limit": LOG_IN, "seconds": seconds}, status=429)
    page["Retry-After"] = str(seconds)
    return page
