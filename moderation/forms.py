"""What the admin's pages take. Each form only reads; moderation.actions acts."""

from datetime import datetime

from django import forms
from django.utils import timezone

from moderation.durations import duration
from moderation.models import RouteSwitch
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
