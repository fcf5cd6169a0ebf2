"""Who may call an endpoint at all. Which rows they may see or change is said by ``visible_to`` and by the views."""

from typing import Any

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from makerlog.accounts.scopes import TOKENS, grants
from makerlog.accounts.suspension import is_read_only, why_paused, why_suspended


class HasScope(BasePermission):
    """Reads are open to everybody, writes to tokens of makers who are not suspended; a token must hold the view's scope
    for what it does."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.method == "OPTIONS":
            return True
        verb = self.verb(request)
        token: Any = request.auth
        if token is None:
            return verb == "read"
        if verb == "write" and is_read_only(token.maker):
            raise PermissionDenied(why_suspended(token.maker), "suspended")
        if verb == "write" and token.is_paused:
            raise PermissionDenied(why_paused(token), "token_paused")
        if not self.is_granted(token, view, verb):
            raise PermissionDenied(f"This token lacks the scope {view.scope}:{verb}.", "missing_scope")
        return True

    def is_granted(self, token: Any, view: Any, verb: str) -> bool:
        return grants(token.scopes, view.scope, verb)

    def verb(self, request: Request) -> str:
        return "read" if request.method in SAFE_METHODS else "write"


class HasWriteScope(HasScope):
    """For GETs that write, as old apps call them: they need a token that may write."""

    def verb(self, request: Request) -> str:
        return "write"


class HasOwnScope(HasScope):
    """The same for what is the caller's own: reads need a token too."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return (request.auth is not None or request.method == "OPTIONS") and super().has_permission(request, view)


class ManagesTokens(HasOwnScope):
    """For a maker's tokens: the scope ``tokens`` will do, too."""

    def is_granted(self, token: Any, view: Any, verb: str) -> bool:
        return TOKENS in token.scopes or super().is_granted(token, view, verb)


class HasToken(BasePermission):
    """Any token, whatever it is good for, and whether or not it may write."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return request.auth is not None or request.method == "OPTIONS"
