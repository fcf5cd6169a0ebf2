"""Whether a ban is in force everywhere: from the heartbeats of the processes."""

import socket
from dataclasses import dataclass
from datetime import datetime

import psutil

from makerlog.changes.models import Change, Process
from makerlog.changes.watch import in_force_since, is_lost, processes
from makerlog.gate.notes import EVADED
from moderation.models import Ban
from moderation.moments import moment
from moderation.traffic import MOST_PEERS, forwarders


@dataclass(frozen=True)
class Enforcement:
    """One process and one ban. ``since`` None: it has not heard of the ban. ``lost``: it has been silent for too long; what
    it does now nobody knows."""

    process: Process
    since: datetime | None
    lost: bool

    @property
    def holds(self) -> bool:
        return self.since is not None and not self.lost

    def __str__(self) -> str:
        where = f"process {self.process.pid} on {self.process.host}"
        if self.lost:
            return f"{where}: lost; last heard of at {moment(self.process.seen_at)}"
        return f"{where}: {f'in force since {moment(self.since)}' if self.since else 'has not heard of it yet'}"


def enforcement(ban: Ban) -> list[Enforcement]:
    """Of every process heard of within the last hour, but those that are known to have died."""
    change = Change.objects.filter(topic="ban", key=str(ban.pk)).order_by("number").first()
    number = change.number if change else 0  # forgotten, as old changes are: everybody has heard of it
    return [
        Enforcement(process, in_force_since(process, number), is_lost(process))
        for process in processes()
        if not has_died(process)
    ]


def blunt(ban: Ban, known: list[Enforcement]) -> list[str]:
    """That a ban is in force everywhere and bites nowhere, while what it is of goes on being answered."""
    if ban.refused or not known or not all(each.holds for each in known):
        return []
    counts = forwarders()
    if not (evaded := counts[f"{EVADED}{ban.pk}"]):
        return []
    peers = [name for name, _ in counts.most_common() if not name.startswith(EVADED)][:MOST_PEERS]
    return [
        f"It bites nowhere: it has refused nobody, and {evaded:,} requests of the last ten minutes came in that are said to"
        f" be forwarded for it, by {', '.join(peers)}, which TRUSTED_PROXIES does not name. Set TRUSTED_PROXIES."
    ]


def has_died(process: Process) -> bool:
    """Only a silent process of this very machine is known to be dead; elsewhere it may be cut off, and serving."""
    return is_lost(process) and process.host == socket.gethostname() and not psutil.pid_exists(process.pid)
