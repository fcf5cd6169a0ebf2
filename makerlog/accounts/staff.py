"""What the API asks of moderation, which stands above it and registers its answers: the second factor of whoever logs in,
and whether a token may moderate. Where nothing is registered, nobody may."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from rest_framework.exceptions import PermissionDenied

from makerlog.accounts.models import AccessToken, Maker

T = TypeVar("T")


class Rules(Protocol):
    def verify(self, maker: Maker, code: str) -> None:
        """Raises PermissionDenied where ``code`` is not of the maker's second factor."""

    def moderate(self, token: AccessToken, kind: str, values: dict[str, bool], change: Callable[[], T]) -> T:
        """Does ``change``, which sets ``values`` (such as ``hidden``) of the row that it returns, and notes who did. Raises
        PermissionDenied. ``kind``: what the row is, in one word."""


class NoRules:
    def verify(self, maker: Maker, code: str) -> None:
        raise PermissionDenied

    def moderate(self, token: AccessToken, kind: str, values: dict[str, bool], change: Callable[[], T]) -> T:
        raise PermissionDenied


class Registered:
    rules: Rules = NoRules()


def register(rules: Rules) -> None:
    Registered.rules = rules


def rules() -> Rules:
    return Registered.rules
