"""What the staff fill in about makers and tokens."""

from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from makerlog.accounts.models import AccessToken, Maker
from moderation.cleanups import Posts, token_named
from moderation.durations import FOR_GOOD, end_after
from moderation.forms import NetworkField
from moderation.leaks import MOST_BYTES
from moderation.revocation import NothingChosen, Selection, public_id_of
from moderation.roles import Role

SUSPENDED_FOR = {
    "": "choose",  # nobody suspends for good by leaving a field as it is
    "1h": "1 hour",
    "2h": "2 hours",
    "1d": "1 day",
    "7d": "7 days",
    "30d": "30 days",
    FOR_GOOD: "for good, until it is lifted",
}


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=300, required=False, help_text="For the audit log.")


class SuspendForm(forms.Form):
    kind = forms.ChoiceField(choices=[choice for choice in Maker.Suspension.choices if choice[0]])
    span = forms.ChoiceField(label="For how long", choices=list(SUSPENDED_FOR.items()))
    reason = forms.CharField(
        max_length=300, required=False, help_text="Stands in what the API answers the maker. No mail goes out."
    )

    def clean_span(self) -> datetime | None:
        """The moment of the end; None for good."""
        return end_after(self.cleaned_data["span"])


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


class WhoseForm(forms.Form):
    """``user`` comes back as a maker, ``token`` as its prefix; moments are in UTC. Nothing is done before it was shown."""

    token = forms.CharField(required=False, max_length=100, help_text="mkl_ and 11 characters, or the whole text.")
    user = forms.CharField(required=False, max_length=30)
    network = NetworkField(required=False, help_text="An address or range (CIDR).")
    # What the preview on the page was of: only that is done by the next click.
    previewed = forms.CharField(required=False, widget=forms.HiddenInput)

    choosing: ClassVar[tuple[str, ...]] = ("token", "user", "network")

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

    @property
    def seen(self) -> str:
        return str([str(self.cleaned_data[name]) for name in self.choosing])

    @property
    def confirmed(self) -> bool:
        return self.cleaned_data["previewed"] == self.seen


class HidePostsForm(WhoseForm):
    posted_from = forms.DateTimeField(
        label="Posted since", required=False, help_text="2030-01-31 12:00, UTC. Empty: all there is."
    )
    posted_to = forms.DateTimeField(label="Until", required=False, help_text="Empty: now.")
    reason = forms.CharField(max_length=300, required=False, help_text="For the audit log.")

    choosing = ("token", "user", "network", "posted_from", "posted_to")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["network"].label = "Posted from"

    def clean_token(self) -> str:
        """Refuses a token that is not there: its posts are known by its id alone."""
        prefix = super().clean_token()
        try:
            self.token_id = token_named(prefix) if prefix else None
        except NothingChosen as error:
            raise ValidationError(str(error)) from error
        return prefix

    @property
    def posts(self) -> Posts:
        given = self.cleaned_data
        return Posts(
            token=self.token_id,
            maker=given["user"].pk if given["user"] else None,
            network=given["network"],
            since=given["posted_from"],
            until=given["posted_to"] or timezone.now(),
        )


class RevokeForm(WhoseForm):
    issued_from = forms.DateTimeField(required=False, help_text="2030-01-31 12:00, UTC. Both ends, or none.")
    issued_to = forms.DateTimeField(required=False)
    kinds = forms.MultipleChoiceField(
        label="Only", required=False, choices=AccessToken.Kind.choices, widget=forms.CheckboxSelectMultiple
    )
    reason = forms.CharField(max_length=300, required=False, help_text="Told to the owners, by mail.")

    choosing = ("token", "user", "network", "issued_from", "issued_to", "kinds")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["network"].label = "Last used from"

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


class LeakForm(forms.Form):
    text = forms.CharField(
        strip=False, widget=forms.Textarea(attrs={"rows": 8, "autocomplete": "off", "spellcheck": "false"}),
        help_text=f"Anything, up to {MOST_BYTES // 1024} KiB. It is not kept.",
    )  # fmt: skip
