"""Django's own forms, where accounts have a say in them."""

from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError

from makerlog.accounts.hashing import as_staff
from makerlog.api.exceptions import Busy


class StaffLoginForm(AdminAuthenticationForm):
    """The admin's log-in, hashed in the staff slot: ``admin.site.login_form = StaffLoginForm``."""

    def clean(self) -> dict[str, Any]:
        try:
            with as_staff():
                return super().clean()
        except Busy as error:
            raise ValidationError(str(error.detail), code="hashing_busy") from error
