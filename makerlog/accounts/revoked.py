"""Which tokens are revoked, in the memory of this process: for the front door, which asks no database. The composition
root's watcher keeps it up to date (see makerlog.changes); the database stays the judge of every request that it lets in.
"""

from collections.abc import Iterable

from django.utils import timezone

from makerlog.accounts.models import AccessToken

MOST = 200_000  # about 25 MB


class Revoked:
    """The public ids of the newest ``MOST`` tokens that were revoked and have not expired, the oldest first."""

    topic = "token"

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._ids: dict[str, None] = {}

    def __contains__(self, public_id: str) -> bool:
        return public_id in self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def load(self) -> None:
        """Those that expired are passed over here, not in the query: it reads ``most`` rows, whatever they are."""
        newest = AccessToken.objects.filter(revoked_at__isnull=False).order_by("-revoked_at", "-id")[: self.most]
        now = timezone.now()
        rows = newest.values_list("public_id", "expires_at")
        self._ids = dict.fromkeys(reversed([public_id for public_id, end in rows if end is None or end > now]))

    def refresh(self, keys: list[str]) -> None:
        """Tokens whose account was erased have no row any more: they are as good as revoked."""
        live = AccessToken.objects.filter(public_id__in=keys, revoked_at=None).values_list("public_id", flat=True)
        self._add(set(keys).difference(live))

    def _add(self, public_ids: Iterable[str]) -> None:
        self._ids.update(dict.fromkeys(public_ids))
        while len(self._ids) > self.most:
            del self._ids[next(iter(self._ids))]


revoked = Revoked()
