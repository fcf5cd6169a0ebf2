"""What the admin's pages take. Each form only reads; moderation.actions acts."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib.admin.helpers import ActionForm
from django.utils import timezone

from makerlog.env import Network
from makerlog.gate.bans import network_of
from moderation.durations import duration
from moderation.models import Ban, RouteSwitch
from moderation.roles import may
from moderation.routes import State, names

SPANS = {"": "for good", "10m": "for 10 minutes", "1h": "for an hour", "1d": "for a day", "7d": "for 7 days"}


class RouteSwitchForm(forms.Form):
    """``switch`` is what the button tapped says: a state and a route, chosen from those there are."""

    switch = forms.ChoiceField(widget=forms.HiddenInput)
    span = forms.ChoiceField(label="Switch", choices=list(SPANS.items()), required=False)
    message = forms.CharField(
        label="Message to those refused", required=False, max_length=RouteSwitch._meta.get_field("message").max_length
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        switch: forms.ChoiceField = self.fields["switch"]  # type: ignore[assignment]
        switch.choices = [(f"{state} {name}", name) for name in names() for state in State.values]

    def clean(self) -> dict[str, object]:
        """The arguments of moderation.actions.switch_route. An open route has no end and no message."""
        data = super().clean() or {}
        state, _, route = data.get("switch", "").partition(" ")
        if state == State.OPEN:
            return {"route": route, "state": state}
        return {"route": route, "state": state, "message": data.get("message"), "expires_at": end_of(data.get("span"))}


def end_of(span: str | None) -> datetime | None:
    return timezone.now() + duration(span) if span else None


class BanForm(forms.Form):
    """``network`` comes back as one; ``span`` as the moment of expiry, None for good."""

    network = forms.CharField(
        label="Address or range", max_length=64, help_text="An IPv6 address is widened to its /64."
    )
    applies_to = forms.ChoiceField(choices=Ban.AppliesTo.choices, initial=Ban.AppliesTo.ANONYMOUS)
    span = forms.CharField(
        label="For",
        max_length=12,
        required=False,
        initial="1h",
        help_text="90s, 10m, 2h, 7d; empty: until it is lifted.",
    )
    reason = forms.CharField(max_length=300, required=False)
    reason_is_public = forms.BooleanField(required=False, label="Tell the reason to whom the ban refuses")
    force = forms.BooleanField(required=False, label="Force it, against the guard rails")
    # What the preview on the page was of: only that is banned by the next click.
    previewed = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, actor: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not may(actor, "force"):
            del self.fields["force"]

    def clean_network(self) -> Network:
        try:
            return network_of(self.cleaned_data["network"])
        except ValueError as error:
            raise forms.ValidationError(f"This is no address or range (CIDR): {error}.") from error

    def clean_span(self) -> datetime | None:
        text = self.cleaned_data["span"]
        try:
            return timezone.now() + duration(text) if text else None
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error

    @property
    def seen(self) -> str:
        return f"{self.cleaned_data['network']} {self.cleaned_data['applies_to']}"

    @property
    def confirmed(self) -> bool:
        return self.cleaned_data["previewed"] == self.seen


class LiftForm(ActionForm):
    reason = forms.CharField(max_length=300, required=False, widget=forms.TextInput(attrs={"placeholder": "Reason"}))
