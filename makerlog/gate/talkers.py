"""Who talks most: the heavy hitters of the last minute, by address, range, token, maker, route and user agent. Pure.

Fed with every request that is over (seen.py). Whatever crowd of made-up addresses comes, memory is bounded: Space-Saving
(Metwally, Agrawal, El Abbadi 2005), which throws away in batches, over a ring of slots of twenty seconds. Whoever weighs more
than a ``KEPT``-th of a slot is in it; figures are "at least", short by ``missed`` at most.

To read it, from any thread: ``talkers.find("address", client)`` and ``talkers.top("address")`` give Talkers of about the
last minute in this process; ``moderation.talkers`` sums up those of all.
"""

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from functools import lru_cache
from hashlib import blake2b

from makerlog.gate.networks import site_of
from makerlog.gate.seen import Seen
from makerlog.gate.strikes import VAIN

SLOT_S = 20
SLOTS = 4  # of which the last is under way: 60 to 80 seconds. More and shorter ones hold the same names more often
KEPT = 100  # talkers of a kind in a slot; twice as many while it is under way
BAR_S = 10  # totals are kept of so long each
CHARTED = 30  # so many of them
BITS = 512  # of the bitmap that tells how many routes somebody asked for; some 160 are told apart within 3 %
WORK = 100.0  # what a second of work weighs, beside 1 for each request
ROUTES_A_SECOND = 100  # are matched here, where Django was not asked
ROUTES_KNOWN = 4_096

KINDS = ("address", "range", "token", "maker", "route", "agent")
OUTCOMES = ("served", "shared", "shed", "throttled", "banned", "refused", "failed", "hung_up")
REFUSED = ("shed", "throttled", "banned", "refused")
PLACES = {outcome: place for place, outcome in enumerate(OUTCOMES)}
NOWHERE = "no route"  # of the URLconf: files, /health, what is not there

Totals = Counter[tuple[str, str]]  # requests by lane and outcome


class Talker:
    """What one of them did. ``name`` by kind: "93.184.216.7" or "2a00:1450:4001:81b::/64"; "93.184.216.0/24" or a /48; the
    public id of a token; the id of a maker; a route as the URLconf has it; a user agent."""

    __slots__ = (
        *("name", "first", "last", "requests", "outcomes", "vain", "bad_log_ins"),
        *("rows", "worked", "missed", "routes"),
    )

    def __init__(self, name: str, first: float, missed: float = 0.0) -> None:
        self.name = name
        self.first = self.last = first  # Unix seconds; the first since they were last silent for a slot
        self.requests = 0
        self.outcomes = [0] * len(OUTCOMES)
        self.vain = 0  # answers of 401, 403 and 404
        self.bad_log_ins = 0
        self.rows = 0
        self.worked = 0.0  # seconds in our threads
        self.missed = missed  # the most weight that they may have had before they were noticed
        self.routes = 0

    def join(self, other: "Talker") -> None:
        """Adds what the same one did elsewhere, or at another time."""
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)
        self.requests += other.requests
        self.outcomes = [one + more for one, more in zip(self.outcomes, other.outcomes, strict=True)]
        self.vain += other.vain
        self.bad_log_ins += other.bad_log_ins
        self.rows += other.rows
        self.worked += other.worked
        self.missed += other.missed
        self.routes |= other.routes

    def count(self, *outcomes: str) -> int:
        return sum(self.outcomes[PLACES[outcome]] for outcome in outcomes)

    @property
    def refusals(self) -> int:
        return self.count(*REFUSED)

    @property
    def breadth(self) -> int:
        """How many of the routes that there are they asked for, nearly: a bitmap knows no more."""
        free = BITS - self.routes.bit_count()
        return round(BITS * math.log(BITS / free)) if free else BITS

    @property
    def weight(self) -> float:
        return self.requests + self.worked * WORK

    # --- Told to others ---

    def plain(self) -> list[object]:
        """For JSON."""
        figures = [self.first, self.last, self.requests, self.outcomes, self.vain, self.bad_log_ins, self.rows]
        return [self.name, *figures, self.worked, self.missed, f"{self.routes:x}"]

    @classmethod
    def of(cls, plain: list[object]) -> "Talker":
        talker = cls.__new__(cls)
        for name, value in zip(cls.__slots__[:-1], plain, strict=False):
            setattr(talker, name, value)
        talker.routes = int(str(plain[-1]), 16)
        return talker


def is_bad_log_in(one: Seen) -> bool:
    """A password was hashed in vain. The admin's page of that answers 200 with the form again."""
    if one.lane == "sign_in":
        return one.status == 200
    return one.lane == "log_in" and one.outcome == "served" and 400 <= one.status < 500


def most_weight(talker: Talker) -> float:
    """With what they may have had unnoticed."""
    return talker.requests + talker.worked * WORK + talker.missed


class Sketch:
    """The talkers of one kind, ``kept`` to twice as many."""

    def __init__(self, kept: int = KEPT) -> None:
        self.kept = kept
        self.floor = 0.0  # nobody who was thrown away weighed more
        self.by_name: dict[str, Talker] = {}

    def begin(self, name: str, first: float) -> Talker:
        if len(self.by_name) >= 2 * self.kept:
            self.throw_away()
        talker = self.by_name[name] = Talker(name, first, self.floor)
        return talker

    def throw_away(self) -> None:
        """All but the ``kept`` heaviest."""
        if len(self.by_name) <= self.kept:
            return
        ranked = sorted(self.by_name.values(), key=most_weight, reverse=True)
        self.floor = most_weight(ranked[self.kept])
        self.by_name = {talker.name: talker for talker in ranked[: self.kept]}


class Slot:
    def __init__(self, number: int) -> None:
        self.number = number  # Unix time // SLOT_S
        self.sketches = {kind: Sketch() for kind in KINDS}


class Talkers:
    """Of one process. Fed on its event loop; read from any thread, nothing waits for anybody.

    ``route_of`` finds the route of a path where a refusal came before Django; "" for none.
    """

    def __init__(self, route_of: Callable[[str], str] = lambda path: "") -> None:
        self.routes = Routes(route_of)
        self._slots: list[Slot] = [Slot(0)]
        self._totals: OrderedDict[int, Totals] = OrderedDict()

    def observe(self, one: Seen) -> None:
        slot = self._slots[-1]
        if int(one.at) // SLOT_S > slot.number:
            slot = self._begin(int(one.at) // SLOT_S)
        bar = int(one.at) // BAR_S
        (self._totals.get(bar) or self._begin_bar(bar))[one.lane, one.outcome] += one.times
        route = one.route or self.routes.find(one.path, one.at)
        bit = bit_of(route) if route else 0
        times, place = one.times, PLACES[one.outcome]
        vain, bad = times * (one.status in VAIN), times * is_bad_log_in(one)
        at, rows, worked = one.at, one.rows, one.worked
        for kind, name in names_in(one, route):
            talker = slot.sketches[kind].by_name.get(name) or self._met(slot, kind, name, at)
            # Here and not in a method: calls would be half of what an observed request costs.
            talker.last = at
            talker.requests += times
            talker.outcomes[place] += times
            talker.vain += vain
            talker.bad_log_ins += bad
            talker.rows += rows
            talker.worked += worked
            talker.routes |= bit

    def _begin(self, number: int) -> Slot:
        for sketch in self._slots[-1].sketches.values():  # nobody new will come to it
            sketch.throw_away()
        slot = Slot(number)
        self._slots = [*(each for each in self._slots if each.number > number - SLOTS), slot]
        return slot

    def _begin_bar(self, number: int) -> Totals:
        totals = self._totals[number] = Counter()
        while len(self._totals) > CHARTED:
            self._totals.popitem(last=False)
        return totals

    def _met(self, slot: Slot, kind: str, name: str, at: float) -> Talker:
        """New in this slot; who talked in the last one too has been there since then."""
        before = self._slots[-2] if len(self._slots) > 1 else None
        known = before.sketches[kind].by_name.get(name) if before and before.number == slot.number - 1 else None
        return slot.sketches[kind].begin(name, known.first if known else at)

    # --- To be read ---

    def top(self, kind: str, most: int = KEPT, *, by: Callable[[Talker], float] | None = None) -> list[Talker]:
        """Who talked most in the last minute, by weight or what ``by`` gives. They are copies."""
        summed = joined(talker for slot in self._recent() for talker in list(slot.sketches[kind].by_name.values()))
        return sorted(summed, key=by or (lambda talker: talker.weight), reverse=True)[:most]

    def find(self, kind: str, name: str) -> Talker | None:
        """What the one called ``name`` did in the last minute; None: nothing that was noticed."""
        found = (slot.sketches[kind].by_name.get(name) for slot in self._recent())
        return next(iter(joined(talker for talker in found if talker)), None)

    def totals(self) -> dict[int, Totals]:
        """Requests by lane and outcome, of each bar (Unix time // BAR_S) of the last minutes."""
        return {number: Counter(counts) for number, counts in list(self._totals.items())}

    def _recent(self) -> list[Slot]:
        since = told_since()
        return [slot for slot in self._slots if slot.number * SLOT_S >= since]


def told_since() -> int:
    """Of what time on talkers are told, in Unix seconds: the last minute, from the beginning of a slot."""
    return (int(time.time()) // SLOT_S - SLOTS + 1) * SLOT_S


def names_in(one: Seen, route: str) -> list[tuple[str, str]]:
    """Kind and name of everybody who is behind a request."""
    found = [("route", route or NOWHERE), ("agent", one.agent)]
    if one.address:
        found += (
            ("address", one.client if ":" not in one.client else f"{one.client}/64"),
            ("range", site_of(one.client)),
        )
    if one.token:
        found.append(("token", one.token))
    if one.maker is not None:
        found.append(("maker", str(one.maker)))
    return found


def joined(talkers: Iterable[Talker]) -> list[Talker]:
    """Each name once, with all that is told of it."""
    found: dict[str, Talker] = {}
    for talker in talkers:
        into = found.get(talker.name)
        if into is None:
            into = found[talker.name] = Talker(talker.name, talker.first)
            into.last = talker.last
        into.join(talker)
    return [*found.values()]


@lru_cache(maxsize=1_024)
def bit_of(route: str) -> int:
    """The same in every process."""
    return 1 << int.from_bytes(blake2b(route.encode(), digest_size=8).digest()) % BITS


class Routes:
    """The routes of paths that Django was not asked about. Matching takes up to 100 microseconds: those found last are
    remembered, and beyond so many a second it is not done."""

    def __init__(self, route_of: Callable[[str], str]) -> None:
        self.route_of = route_of
        self._known: OrderedDict[str, str] = OrderedDict()
        self._second = 0
        self._found = 0

    def find(self, path: str, now: float) -> str:
        known = self._known.get(path)
        return self._match(path, int(now)) if known is None else known

    def _match(self, path: str, second: int) -> str:
        if second != self._second:
            self._second, self._found = second, 0
        if self._found >= ROUTES_A_SECOND:
            return ""
        self._found += 1
        route = self._known[path] = self.route_of(path)
        if len(self._known) > ROUTES_KNOWN:
            self._known.popitem(last=False)
        return route
