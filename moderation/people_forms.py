"""What the staff fill in about makers and tokens."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from makerlog.accounts.models import AccessToken, Maker
from moderation.forms import NetworkField, SpanField
from moderation.leaks import MOST_BYTES
from moderation.revocation import NothingChosen, Selection, public_id_of
from moderation.roles import Role


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=300, required=False, help_text="For the audit log.")


class SuspendForm(forms.Form):
    kind = forms.ChoiceField(choices=[choice for choice in Maker.Suspension.choices if choice[0]])
    span = SpanField()
    reason = forms.CharField(max_length=300, required=False, help_text="Told to the maker.")


class WarnForm(forms.Form):
    reason = forms.CharField(
        label="What the mail says",
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Read by the maker.",
    )


class RoleForm(forms.Form):
    role = forms.TypedChoiceField(
        choices=[(role.value, role.name.lower()) for role in Role], coerce=lambda value: Role(int(value))
    )
    reason = forms.CharField(max_length=300, required=False, help_text="For the audit log.")


class RevokeForm(forms.Form):
    """``user`` comes back as a maker, ``token`` as its prefix; moments are in UTC."""

    token = forms.CharField(required=False, max_length=100, help_text="mkl_ and 11 characters, or the whole text.")
    user = forms.CharField(required=False, max_length=30)
    network = NetworkField(label="Last used from", required=False, help_text="An address or range (CIDR).")
    issued_from = forms.DateTimeField(required=False, help_text="2030-01-31 12:00, UTC. Both ends, or none.")
    issued_to = forms.DateTimeField(required=False)
    kinds = forms.MultipleChoiceField(
        label="Only", required=False, choices=AccessToken.Kind.choices, widget=forms.CheckboxSelectMultiple
    )
    reason = forms.CharField(max_length=300, required=False, help_text="Told to the owners, by mail.")
    # What the preview on the page was of: only that is revoked by the next click.
    previewed = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean_token(self) -> str:
        try:
            return f"mkl_{public_id_of(self.cleaned_data['token'])}" if self.cleaned_data["token"] else ""
        except NothingChosen as error:
            raise ValidationError(str(error)) from error

    def clean_user(self) -> Maker | None:
        name = self.cleaned_data["user"]
        maker = Maker.objects.named(name).first() if name else None
        if name and maker is None:
            raise ValidationError(f"There is no maker {name!r}.")
        return maker

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if (given.get("issued_from") is None) != (given.get("issued_to") is None):
            raise ValidationError("Say both ends of the time of issue, or none.")
        return given

    @property
    def selection(self) -> Selection:
        given = self.cleaned_data
        return Selection(
            token=given["token"],
            maker=given["user"],
            network=given["network"],
            issued=(given["issued_from"], given["issued_to"]) if given["issued_from"] else None,
            kinds=tuple(given["kinds"]),
        )

    @property
    def seen(self) -> str:
        names = ("token", "user", "network", "issued_from", "issued_to", "kinds")
        return str([str(self.cleaned_data[name]) for name in names])

    @property
    def confirmed(self) -> bool:
        return self.cleaned_data["previewed"] == self.seen


class LeakForm(forms.Form):
    text = forms.CharField(
        strip=False, widget=forms.Textarea(attrs={"rows": 8, "autocomplete": "off", "spellcheck": "false"}),
        help_text=f"Anything, up to {MOST_BYTES // 1024} KiB. It is not kept.",
    )  # fmt: skip
