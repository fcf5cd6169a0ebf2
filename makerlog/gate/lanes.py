"""Which lane a request takes: who it comes from decides, and for the dear ones what it asks."""

import ipaddress
from collections import OrderedDict
from collections.abc import Hashable

from makerlog.gate.caller import ADMIN, SIGN_IN, Caller
from makerlog.gate.networks import client_of

WHOSE = "makerlog.maker"  # in a WSGI environ: the id of the maker whose token Django found in the request
CHARGED = "makerlog.charged"  # in a WSGI environ: the limits of the API were asked about its caller
PROBES = ("/health/ready/", "/metrics/")


def lane_of(caller: Caller, method: str, path: str, hashing: frozenset[str]) -> str:
    """The name of a lane. ``hashing``: paths where anything but a GET costs the hash of a password."""
    path = path if path.endswith("/") else f"{path}/"
    dear = method not in ("GET", "HEAD", "OPTIONS")
    if dear and path == SIGN_IN:
        return "known" if caller.known else "sign_in"
    if (caller.ticket and path.startswith(ADMIN)) or caller.known or caller.link:
        return "ops"
    if path in PROBES and is_near(caller):
        return "ops"
    if dear and path in hashing:
        return "log_in"
    return "token" if caller.token else "anonymous"


def client_in(caller: Caller) -> Hashable:
    """Whom a request is charged to: a genuine token stands for itself, wherever it comes from."""
    return caller.token or client_of(caller.address)


class Owners:
    """Whose tokens they are, as Django told of earlier requests: one maker's many tokens queue as one client. A token that
    is new here stands for itself. The ``most`` learnt last are known."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._makers: OrderedDict[str, int] = OrderedDict()

    def client_in(self, caller: Caller) -> Hashable:
        maker = self.maker_of(caller.token)
        return client_in(caller) if maker is None else ("maker", maker)

    def maker_of(self, token: str | None) -> int | None:
        return self._makers.get(token) if token else None

    def learn(self, token: str | None, maker: int | None) -> None:
        """``maker``: who Django found ``token`` to be of; None where it did not look."""
        if token is None or maker is None or token in self._makers:
            return
        self._makers[token] = maker
        if len(self._makers) > self.most:
            self._makers.popitem(last=False)


def is_near(caller: Caller) -> bool:
    """Whether this machine or its own network asks, for itself: the platform's probes do. What a proxy forwards is never
    near, also where we were not told to trust that proxy."""
    found = ipaddress.ip_address(caller.address)
    return not caller.forwarded and (found.is_loopback or found.is_private)
