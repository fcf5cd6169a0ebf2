"""Asks again who is there, before what could take an account from its owner.

Threat: a token that leaked, or an app that was given ``user:write``, makes itself tokens that outlive it, ends those of
others, takes the name or the address, carries everything away, or deletes the account. So these operations need a log-in
token of the last hour or the password in the body; tokens may be managed by a personal token with the scope ``tokens``, too.
"""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from rest_framework import status
from rest_framework.exceptions import APIException

from makerlog.accounts.guesses import count_guess
from makerlog.accounts.models import AccessToken
from makerlog.api.views import Endpoint

FRESH_FOR = timedelta(hours=1)


class ReauthenticationRequired(APIException):
    status_code = status.HTTP_403_FORBIDDEN
    default_detail = (
        "This takes a log-in of the last hour: send `password` in the body, or log in again (POST /api-token-auth/)."
    )
    default_code = "reauthentication_required"


class WrongPassword(APIException):
    status_code = status.HTTP_403_FORBIDDEN
    default_detail = "This is not your password."
    default_code = "wrong_password"


class Sensitive(Endpoint):
    """An endpoint with operations that ask again who is there."""

    hashes_password = True

    def reauthenticate(self, password: str = "") -> None:
        """Raises ReauthenticationRequired or WrongPassword; TooOften: a guess is charged as a log-in is."""
        if is_fresh_login(self.request.auth):
            return
        if not password:
            raise ReauthenticationRequired
        self.charge("log-in")
        self.charge("password")
        if not self.caller.check_password(password):
            count_guess(self.caller, "")
            raise WrongPassword


def is_fresh_login(token: Any) -> bool:
    return token.kind == AccessToken.Kind.LOGIN and token.created_at > timezone.now() - FRESH_FOR
