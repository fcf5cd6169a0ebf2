from typing import Any

from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from makerlog.accounts.permissions import HasOwnScope
from makerlog.accounts.scopes import RESOURCES, covers

READS_ALL = [f"{resource}:read" for resource in RESOURCES]


class ReadsAll(HasOwnScope):
    """For tokens that may read all that is their maker's: an export holds it. Nothing of it changes, so a maker who may only
    read may have it."""

    def verb(self, request: Request) -> str:
        return "read"

    def has_permission(self, request: Request, view: Any) -> bool:
        token: Any = request.auth
        if token is not None and not covers(token.scopes, READS_ALL):
            raise PermissionDenied("Only a token that may read everything may have an export.", "missing_scope")
        return super().has_permission(request, view)
