"""The second factor of the staff: codes of an authenticator app (TOTP), and recovery codes for when it is lost.

django-otp keeps the devices, verifies and slows down. What is added: who owes a code (``step``), recovery codes kept as
keyed hashes, and an end to how long wrong codes lock a device: who has only the password must not shut its owner out.
"""

import secrets
from datetime import datetime
from io import BytesIO
from typing import Any

import qrcode
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django.utils.safestring import SafeString, mark_safe
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from qrcode.image.svg import SvgPathImage

CODES = 10
LENGTH = 12  # digits: what a phone's number pad has
MOST_FAILURES = 10  # django-otp waits 2 ** (failures - 1) seconds: 8.5 minutes at most


def step(request: HttpRequest) -> str:
    """What whoever is signed in still owes before they are let in: "code", "set_up", or "" for nothing."""
    user: Any = request.user
    if getattr(user, "otp_device", None) is not None:
        return ""
    if owns_factor(user):
        return "code"
    return "set_up" if settings.STAFF_SECOND_FACTOR == "required" else ""


def owns_factor(user: Any) -> bool:
    """Asked once a request."""
    if not hasattr(user, "owns_factor"):
        user.owns_factor = has_factor(user.pk)
    return bool(user.owns_factor)


def has_factor(maker: int) -> bool:
    return TOTPDevice.objects.filter(user_id=maker, confirmed=True).exists()


@transaction.atomic
def verified(maker: Any, code: str) -> TOTPDevice | StaticDevice | None:
    """The device of ``maker`` that ``code`` is of; None: of none, or too many were wrong of late. A code works once."""
    code = code.replace(" ", "").replace("-", "")
    kind, code = (TOTPDevice, code) if len(code) == 6 and code.isdigit() else (StaticDevice, kept(code))
    device: Any = kind.objects.select_for_update().filter(user_id=maker.pk, confirmed=True).first()
    if device is None or device.verify_token(code):
        return device
    kind.objects.filter(pk=device.pk, throttling_failure_count__gt=MOST_FAILURES).update(
        throttling_failure_count=MOST_FAILURES
    )
    return None


def locked_until(maker: Any) -> datetime | None:
    """Until when no code of the app is looked at, because too many were wrong."""
    device = TOTPDevice.objects.filter(user_id=maker.pk, confirmed=True).first()
    allowed, why = device.verify_is_allowed() if device else (True, None)
    return None if allowed or not why else why["locked_until"]


# --- Setting it up ---


class WrongCode(ValueError):
    """The code shows nothing: mistyped, too late, or of another key. The message is one sentence."""


def confirmed_device(maker: Any, key: str, code: str) -> TOTPDevice:
    """A new device of ``key``, which ``code`` was shown to be of. Raises WrongCode; call it in a transaction."""
    device = TOTPDevice.objects.create(user=maker, name="app", key=key, confirmed=True)
    if not device.verify_token(code.replace(" ", "")):
        raise WrongCode("This is not the code that the app shows for this key now. Try the next one.")
    return device


def new_recovery_codes(maker: Any) -> list[str]:
    """Ten codes, shown this once; those there were work no more."""
    StaticDevice.objects.filter(user=maker).delete()
    device = StaticDevice.objects.create(user=maker, name="recovery codes", confirmed=True)
    codes = [f"{secrets.randbelow(10**LENGTH):0{LENGTH}}" for _ in range(CODES)]
    for code in codes:
        device.token_set.create(token=kept(code))
    return [f"{code[:4]}-{code[4:8]}-{code[8:]}" for code in codes]


def kept(code: str) -> str:
    """What is kept of a recovery code: whoever reads the database cannot use it."""
    return salted_hmac("moderation.recovery", code, algorithm="sha256").hexdigest()[:16]


def recovery_codes_left(maker: Any) -> int:
    return sum(device.token_set.count() for device in StaticDevice.objects.filter(user=maker))


def forget(maker: Any) -> int:
    """Takes all devices from ``maker``: how many it were."""
    return TOTPDevice.objects.filter(user=maker).delete()[0] + StaticDevice.objects.filter(user=maker).delete()[0]


def picture(url: str) -> SafeString:
    """A QR code as SVG that stands in the page: no other host, no file."""
    drawn = BytesIO()
    qrcode.make(url, image_factory=SvgPathImage, border=2).save(drawn)
    svg = drawn.getvalue().decode()
    return mark_safe(svg[svg.index("<svg") :])  # noqa: S308  (ours; the address in it is drawn, not written)
