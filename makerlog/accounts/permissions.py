"""Who may call an endpoint at all. Which rows they may see or change is said by ``visible_to`` and by the views."""

from typing import Any

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from makerlog.accounts.scopes import grants


class HasScope(BasePermission):
    """Reads are open to everybody, writes to tokens; a token must hold the view's scope for what it does."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.method == "OPTIONS":
            return True
        verb = "read" if request.method in SAFE_METHODS else "write"
        if request.auth is None:
            return verb == "read"
        if not grants(request.auth.scopes, view.scope, verb):
            raise PermissionDenied(f"This token lacks the scope {view.scope}:{verb}.", "missing_scope")
        return True


class HasOwnScope(HasScope):
    """The same for what is the caller's own: reads need a token too."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return (request.auth is not None or request.method == "OPTIONS") and super().has_permission(request, view)
