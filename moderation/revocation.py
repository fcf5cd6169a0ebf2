"""Which tokens an act of revocation is about, and what it would hit. Chooses; the act is moderation.actions'."""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet
from django.utils import timezone

from makerlog.accounts import revoked, tokens
from makerlog.accounts.authentication import PEPPERS
from makerlog.accounts.models import AccessToken, Maker
from makerlog.env import Network

MOST = revoked.MOST  # tokens in one act: no more are kept in the memory of a process
LATELY = timedelta(minutes=10)
SAMPLE = 10
SHORT = re.compile(r"(?:mkl_)?([0-9A-Za-z]{11})(?:_…?)?")


class NothingChosen(ValueError):
    """A selection that would be of all tokens, or of what is no token. The message is one sentence."""


class Row(NamedTuple):
    """What is read of each token that is chosen."""

    pk: int
    maker_id: int
    public_id: str
    name: str
    last_used_at: datetime | None


@dataclass(frozen=True)
class Chosen:
    """Tokens to be revoked. ``more``: there are others, beyond what one act takes. ``details``: how they were chosen, for
    the audit log, naming nobody."""

    rows: list[Row]
    more: bool = False
    subject: str = "tokens"
    details: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def makers(self) -> Counter[int]:
        """How many tokens of whom."""
        return Counter(row.maker_id for row in self.rows)

    @property
    def used_lately(self) -> int:
        since = timezone.now() - LATELY
        return sum(row.last_used_at is not None and row.last_used_at > since for row in self.rows)

    @property
    def sample(self) -> QuerySet[AccessToken]:
        """A few of them with their makers, the latest used first."""
        used = sorted(self.rows, key=lambda row: row.last_used_at.timestamp() if row.last_used_at else 0.0)
        few = AccessToken.objects.filter(pk__in=[row.pk for row in used[-SAMPLE:]])
        return few.select_related("maker").order_by("-last_used_at", "-pk")


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Live tokens by whatever is given here, all of it together.

    ``token`` is a public id, with or without its ``mkl_``, or a token's whole text. ``network`` is where they were last
    used from, which is noted once a minute at most. ``kinds`` narrows what the others select.
    """

    token: str = ""
    maker: Maker | None = None
    network: Network | None = None
    issued: tuple[datetime, datetime] | None = None
    kinds: tuple[str, ...] = ()

    def chosen(self, most: int = MOST) -> Chosen:
        """At most ``most`` of them. Raises NothingChosen."""
        return choose(self.tokens(), most=most, subject=self.subject, details=self.details)

    def tokens(self) -> QuerySet[AccessToken]:
        if not (self.token or self.maker or self.network or self.issued):
            raise NothingChosen("Say which tokens: by token, maker, address or time of issue.")
        condition = Q(kind__in=self.kinds) if self.kinds else Q()
        if self.token:
            condition &= Q(public_id=public_id_of(self.token))
        if self.maker:
            condition &= Q(maker=self.maker)
        if self.network:
            ends = str(self.network.network_address), str(self.network.broadcast_address)
            condition &= Q(last_used_from__gte=ends[0], last_used_from__lte=ends[1])
        if self.issued:
            condition &= Q(created_at__range=self.issued)
        return live().filter(condition)

    @property
    def subject(self) -> str:
        return f"maker:{self.maker.pk}" if self.maker else "tokens"

    @property
    def details(self) -> dict[str, Any]:
        """An address would name somebody; how wide the range was does not."""
        network, issued = self.network, self.issued
        given = {
            "token": f"mkl_{public_id_of(self.token)}" if self.token else None,
            "network": f"an IPv{network.version} /{network.prefixlen}" if network else None,
            "issued": [moment.isoformat() for moment in issued] if issued else None,
            "kinds": list(self.kinds),
        }
        return {name: value for name, value in given.items() if value}


def live() -> QuerySet[AccessToken]:
    return AccessToken.objects.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()), revoked_at=None)


def choose(found: QuerySet[AccessToken], *, most: int, subject: str, details: dict[str, Any]) -> Chosen:
    """In no order: each way of selecting has its index, and none of them two."""
    rows = [Row(*values) for values in found.values_list(*Row._fields)[: most + 1]]
    return Chosen(rows=rows[:most], more=len(rows) > most, subject=subject, details=details)


def public_id_of(text: str) -> str:
    if match := SHORT.fullmatch(text.strip()):
        return match[1]
    if token := tokens.genuine(PEPPERS, text.strip()):
        return token.public_id
    raise NothingChosen("That is neither a token of ours nor the beginning of one, which is mkl_ and 11 characters.")
