"""The links that we mail: signed, good for three days (PASSWORD_RESET_TIMEOUT), and once."""

from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from makerlog.accounts.models import Maker
from makerlog.api.exceptions import BadParameter


class ActivationTokens(PasswordResetTokenGenerator):
    """Signed over what activation changes, and what registering anew does: either ends an older link."""

    key_salt = "makerlog.accounts.activation"

    def _make_hash_value(self, user: Maker, timestamp: int) -> str:
        return f"{user.pk} {user.password} {user.awaiting_activation} {timestamp} {user.unproven_email}"


class EmailTokens(PasswordResetTokenGenerator):
    """Signed over both addresses and the password: a later request ends an older link, and so does a new password."""

    key_salt = "makerlog.accounts.email"

    def _make_hash_value(self, user: Maker, timestamp: int) -> str:
        return f"{user.pk} {user.password} {timestamp} {user.email} {user.pending_email}"


activation_tokens = ActivationTokens()
email_tokens = EmailTokens()
reset_tokens = PasswordResetTokenGenerator()


def uid_of(maker: Maker) -> str:
    return urlsafe_base64_encode(str(maker.pk).encode())


def maker_of(uid: str) -> Maker | None:
    """The maker whom ``uid`` names; None for what is no uid."""
    try:
        text = urlsafe_base64_decode(uid).decode("ascii")
    except ValueError:
        return None
    return Maker.objects.named(text).first() if text.isdigit() else None


def activation_link(maker: Maker) -> str:
    return link("email_activate", maker, activation_tokens)


def email_link(maker: Maker) -> str:
    return link("email_confirm", maker, email_tokens)


def reset_link(maker: Maker) -> str:
    return link("reset", maker, reset_tokens)


def link(act: str, maker: Maker, tokens: PasswordResetTokenGenerator) -> str:
    return f"{settings.PUBLIC_URL}/accounts/{act}/{uid_of(maker)}/{tokens.make_token(maker)}/"


def bad_link() -> BadParameter:
    return BadParameter("This link has been used, has expired, or is not one of ours. Ask for a new one.", "bad_link")
