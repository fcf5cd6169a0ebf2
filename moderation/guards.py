"""What must not be banned by mistake: ourselves, what stands in front of us, and half the world. Pure."""

import ipaddress
from collections.abc import Iterator, Sequence

from makerlog.env import Network

WIDEST = {4: 16, 6: 32}  # prefix length by family

NEVER = {
    "loopback": ["127.0.0.0/8", "::1/128"],
    "private": ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"],
    "link-local": ["169.254.0.0/16", "fe80::/10"],
    "multicast": ["224.0.0.0/4", "ff00::/8"],
    "unspecified": ["0.0.0.0/8", "::/128"],
}
KINDS = {kind: [ipaddress.ip_network(each) for each in ranges] for kind, ranges in NEVER.items()}


class Guarded(Exception):
    """A ban that the guard rails refuse. ``sentences`` say why; nothing was written."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__(" ".join(sentences))
        self.sentences = sentences


def objections(
    network: Network, *, trusted: Sequence[Network], cdn: Sequence[Network], own: str = "", allowed: Sequence[str] = ()
) -> list[str]:
    """Why ``network`` should not be banned, in sentences; none: it may be. ``own`` is the address of whoever bans, "" where
    they have none; ``allowed``: what of the allowlist holds all of ``network``."""
    found = [
        *_too_wide(network),
        *_kinds(network),
        *(f"{network} is on the allowlist, by {each}: only a forced ban refuses it." for each in allowed),
        *(f"{network} meets {each}, a trusted proxy: all its clients would be hit." for each in _met(network, trusted)),
        *(
            f"{network} meets {each}, one of the CDN's ranges: all its clients would be hit."
            for each in _met(network, cdn)
        ),
    ]
    if own and _address(own) in network:
        found.append(f"{own} is your own address: you would shut yourself out.")
    return found


def is_bannable_by_rule(network: Network, *, trusted: Sequence[Network], cdn: Sequence[Network]) -> bool:
    """What a person may force, a rule never does; nor does it ban what is not of the public internet at all."""
    return network.is_global and not objections(network, trusted=trusted, cdn=cdn)


def warnings(*, forwarded: int, peers: Sequence[str] = ()) -> list[str]:
    """What must be known before any ban. ``forwarded``: requests of the last minutes that ``peers`` forwarded, which
    TRUSTED_PROXIES does not name."""
    if not forwarded:
        return []
    named = f" ({', '.join(peers)})" if peers else ""
    return [
        f"{forwarded:,} requests of the last ten minutes say that a proxy forwarded them, and TRUSTED_PROXIES does not name"
        f" it{named}. If the proxy is yours, every client has its address here: a ban of it is a ban of everybody, and a ban"
        " of a client bites nowhere. Set TRUSTED_PROXIES first."
    ]


def _too_wide(network: Network) -> Iterator[str]:
    widest = WIDEST[network.version]
    if network.prefixlen < widest:
        yield f"{network} is wider than /{widest}: it holds {network.num_addresses:,} addresses."


def _kinds(network: Network) -> Iterator[str]:
    for kind, ranges in KINDS.items():
        for each in _met(network, ranges):
            yield f"{network} meets {each}, which is {kind}."


def _met(network: Network, others: Sequence[Network]) -> list[Network]:
    return [other for other in others if other.version == network.version and other.overlaps(network)]


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address
