"""Moderation by token: who may, and how each act is noted (see makerlog.accounts.staff).

Threat: the token of a moderator leaks, from an app that has nothing to do with moderation. It hides, pins and locks nothing:
that takes a log-in token made with a code of the second factor, of the last ``VERIFIED_FOR``.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticDevice
from rest_framework.exceptions import PermissionDenied

from makerlog.accounts.models import AccessToken, Maker
from moderation import actions, second_factor
from moderation.models import SignInFailure
from moderation.roles import may

T = TypeVar("T")

VERIFIED_FOR = timedelta(hours=12)  # a working day
SET_UP = "Set up a second factor at /admin/login/second-factor/ first."
LOG_IN = "Log in with its code: POST /api-token-auth/ {username, password, otp}."


class ByApi:
    """Rules of makerlog.accounts.staff."""

    def verify(self, maker: Maker, code: str) -> None:
        if not second_factor.has_factor(maker.pk):
            raise PermissionDenied(f"This account has no second factor. {SET_UP}", "no_second_factor")
        device = second_factor.verified(maker, code)
        if device is None:
            actions.count_failure(kind=SignInFailure.Kind.CODE, maker=maker)
            raise PermissionDenied("This code is not right, was used already, or too many were wrong.", "wrong_otp")
        actions.sign_in(maker=maker, factor="recovery" if isinstance(device, StaticDevice) else "totp", by_api=True)

    def moderate(self, token: AccessToken, kind: str, values: dict[str, bool], change: Callable[[], T]) -> T:
        if not may(token.maker, "hide"):
            raise PermissionDenied("Only a moderator may do this.", "not_moderator")
        if not is_verified(token):
            raise missing_factor(token.maker)
        return actions.moderate(kind=kind, values=values, change=change, actor=token.maker)


def is_verified(token: AccessToken) -> bool:
    return token.second_factor and token.created_at > timezone.now() - VERIFIED_FOR


def missing_factor(maker: Maker) -> PermissionDenied:
    if second_factor.has_factor(maker.pk):
        return PermissionDenied(f"Moderating takes your second factor. {LOG_IN}", "second_factor_required")
    return PermissionDenied(f"Moderating takes a second factor. {SET_UP} {LOG_IN}", "no_second_factor")
