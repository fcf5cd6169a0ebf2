"""One mailbox however its address is spelt: what uniqueness and the budgets of mail go by."""

import hashlib

import idna
from django.core.exceptions import ValidationError

from makerlog.api.text import fold

# Domains of one provider whose users have the same mailbox under each.
ALIASES = {
    "googlemail.com": "gmail.com",
    "protonmail.com": "proton.me",
    "pm.me": "proton.me",
    "me.com": "icloud.com",
    "mac.com": "icloud.com",
    "ya.ru": "yandex.ru",
    "yandex.com": "yandex.ru",
}
IGNORE_DOTS = {"gmail.com", "proton.me"}


def mailbox_of(address: str) -> str:
    """The one spelling of the mailbox that ``address`` names; "" for no address.

    What stands behind a plus is a tag at most hosts, so it is one here; a host that thinks otherwise merges two of its
    users. The host is in ASCII (punycode), for both spellings of an international name are delivered to it.
    """
    local, _, host = address.strip().rpartition("@")
    host = canonical_host(host)
    host = ALIASES.get(host, host)
    name, _, _ = fold(local).partition("+")
    if host in IGNORE_DOTS:
        name = name.replace(".", "")
    return f"{name or fold(local)}@{host}" if local else ""


def canonical_host(host: str) -> str:
    host = host.rstrip(".")
    try:
        return idna.encode(host, uts46=True).decode() if host else ""
    except idna.IDNAError:  # an underscore, a label that is too long: no IDN, but a host of somebody's
        return fold(host)


def subject_of(*parts: str) -> str:
    """What a budget is charged to: short, and hashed, so that Redis keeps no addresses."""
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=12).hexdigest()


def validate_mail_address(address: str) -> None:
    """Refuses what names one mailbox in more spellings than ``mailbox_of`` brings together, or a machine by its number."""
    local, _, host = address.rpartition("@")
    if '"' in local or "." not in host or "[" in host:
        raise ValidationError("Enter a valid email address.", "invalid")
