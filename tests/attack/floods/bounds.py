"""Every bound that `make attack` holds the service to, on one screen. They are never made wider for a slow machine: the
unloaded run beside them tells how slow it is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

MIB = 1024 * 1024

# While it is flooded, against the unloaded run of the same script.
P50_TIMES = 1.5  # of the token holders
P99_TIMES = 4.0
P99_ALLOWED_S = 0.2  # a p99 within this is good, however quick the unloaded one was
GOODPUT = 0.9  # of the token holders' requests are answered as on any other day
HEALTH_P99_S = 0.1
SIGN_IN_S = 5.0  # page, form and second page of a member of the staff who comes for the first time

# After all workers were killed.
NEW_TOKEN_S = 2.0
GOODPUT_BACK_S = 5.0

# Of the workers together, from the first minute to the fifth.
GROWTH = 0.05

# A flood from banned addresses.
REFUSED_TIMES = 50  # as many refusals a second as a stock list is served
BANNED_P50_TIMES = 1.2

# What the control must come to at least, for the rest to mean anything.
OUTAGE_TIMES = 10  # the token holders' p50, against the unloaded one
OUTAGE_HEALTH_S = 1.0

# WebSockets, all and those of a range that is banned.
OPEN_SOCKETS = (2000, 500)
SOCKETS_CLOSED_S = 1.0
EVENT_S = 1.0  # from posting a task to the last who hears of it

# Whatever sits on sockets and bodies.
MEMORY_BYTES = 150 * MIB


@dataclass(frozen=True)
class Check:
    """One bound, as it was met or missed. ``told``: the figure beside its bound, for people."""

    told: str
    met: bool


@dataclass
class Row:
    """One line of the table. ``figures``: what was offered, and what became of it."""

    name: str
    figures: str = ""
    checks: list[Check] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return all(check.met for check in self.checks)


@dataclass(frozen=True)
class Probe:
    """One request of somebody who is no attacker. ``at``: its intended moment, in seconds from the run's start;
    ``seconds``: from then until its answer was whole, or until it failed; ``status`` 0: no answer."""

    kind: str
    at: float
    seconds: float
    status: int
    why: str = ""

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300


HOLDER_KINDS = ("list", "detail", "post")
LATE_S = 5.0  # how long a probe waits for an answer; then it failed


class Probes:
    """What came back in one run, which ``began`` then on the machine's monotonic clock."""

    def __init__(self, probes: Sequence[Probe], began: float = 0.0) -> None:
        self.all = list(probes)
        self.began = began

    def __add__(self, other: "Probes") -> "Probes":
        return Probes([*self.all, *other.all])

    def of(self, *kinds: str) -> "Probes":
        return Probes([probe for probe in self.all if probe.kind in kinds])

    def between(self, start: float, end: float) -> "Probes":
        return Probes([probe for probe in self.all if start <= probe.at < end])

    @property
    def holders(self) -> "Probes":
        return self.of(*HOLDER_KINDS)

    @property
    def goodput(self) -> float:
        return sum(probe.good for probe in self.all) / len(self.all) if self.all else 0.0

    def quantile(self, part: float) -> float:
        """Seconds. Who was never answered waited for as long as a probe waits; who was refused counts as refused, and
        took no shorter time by that."""
        waits = sorted(probe.seconds if probe.good else max(LATE_S, probe.seconds) for probe in self.all)
        return waits[max(0, ceil(part * len(waits)) - 1)] if waits else LATE_S

    @property
    def p50(self) -> float:
        return self.quantile(0.5)

    @property
    def p99(self) -> float:
        return self.quantile(0.99)

    def failures(self) -> dict[str, int]:
        """How often each thing went wrong: "503" or "timeout"."""
        found: dict[str, int] = {}
        for probe in self.all:
            if not probe.good:
                word = str(probe.status) if probe.status else probe.why
                found[word] = found.get(word, 0) + 1
        return found


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"


def at_most(name: str, value: float, most: float) -> Check:
    """``value`` and ``most`` in seconds."""
    return Check(f"{name} {ms(value)} (<= {ms(most)})", value <= most)


def judge(probes: Probes, unloaded: Probes) -> list[Check]:
    """All that a flood must leave alone."""
    return [*judge_holders(probes.holders, unloaded.holders), *judge_health(probes), *judge_sign_ins(probes)]


def judge_holders(holders: Probes, unloaded: Probes, times: float = P50_TIMES) -> list[Check]:
    faults = sum(probe.status >= 500 for probe in holders.all)
    failed = "".join(f", {count} x {word}" for word, count in holders.failures().items())
    return [
        at_most("p50", holders.p50, unloaded.p50 * times),
        at_most("p99", holders.p99, max(unloaded.p99 * P99_TIMES, P99_ALLOWED_S)),
        Check(f"{faults} x 5xx", not faults),
        Check(f"goodput {holders.goodput:.1%} of {len(holders.all)}{failed}", holders.goodput >= GOODPUT),
    ]


def judge_health(probes: Probes) -> list[Check]:
    health = probes.of("health")
    failed = sum(probe.status != 200 for probe in health.all)
    return [
        at_most("health p99", health.p99, HEALTH_P99_S),
        Check(f"{failed} of {len(health.all)} health not 200", not failed and bool(health.all)),
    ]


def judge_sign_ins(probes: Probes) -> list[Check]:
    sign_ins = probes.of("sign_in").all
    if not sign_ins:
        return []
    slowest = max(probe.seconds for probe in sign_ins)
    failed = [probe.why or str(probe.status) for probe in sign_ins if not probe.good]
    told = f"sign-in {slowest:.1f} s (<= {SIGN_IN_S:.0f} s){''.join(f', failed: {why}' for why in failed)}"
    return [Check(told, not failed and slowest <= SIGN_IN_S)]
