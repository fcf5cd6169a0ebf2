"""What every page of the admin is by default: the staff look, nobody edits."""

from typing import Any

from django.contrib.admin.utils import label_for_field
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode

from makerlog.api.bounded_admin import BoundedAdmin
from moderation.roles import may


class LookedAt(BoundedAdmin):
    """Read here, changed elsewhere: content by its author through the API, where counters and privacy are kept true; the
    rest by moderation.actions."""

    def subject(self, key: str) -> str:
        """What the audit log calls the row of this key."""
        return f"{self.opts.model_name}:{key}"

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Django's own tells what its forms changed; what we do stands in the audit log."""
        log = reverse("admin:moderation_auditentry_changelist")
        return HttpResponseRedirect(f"{log}?{urlencode({'q': self.subject(object_id)})}")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """``labels`` name the cells where a phone shows each row as a card."""
        names = self.get_list_display(request)
        labels = [(getattr(name, "__name__", name), label_for_field(name, self.model, self)) for name in names]
        return super().changelist_view(request, {**(extra_context or {}), "labels": labels})

    def get_action_choices(self, request: HttpRequest, default_choices: Any = ()) -> list[tuple[str, str]]:
        """No list here has more than one: that one is chosen."""
        return super().get_action_choices(request, default_choices=[*default_choices])

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
