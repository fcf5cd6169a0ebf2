"""Which lane a request takes: who it comes from decides, and for the dear ones what it asks."""

import ipaddress
from collections.abc import Hashable

from makerlog.gate.caller import ADMIN, Caller
from makerlog.gate.strikes import client_of

SIGN_IN = "/admin/login/"
READY = "/health/ready/"


def lane_of(caller: Caller, method: str, path: str, hashing: frozenset[str]) -> str:
    """The name of a lane. ``hashing``: paths where anything but a GET costs the hash of a password."""
    path = path if path.endswith("/") else f"{path}/"
    dear = method not in ("GET", "HEAD", "OPTIONS")
    if dear and path == SIGN_IN:
        return "sign_in"
    if caller.ticket and path.startswith(ADMIN):
        return "ops"
    if path == READY and is_near(caller.address):
        return "ops"
    if dear and path in hashing:
        return "log_in"
    return "token" if caller.token else "anonymous"


def client_in(caller: Caller) -> Hashable:
    """Whom a request is charged to: a genuine token stands for itself, wherever it comes from."""
    return caller.token or client_of(caller.address)


def is_near(address: str) -> bool:
    """Whether it is this machine or this network that asks: the platform's own probes do."""
    found = ipaddress.ip_address(address)
    return found.is_loopback or found.is_private
