"""What the door has noticed and not yet told anybody: who called, and whom a ban refused. Kept in memory, within bounds,
until somebody takes it (moderation.teller does, every second). Pure; written from any thread."""

import logging
from dataclasses import dataclass, field
from threading import Lock

from makerlog.gate.forwarders import Forwarders
from makerlog.gate.networks import client_of
from makerlog.gate.seen import Seen

log = logging.getLogger("makerlog.gate")

MINUTES = 10  # callers are remembered for so long
MOST_CALLERS = 2_000  # per minute; the requests of all others are counted together
MOST_BANS = 10_000  # whose refusals wait to be told
SAY_EVERY_S = 60.0

OTHERS = ""  # in the place of a caller: requests beyond MOST_CALLERS
FORWARDED = (
    "forwarded"  # requests that a proxy forwarded which nobody told us to trust; "forwarded 172.17.0.1": by peer
)
EVADED = "ban:"  # "forwarded ban:7": those said to be forwarded for an address that ban 7 is of

Callers = dict[
    str, int
]  # requests by caller: "93.184.216.7", or with a genuine token's public id: "93.184.216.7 t0k3n"
Refused = dict[int, tuple[int, float]]  # by ban: how many requests, and when the last (Unix seconds)


@dataclass(slots=True)
class _Minute:
    known: set[str] = field(default_factory=set)
    counts: Callers = field(default_factory=dict)


class Notes:
    """Of one process."""

    def __init__(self) -> None:
        self.untrusted_peer = ""  # that forwarded something last
        self.slipped = 0  # answers that went to a banned address
        self.forwarders = Forwarders()
        self._minutes: dict[int, _Minute] = {}
        self._refused: Refused = {}
        self._said: dict[str, float] = {}
        self._lock = Lock()

    # --- The door's side ---

    def observe(self, one: Seen) -> None:
        """An observer of the door's."""
        if one.client:
            self.arrived(one.client, one.token, one.at, one.times)
            self.forwarders.note_request(one.client, str(one.maker or one.token) if one.token else "", one.at)

    def arrived(self, address: str, token: str | None, now: float, times: int = 1) -> None:
        """A request came in from ``address``, with the genuine token of that public id."""
        caller = client_of(address)
        self._count(f"{caller} {token}" if token else caller, now, times)

    def forwarded(self, address: str, now: float, evaded: int | None = None) -> None:
        """A request from ``address``, which nobody trusts, says that it is forwarded: if that is a proxy, every client's
        address is taken for the proxy's. ``evaded``: the ban that is of the client it says, and does not bite."""
        peer = client_of(address)
        self.forwarders.note_forwarded(peer, now)
        self.untrusted_peer = peer
        self._count(FORWARDED, now, 1)
        self._count(f"{FORWARDED} {peer}", now, 1)
        if evaded is not None:
            self._count(f"{FORWARDED} {EVADED}{evaded}", now, 1)
        self._say(
            "forwarded",
            now,
            f"Forwarded headers arrive from {peer}, which TRUSTED_PROXIES does not name: if it is a proxy of yours, every"
            " client has its address, and a ban would hit them all or nobody. Set TRUSTED_PROXIES.",
        )

    def refused(self, ban: int, now: float) -> None:
        with self._lock:
            if ban in self._refused or len(self._refused) < MOST_BANS:
                self._refused[ban] = (self._refused.get(ban, (0, 0.0))[0] + 1, now)

    def slip(self, ban: int, now: float) -> None:
        """A request was answered though ``ban`` stood before it came: some process heard of the ban too late."""
        self.slipped += 1
        self._say("slip", now, f"An address that ban {ban} refuses was answered; {self.slipped} such answers so far.")

    def _count(self, key: str, now: float, times: int) -> None:
        number = int(now) // 60
        with self._lock:
            minute = self._minutes.get(number) or self._begin(number)
            if key not in minute.known:
                if len(minute.known) < MOST_CALLERS or key == FORWARDED:
                    minute.known.add(key)
                elif key.startswith(FORWARDED):
                    return  # counted by FORWARDED already
                else:
                    key = OTHERS
            minute.counts[key] = minute.counts.get(key, 0) + times

    def _begin(self, number: int) -> _Minute:
        for old in [each for each in self._minutes if each <= number - MINUTES]:
            del self._minutes[old]
        for each, minute in self._minutes.items():
            if each < number:
                minute.known = set()  # it is over: what of it is not taken yet stands in its counts
        return self._minutes.setdefault(number, _Minute())

    def _say(self, kind: str, now: float, sentence: str) -> None:
        """Each kind at most once a minute."""
        if now - self._said.get(kind, 0.0) >= SAY_EVERY_S:
            self._said[kind] = now
            log.error("%s", sentence)

    # --- The teller's side ---

    def take_callers(self) -> dict[int, Callers]:
        """By minute (Unix time // 60), what came in since it was last taken."""
        with self._lock:
            taken = {number: minute.counts for number, minute in self._minutes.items() if minute.counts}
            for number in taken:
                self._minutes[number].counts = {}
        return taken

    def give_back_callers(self, taken: dict[int, Callers]) -> None:
        """They could not be told; minutes that are forgotten by now stay forgotten."""
        with self._lock:
            for number, counts in taken.items():
                if (minute := self._minutes.get(number)) is not None:
                    for key, count in counts.items():
                        minute.counts[key] = minute.counts.get(key, 0) + count

    def take_refused(self, most: int) -> Refused:
        """Of at most so many bans, those that waited longest first."""
        with self._lock:
            return {ban: self._refused.pop(ban) for ban in list(self._refused)[:most]}

    def give_back_refused(self, taken: Refused) -> None:
        with self._lock:
            for ban, (count, last) in taken.items():
                since, newer = self._refused.get(ban, (0, 0.0))
                self._refused[ban] = (since + count, max(last, newer))
