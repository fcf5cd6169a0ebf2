"""Which clients look like a proxy of ours that nobody told us to trust.

Where one stands in front, every reader has its address here, and an automatic ban of it would be a ban of everybody. But
anybody can send ``X-Forwarded-For``, and one who does must not be safe from the rules by it, let alone all others. So a
client looks like a proxy only where it forwards and, of all clients of the last ten minutes, most forward too, as behind a
CDN; or where it brings tokens of several makers. Pure; written on the event loop, read by another thread.
"""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock

LATELY_S = 600.0
MOST_CLIENTS = 2_000  # remembered, those that came last
MANY_MAKERS = 3  # whose tokens one client brings, as a proxy does


@dataclass(slots=True)
class _Client:
    seen_at: float
    forwarded_at: float = 0.0
    makers: set[str] = field(default_factory=set)  # whose tokens it brought, MANY_MAKERS at most


class Forwarders:
    """Times are Unix seconds."""

    def __init__(self) -> None:
        self.forwarded_at = 0.0  # when anybody forwarded something last
        self._clients: OrderedDict[str, _Client] = OrderedDict()
        self._lock = Lock()

    def note_forwarded(self, client: str, now: float) -> None:
        """A request of ``client`` has a forwarded header, though no proxy is trusted."""
        self.forwarded_at = now
        with self._lock:
            self._seen(client, now).forwarded_at = now

    def note_request(self, client: str, maker: str, now: float) -> None:
        """Any request; ``maker``: by what the owner of its genuine token is known, or "". Costs nothing where nobody
        forwards."""
        if now - self.forwarded_at >= LATELY_S:
            return
        with self._lock:
            makers = self._seen(client, now).makers
            if maker and len(makers) < MANY_MAKERS:
                makers.add(maker)

    def _seen(self, client: str, now: float) -> _Client:
        known = self._clients.pop(client, None) or _Client(now)
        known.seen_at = now
        self._clients[client] = known
        if len(self._clients) > MOST_CLIENTS:
            self._clients.popitem(last=False)
        return known

    def looks_like_proxy(self, client: str, now: float) -> bool:
        with self._lock:
            known = self._clients.get(client)
            if known is None or now - known.forwarded_at >= LATELY_S:
                return False
            return len(known.makers) >= MANY_MAKERS or self._most_forward(now)

    def _most_forward(self, now: float) -> bool:
        """Probes from our own network come past a proxy, and do not count."""
        lately = [
            now - each.forwarded_at < LATELY_S
            for client, each in self._clients.items()
            if now - each.seen_at < LATELY_S and is_public(client)
        ]
        return 2 * sum(lately) > len(lately)


@lru_cache(maxsize=MOST_CLIENTS)
def is_public(client: str) -> bool:
    return ipaddress.ip_address(client).is_global
