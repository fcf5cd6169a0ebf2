"""What moderation has decided, in the memory of this process. The watcher keeps it so; see makerlog.changes."""

import gc
import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from time import time
from typing import Any

from django.conf import settings

from makerlog.accounts.identity import followers, identities
from makerlog.accounts.revoked import revoked
from makerlog.accounts.uses import uses
from makerlog.changes.watch import Watcher
from makerlog.gate.banned import BanGuard
from makerlog.gate.bans import BanIndex, Standing
from makerlog.gate.level import USUAL, Declared, lockdown
from makerlog.gate.notes import Notes
from makerlog.gate.talkers import Talkers
from moderation.models import AllowlistEntry, Ban, BanQuerySet, Lockdown, RouteSwitch
from moderation.teller import Teller
from moderation.tickets import Tickets

BATCH = 2_000


class Bans:
    """Follows moderation.models.Ban."""

    topic = "ban"

    def __init__(self, index: BanIndex) -> None:
        self.index = index

    def load(self) -> None:
        """Without the garbage collector: it would look through a hundred thousand bans again and again, 100 ms at a time,
        and find nothing; 11 ms is the longest stall without it. What is there afterwards it leaves alone for good."""
        gc.disable()
        try:
            self.index.replace(standing(Ban.objects.all()))
        finally:
            gc.freeze()
            gc.enable()

    def refresh(self, keys: list[str]) -> None:
        """Lifted ones go last: a ban that replaces another of its network stands before that one is gone."""
        found = {each.id: each for each in standing(Ban.objects.filter(pk__in=keys))}
        for each in found.values():
            self.index.put(each)
        for key in map(int, keys):
            if key not in found:
                self.index.drop(key)
        self.index.sweep(time())


def standing(bans: BanQuerySet) -> Iterator[Standing]:
    for ban in bans.standing().defer("low", "high").iterator(chunk_size=BATCH):
        yield Standing(
            id=ban.pk,
            network=ipaddress.ip_network(ban.network),
            applies_to=ban.applies_to,  # type: ignore[arg-type]
            since=ban.created_at.timestamp(),
            expires_at=seconds(ban.expires_at),
            reason=ban.reason if ban.reason_is_public else "",
            forced=ban.forced,
        )


class Allowlist:
    """Follows moderation.models.AllowlistEntry: rows are few, so all are loaded each time."""

    topic = "allowlist"

    def __init__(self, index: BanIndex) -> None:
        self.index = index

    def load(self) -> None:
        self.index.replace(
            Standing(each.pk, ipaddress.ip_network(each.network), "everything", 0.0, seconds(each.expires_at))
            for each in AllowlistEntry.objects.in_force()
        )

    def refresh(self, keys: list[str]) -> None:
        self.load()


def seconds(at: datetime | None) -> float | None:
    return at.timestamp() if at else None


@dataclass(frozen=True, slots=True)
class Switched:
    """How a route is answered, until ``expires_at`` (Unix seconds)."""

    state: str
    message: str
    expires_at: float | None


class Switches:
    """Follows moderation.models.RouteSwitch: a row for each route that is not as usual, so all are loaded each time."""

    topic = "route"

    def __init__(self) -> None:
        self._by_route: dict[str, Switched] = {}

    def __len__(self) -> int:
        return len(self._by_route)

    def of(self, route: str, now: float) -> Switched | None:
        """How ``route`` is switched; None: open."""
        switched = self._by_route.get(route)
        if switched is None or (switched.expires_at is not None and switched.expires_at <= now):
            return None
        return switched

    def load(self) -> None:
        self._by_route = dict(switches(RouteSwitch.objects.exclude(state=RouteSwitch.State.OPEN)))

    def refresh(self, keys: list[str]) -> None:
        self.load()


def switches(rows: Iterable[RouteSwitch]) -> Iterator[tuple[str, Switched]]:
    for row in rows:
        yield row.route, Switched(row.state, row.message, seconds(row.expires_at))


class Levels:
    """Follows moderation.models.Lockdown."""

    topic = "lockdown"

    def load(self) -> None:
        row = Lockdown.objects.first()
        lockdown.declare(USUAL if row is None else declared(row))

    def refresh(self, keys: list[str]) -> None:
        self.load()


def declared(row: Lockdown) -> Declared:
    return Declared(row.level, row.notice, row.changed_at.timestamp(), seconds(row.expires_at))


allowlist = BanIndex()
bans = BanIndex(allowlist)
notes = Notes()
route_switches = Switches()
guard = BanGuard(bans, notes, settings.APPEAL_TO)
tickets = Tickets()
watcher = Watcher([Allowlist(allowlist), Bans(bans), route_switches, Levels(), revoked, tickets, *followers])
identities.trusted = lambda: watcher.hears
talkers = Talkers()
teller = Teller(notes, talkers)
teller.records.append(uses.write)
uses.written = lambda: teller.alive


def is_open(route: str, environ: dict[str, Any]) -> bool:
    """Whether nothing stands in the way of a request: its route is as usual, and no ban is of its address, not even one
    that its token would let it pass."""
    now = time()
    return (
        route_switches.of(route, now) is None and bans.refusal(environ["REMOTE_ADDR"], genuine=False, now=now) is None
    )
