"""What the admin's pages take. Each form only reads; moderation.actions acts."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib.admin.helpers import ActionForm
from django.core.exceptions import ValidationError

from makerlog.env import Network
from makerlog.gate.bans import network_of
from moderation.durations import ALLOWED_FOR, DEFAULT, FOR_GOOD, end_after
from moderation.guards import WIDEST
from moderation.models import Ban, Lockdown, RouteSwitch
from moderation.roles import may
from moderation.routes import State, names

SPANS = {
    "10m": "for 10 minutes",
    "1h": "for an hour",
    "1d": "for a day",
    "7d": "for 7 days",
    FOR_GOOD: "for good",
}


class NetworkField(forms.CharField):
    """An address or CIDR, which comes back as the network it stands for; None where it may be empty and is."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=64, **kwargs)

    def clean(self, value: Any) -> Network | None:
        text = super().clean(value)
        try:
            return network_of(text) if text else None
        except ValueError as error:
            raise ValidationError(f"This is no address or range (CIDR): {error}.") from error


class SpanField(forms.CharField):
    """How long, which comes back as the moment of the end; None for good. ``empty``: what an empty field means."""

    def __init__(self, *, empty: str = FOR_GOOD, **kwargs: Any) -> None:
        self.empty = empty
        help_text = f"90s, 10m, 2h, 7d, or {FOR_GOOD}: until it is lifted. Empty: {empty}."
        super().__init__(label="For", max_length=12, required=False, help_text=help_text, **kwargs)

    def clean(self, value: Any) -> datetime | None:
        try:
            return end_after(super().clean(value) or self.empty)
        except ValueError as error:
            raise ValidationError(str(error)) from error


class RouteSwitchForm(forms.Form):
    """``switch`` is what the button tapped says: a state and a route, chosen from those there are."""

    switch = forms.ChoiceField(widget=forms.HiddenInput)
    span = forms.ChoiceField(label="How long", choices=list(SPANS.items()), required=False, initial=DEFAULT)
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
        return {
            "route": route,
            "state": state,
            "message": data.get("message"),
            "expires_at": end_after(data.get("span") or DEFAULT),
        }


class LockdownForm(forms.Form):
    """``level`` is what the button tapped says. Normal has no end."""

    level = forms.ChoiceField(widget=forms.HiddenInput, choices=Lockdown.Level.choices)
    span = forms.ChoiceField(label="How long", choices=list(SPANS.items()), required=False, initial=DEFAULT)
    notice = forms.CharField(
        label="Notice, told to everybody",
        required=False,
        max_length=Lockdown._meta.get_field("notice").max_length,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    reason = forms.CharField(label="Reason, for the staff", required=False, max_length=300)

    def clean(self) -> dict[str, object]:
        """The arguments of moderation.actions.lock_down."""
        data = super().clean() or {}
        span = data.pop("span", "") or DEFAULT
        span = FOR_GOOD if data.get("level") == Lockdown.Level.NORMAL else span
        return {**data, "expires_at": end_after(span)}


class BanForm(forms.Form):
    network = NetworkField(label="Address or range", help_text="An IPv6 address is widened to its /64.")
    applies_to = forms.ChoiceField(choices=Ban.AppliesTo.choices, initial=Ban.AppliesTo.ANONYMOUS)
    span = SpanField(initial=DEFAULT, empty=DEFAULT)
    reason = forms.CharField(max_length=300, required=False)
    reason_is_public = forms.BooleanField(required=False, label="Tell the reason to those refused", label_suffix="")
    force = forms.BooleanField(required=False, label="Force it, against the guard rails", label_suffix="")
    # What the preview on the page was of: only that is banned by the next click.
    previewed = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, actor: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not may(actor, "force"):
            del self.fields["force"]

    @property
    def seen(self) -> str:
        return f"{self.cleaned_data['network']} {self.cleaned_data['applies_to']}"

    @property
    def confirmed(self) -> bool:
        return self.cleaned_data["previewed"] == self.seen


class AllowForm(forms.Form):
    network = NetworkField(label="Address or range", help_text="An IPv6 address is widened to its /64.")
    note = forms.CharField(max_length=300, label="Whose it is")
    span = SpanField(initial=ALLOWED_FOR, empty=ALLOWED_FOR)

    def clean_network(self) -> Network:
        network: Network = self.cleaned_data["network"]
        if network.prefixlen < WIDEST[network.version]:
            raise ValidationError(f"{network} is wider than /{WIDEST[network.version]}.")
        return network


class LiftForm(ActionForm):
    reason = forms.CharField(max_length=300, required=False, widget=forms.TextInput(attrs={"placeholder": "Reason"}))
