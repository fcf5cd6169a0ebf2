"""Which bans stand, by address, in memory: what every request is asked first. Pure; knows no database.

A ban is of a network, so an address is looked up once per prefix length in use: a handful of dictionary look-ups, however
many bans there are, and adding or lifting one costs the same. Written by one thread (the watcher's), read by all.
"""

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Literal

from makerlog.env import Network
from makerlog.gate.networks import CLIENT_PREFIX, ipv4_network_spelled, parse_address

AppliesTo = Literal["everything", "anonymous"]
Key = tuple[
    int, int, int
]  # family (4 or 6), prefix length, network address shifted right by what the prefix leaves out


@dataclass(frozen=True, slots=True)
class Standing:
    """One ban in force. Times are Unix seconds; ``expires_at`` None: for good. ``reason`` is what its client is told."""

    id: int
    network: Network
    applies_to: AppliesTo
    since: float
    expires_at: float | None = None
    reason: str = ""
    forced: bool = False  # against the guard rails: the allowlist does not pass it

    def in_force(self, now: float) -> bool:
        """Gone at its second; nobody has to clean it up for that."""
        return self.expires_at is None or now < self.expires_at

    def refuses(self, *, genuine: bool, now: float) -> bool:
        """``genuine``: the request carries a genuine token, which a ban of ``anonymous`` lets pass."""
        return self.in_force(now) and (self.applies_to == "everything" or not genuine)


class BanIndex:
    """The bans in force in this process."""

    def __init__(self, allowlist: "BanIndex | None" = None) -> None:
        self.allowlist = allowlist
        self._by_key: dict[Key, Standing] = {}
        self._keys: dict[int, Key] = {}
        self._lengths: dict[int, tuple[int, ...]] = {4: (), 6: ()}
        self._in_use: dict[tuple[int, int], int] = {}  # how many networks have (family, prefix length)
        self._expiries: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._keys)

    def refusal(self, address: str, *, genuine: bool, now: float) -> Standing | None:
        """The ban that refuses a request from ``address``, the widest where several do; None: it may come in."""
        for standing in self.covering(address):
            if standing.refuses(genuine=genuine, now=now) and (standing.forced or not self.is_allowed(address, now)):
                return standing
        return None

    def is_allowed(self, address: str, now: float) -> bool:
        """Whether the allowlist holds ``address``. Asked only where a ban would refuse it."""
        return self.allowlist is not None and any(each.in_force(now) for each in self.allowlist.covering(address))

    def covering(self, address: str) -> Iterator[Standing]:
        """Bans whose network holds ``address``, expired ones too, the widest first."""
        family, number, bits = parse_address(address)
        for length in self._lengths[family]:
            standing = self._by_key.get((family, length, number >> (bits - length)))
            if standing is not None:
                yield standing

    # --- The watcher's side ---

    def put(self, standing: Standing) -> None:
        """Adds a ban, in the place of any other of the same network: at no moment does neither stand."""
        key = key_of(standing.network)
        other = self._by_key.get(key)
        self._by_key[key] = standing
        if other is None:
            self._count(key, 1)
        else:
            del self._keys[other.id]
        self._keys[standing.id] = key
        if standing.expires_at is not None:
            heappush(self._expiries, (standing.expires_at, standing.id))

    def drop(self, ban: int) -> None:
        """Lifts the ban of that id, if it stands."""
        key = self._keys.pop(ban, None)
        if key is not None:
            del self._by_key[key]
            self._count(key, -1)

    def replace(self, standing: Iterable[Standing]) -> None:
        """Exactly these stand now. Nobody who is banned before and after slips through in between."""
        new = list(standing)
        for gone in self._keys.keys() - {each.id for each in new}:
            self.drop(gone)
        for each in new:
            self.put(each)

    def sweep(self, now: float) -> None:
        """Frees the memory of what has expired."""
        while self._expiries and self._expiries[0][0] <= now:
            _, ban = heappop(self._expiries)
            key = self._keys.get(ban)
            if key is not None and not self._by_key[key].in_force(now):
                self.drop(ban)

    def _count(self, key: Key, change: int) -> None:
        family, length, _ = key
        used = self._in_use[family, length] = self._in_use.get((family, length), 0) + change
        if (change, used) in {(1, 1), (-1, 0)}:
            # A new tuple, widest first: whoever is looking something up keeps the old one.
            lengths = sorted(each for (of, each), count in self._in_use.items() if of == family and count)
            self._lengths[family] = tuple(lengths)


def key_of(network: Network) -> Key:
    length = network.prefixlen
    return network.version, length, int(network.network_address) >> (network.max_prefixlen - length)


def network_of(text: str) -> Network:
    """The network that a ban of ``text`` (an address or CIDR) is of: an IPv6 address stands for its /64, the least that
    one client holds; an IPv4-mapped one for its IPv4. ValueError where it is neither, or has host bits set: what to write."""
    try:
        network = ipaddress.ip_network(text.strip(), strict="/" in text)
    except ValueError as error:
        raise ValueError(_instead(text.strip())) from error
    if network.version == 6:
        if (spelled := ipv4_network_spelled(network)) is not None:
            return spelled
        if network.prefixlen > CLIENT_PREFIX[6]:
            return network.supernet(new_prefix=CLIENT_PREFIX[6])
    return network


def _instead(text: str) -> str:
    try:
        return f"it has host bits set; the range around it is {ipaddress.ip_network(text, strict=False)}"
    except ValueError:
        return "write 203.0.113.7, 203.0.113.0/24 or 2001:db8::/48"
