"""The client's address: one pure function, used by everybody who asks. What it found is remembered: a flood is the same few
again and again."""

import ipaddress
from collections.abc import Iterator, Sequence
from functools import lru_cache

from makerlog.env import Network, Networks
from makerlog.gate.answers import Refusal
from makerlog.gate.networks import canonical

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# A peer on a Unix socket has no address. It is a process of this machine: what loopback means.
UNIX_PEER = "127.0.0.1"
MOST_PORTS = 65535
REMEMBERED = 512  # of some 500 bytes each: those that came last, and a flood from more than that is not the same few


class MalformedForwarded(Refusal):
    """A trusted proxy sent a forwarded address that is none. Guessing would let a ban be dodged."""

    code = "malformed_forwarded"
    detail = "X-Forwarded-For holds something that is not an address."


def client_address(peer: str, forwarded_for: list[str] | str | None, trusted: Sequence[Network]) -> str:
    """The nearest address that is not a trusted proxy's, walking from the peer leftwards through ``forwarded_for``.

    Only a trusted hop vouches for the entry to its left, so whatever a client wrote itself is never reached.
    ``peer`` is the socket's address, "" for a Unix socket. What only spells an IPv4 address comes back as that (networks.py);
    who is trusted is asked of what was written, for a spelling proves nothing of who sent it.
    Raises MalformedForwarded when a trusted hop vouches for something that is no address.
    """
    line = forwarded_for if isinstance(forwarded_for, str) else ",".join(forwarded_for or [])
    return _walked(peer, line, *_in_force(trusted))


def peer_is_trusted(peer: str, trusted: Sequence[Network]) -> bool:
    """Whether the headers that only a proxy may set can be believed from ``peer``."""
    return _peer_is_trusted(peer, *_in_force(trusted))


def _in_force(trusted: Sequence[Network]) -> tuple[Sequence[Network], int]:
    """What can be remembered by: ranges that are followed change, and their version with them."""
    return (trusted, trusted.version) if isinstance(trusted, Networks) else (tuple(trusted), 0)


@lru_cache(maxsize=REMEMBERED)
def _walked(peer: str, forwarded_for: str, trusted: Sequence[Network], version: int) -> str:
    hop = _peer(peer)
    if _peer_is_trusted(peer, trusted, version):
        for entry in _right_to_left(forwarded_for):
            hop = _forwarded(entry)
            if not _is_trusted(hop, trusted):
                break
    return canonical(hop)


@lru_cache(maxsize=REMEMBERED)
def _peer_is_trusted(peer: str, trusted: Sequence[Network], version: int) -> bool:
    return _is_trusted(_peer(peer), trusted)


def _is_trusted(address: Address, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)


def _peer(peer: str) -> Address:
    return _unmapped(ipaddress.ip_address((peer or UNIX_PEER).partition("%")[0]))


def _right_to_left(forwarded_for: str) -> Iterator[str]:
    """Entries of one header or several in the order received. Empty ones do not count (RFC 9110, 5.6.1)."""
    entries = [entry.strip() for entry in forwarded_for.split(",")]
    return (entry for entry in reversed(entries) if entry)


def _forwarded(entry: str) -> Address:
    """``1.2.3.4``, ``1.2.3.4:80``, ``::1``, ``[::1]`` or ``[::1]:443``."""
    host, port = _split_port(entry)
    if "%" in host or not _is_port(port):
        raise MalformedForwarded
    try:
        return _unmapped(ipaddress.ip_address(host))
    except ValueError as error:
        raise MalformedForwarded from error


def _split_port(entry: str) -> tuple[str, str | None]:
    """Host and port (None: not given)."""
    if entry.startswith("["):
        host, bracket, rest = entry[1:].partition("]")
        if not bracket or ":" not in host or (rest and not rest.startswith(":")):
            raise MalformedForwarded
        return host, rest[1:] if rest else None
    if entry.count(":") == 1:
        host, _, port = entry.partition(":")
        return host, port
    return entry, None


def _is_port(port: str | None) -> bool:
    return port is None or (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= MOST_PORTS)


def _unmapped(address: Address) -> Address:
    return getattr(address, "ipv4_mapped", None) or address
