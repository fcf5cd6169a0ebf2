"""What every page of the admin is by default: the staff look, nobody edits."""

from django.http import HttpRequest

from makerlog.api.bounded_admin import BoundedAdmin
from moderation.roles import may


class LookedAt(BoundedAdmin):
    """Read here, changed elsewhere: content by its author through the API, where counters and privacy are kept true; the
    rest by moderation.actions."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may(request.user, "look")

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return may(request.user, "look")

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False
