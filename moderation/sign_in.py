"""How the staff sign in: the password at the admin's own form, then the code of a second factor, or setting one up.

All of it stands below /admin/login/, where the front door lets known devices in first, also from a banned address. A code
costs no hash; who may ask for what is `second_factor.step`.
"""

import time
from typing import Any

import django_otp
from django import forms
from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice, default_key
from django_ratelimit.core import get_usage

from makerlog.accounts.models import Maker
from makerlog.accounts.reauthentication import FRESH_FOR
from makerlog.api.limits import LIMITS, Limit
from makerlog.api.text import fold
from makerlog.gate.networks import client_of, site_of
from moderation import actions, second_factor
from moderation.models import SignInFailure
from moderation.standing import tickets
from moderation.tickets import DEVICE, HALFWAY_FOR, KNOWN_FOR, PATH, remember

PASSWORD, CODE = LIMITS["admin-log-in"], LIMITS["admin-code"]
STEPS = {"code": "admin:code", "set_up": "admin:second_factor"}
SIGNED_IN_AT = "signed_in_at"  # in a session: when its password was given, Unix seconds
KEY = "second_factor_key"  # in a session: of a device that is not confirmed yet. Nobody else can have read it


class CodeForm(forms.Form):
    """Digits first: a phone shows its number pad. Recovery codes are digits too."""

    code = forms.CharField(
        max_length=20,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True, "spellcheck": "false"}
        ),
    )


# --- After the password ---


def settle(request: HttpRequest, response: HttpResponse) -> None:
    """What follows from an answer to the password form."""
    if response.status_code == 302:
        request.session[SIGNED_IN_AT] = time.time()
        welcome(request, response)
        return
    form = response.context_data["form"]  # type: ignore[attr-defined]  # a TemplateResponse
    if not form.has_error("__all__", "hashing_busy"):
        tried = Maker.objects.filter(folded_username=fold(form.cleaned_data.get("username", "")))
        count_failure(SignInFailure.Kind.PASSWORD, tried.first())


def welcome(request: HttpRequest, response: HttpResponse) -> None:
    """The password was right: on to the code, or in."""
    owed = second_factor.step(request)
    if owed:
        response["Location"] = f"{reverse(STEPS[owed])}?{urlencode({'next': response['Location']})}"
        remember(response, request.user, lasting=HALFWAY_FOR, secure=settings.SESSION_COOKIE_SECURE)
    else:
        let_in(request, response, "none")


def let_in(request: HttpRequest, response: HttpResponse, factor: str) -> None:
    actions.sign_in(maker=request.user, factor=factor)  # type: ignore[arg-type]
    remember(response, request.user, lasting=KNOWN_FOR, secure=settings.SESSION_COOKIE_SECURE)


def count_failure(kind: str, maker: Any) -> None:
    actions.count_failure(kind=kind, maker=maker)


# --- The code ---


def code(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Asks for the code of whoever gave the password."""
    if request.user.is_anonymous or second_factor.step(request) != "code":
        return HttpResponseRedirect(way(request))
    if "leave" in request.POST:
        logout(request)
        return HttpResponseRedirect(reverse("admin:login"))
    if request.method == "POST" and (wait := seconds_to_wait(request, CODE)):
        return too_often(request, CODE, wait)
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if device := second_factor.verified(request.user, form.cleaned_data["code"]):
            return accepted(request, device)
        count_failure(SignInFailure.Kind.CODE, request.user)
        form.add_error("code", refusal(request))
    return render(request, "moderation/code.html", {**context, "title": "Second factor", "form": form})


def accepted(request: HttpRequest, device: TOTPDevice | StaticDevice) -> HttpResponse:
    django_otp.login(request, device)
    request.session.cycle_key()
    recovery = isinstance(device, StaticDevice)
    response = HttpResponseRedirect(reverse("admin:second_factor") if recovery else way(request))
    let_in(request, response, "recovery" if recovery else "totp")
    return response


def refusal(request: HttpRequest) -> str:
    if (until := second_factor.locked_until(request.user)) is None:
        return "This code is not right, or was used already."
    return f"Too many wrong codes: the next one of the app is looked at from {until:%H:%M:%S} UTC on."


# --- Setting it up ---


def set_up(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """One's own second factor: set up where there is none, else its recovery codes, and the way to take it off."""
    owed = "" if request.user.is_anonymous else second_factor.step(request)
    if request.user.is_anonymous or not request.user.is_staff or owed == "code":
        return HttpResponseRedirect(reverse("admin:code" if owed else "admin:login"))
    if not second_factor.owns_factor(request.user) and not has_fresh_password(request):
        return sign_in_again(request)
    if request.method == "POST" and (wait := seconds_to_wait(request, CODE)):
        return too_often(request, CODE, wait)
    form = CodeForm(request.POST or None)
    changes = change if second_factor.owns_factor(request.user) else confirm
    codes = changes(request, form) if request.method == "POST" and form.is_valid() else None
    page = {**context, "title": "Second factor", "form": form, "codes": codes, "way": way(request), **shown(request)}
    response = render(request, "moderation/second_factor.html", page)
    if codes is not None and owed:
        let_in(request, response, "totp")
    return response


def has_fresh_password(request: HttpRequest) -> bool:
    """Threat: whoever finds a session open sets up a factor of their own, and its owner is locked out."""
    return time.time() - request.session.get(SIGNED_IN_AT, 0.0) < FRESH_FOR.total_seconds()


def sign_in_again(request: HttpRequest) -> HttpResponse:
    """Leads to the password, and from there back to setting it up."""
    logout(request)
    return HttpResponseRedirect(f"{reverse('admin:login')}?{urlencode({'next': reverse('admin:second_factor')})}")


def shown(request: HttpRequest) -> dict[str, Any]:
    """What the page shows of the second factor as it stands now."""
    maker: Any = request.user
    if second_factor.has_factor(maker.pk):
        return {"left": second_factor.recovery_codes_left(maker), "required": settings.STAFF_SECOND_FACTOR}
    key = request.session.setdefault(KEY, default_key())
    device = TOTPDevice(user=maker, key=key)
    return {"url": device.config_url, "key": device.config_url.split("secret=")[1].partition("&")[0]} | {
        "picture": second_factor.picture(device.config_url)
    }


def confirm(request: HttpRequest, form: CodeForm) -> list[str] | None:
    try:
        codes = actions.set_up_second_factor(
            maker=request.user,  # type: ignore[arg-type]
            key=request.session.get(KEY, ""),
            code=form.cleaned_data["code"],
        )
    except second_factor.WrongCode as error:
        form.add_error("code", str(error))
        return None
    django_otp.login(request, TOTPDevice.objects.get(user=request.user.pk, confirmed=True))
    del request.session[KEY]
    request.session.cycle_key()
    return codes


def change(request: HttpRequest, form: CodeForm) -> list[str] | None:
    """New recovery codes, or no second factor any more: for a code."""
    maker: Any = request.user
    if second_factor.verified(maker, form.cleaned_data["code"]) is None:
        count_failure(SignInFailure.Kind.CODE, maker)
        form.add_error("code", refusal(request))
        return None
    if "take_off" not in request.POST:
        return actions.renew_recovery_codes(maker=maker)
    actions.take_off_second_factor(maker=maker)
    return None


# --- Where to, and how often ---


def way(request: HttpRequest) -> str:
    """Where whoever signs in wanted to go, within the admin."""
    to = request.POST.get("next") or request.GET.get("next") or ""
    return to if to.startswith(PATH) and not to.startswith(reverse("admin:login")) else reverse("admin:index")


def seconds_to_wait(request: HttpRequest, limit: Limit) -> int:
    """0: go on. django-ratelimit's windows are fixed ones: a burst in each keeps any window within the quota. A known device
    is counted by itself, whoever knocks from the same address."""
    maker = tickets.known_as(request.COOKIES.get(DEVICE, ""))
    if maker:
        return count_use(request, limit, f"device {maker}")
    wait = count_use(request, limit.of_site, site_of(request.META["REMOTE_ADDR"]))
    return wait or count_use(request, limit, client_of(request.META["REMOTE_ADDR"]))


def count_use(request: HttpRequest, limit: Limit, key: str) -> int:
    """Counts this request for ``key``: in how many seconds it may come again, 0 where it may now."""
    rate = f"{limit.burst}/{limit.window}s"
    usage = get_usage(request, group=limit.name, key=lambda *_: key, rate=rate, method="POST", increment=True)
    return max(1, usage["time_left"]) if usage and usage["should_limit"] else 0


def too_often(request: HttpRequest, limit: Limit, seconds: int) -> HttpResponse:
    page = render(request, "moderation/too_often.html", {"limit": limit, "seconds": seconds}, status=429)
    page["Retry-After"] = str(seconds)
    return page
