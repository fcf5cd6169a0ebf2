"""Where exports lie: apart from uploads, which anybody may read."""

from django.conf import settings
from django.core.files.storage import Storage, storages
from django.core.signing import BadSignature, TimestampSigner

from makerlog.api.files import WholeFileStorage

signer = TimestampSigner(salt="makerlog.exports")


def storage() -> Storage:
    return storages["exports"]


class SignedStorage(WholeFileStorage):
    """Files on this disk, read by links that the front door checks with ``admits``."""

    def url(self, name: str | None) -> str:
        token = signer.sign(name or "").removeprefix(f"{name}:")
        return f"{settings.PUBLIC_URL}{super().url(name)}?token={token}"


def admits(name: str, token: str) -> bool:
    """Whether ``token`` stands in a link to this file that is still good."""
    try:
        signer.unsign(f"{name}:{token}", max_age=settings.EXPORT_LINK_S)
    except BadSignature:
        return False
    return True
