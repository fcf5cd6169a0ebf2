"""The networks that limits are counted by: one place for how wide each of them is. Pure.

A limit for one client counts a `client`: an IPv4 address, or the /64 of an IPv6 address. Whoever rents an IPv6 /48 owns
65,536 of those, so what must hold for one customer of a provider counts a `site` as well: the /48 of an IPv6 address, the
/24 of an IPv4 address. deploy/decisions/0024-widths-of-networks.md says what each limit gives to either.

Some IPv6 addresses only spell an IPv4 address, for a network between the two to translate or tunnel. They are that IPv4
address here, in every function: else one machine would be several clients, or a whole IPv4 internet behind a NAT64 one.
"""

import ipaddress
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_pton

CLIENT_PREFIX = {4: 32, 6: 64}
SITE_PREFIX = {4: 24, 6: 48}
SITE_CLIENTS = 8  # a site has as much of every limit as so many clients; each of its clients still has no more than one
REMEMBERED = 512  # results of each function: a flood is the same few again and again
LAST_32 = 0xFFFF_FFFF
MAPPED = 0xFFFF  # ::ffff:0:0/96, an IPv4 address written as IPv6
# What is translated has the IPv4 address in its last 32 bits: 64:ff9b::/96 (RFC 6052), ::ffff:0:0:0/96 (RFC 7915).
TRANSLATED = {0x0064_FF9B << 64, 0xFFFF << 16}
LOCAL_NAT64 = 0x0064_FF9B_0001  # 64:ff9b:1::/48 (RFC 8215): in its last 32 bits, or around the bits 64 to 71
SIX_TO_FOUR = 0x2002  # 2002::/16 (RFC 3056): in the 32 bits behind that
TEREDO = 0x2001_0000  # 2001::/32 (RFC 4380): in its last 32 bits, each of them turned


class NoNetworkOfItsOwn(ValueError):
    """A range of IPv6 addresses that all spell IPv4 addresses, and not those of one IPv4 range."""

    def __init__(self) -> None:
        super().__init__("its addresses count as the IPv4 addresses that they spell; ban those")


@lru_cache(maxsize=REMEMBERED)
def parse_address(address: str) -> tuple[int, int, int]:
    """Family (4 or 6), number and bits of an address."""
    if ":" not in address:
        return 4, int.from_bytes(inet_pton(AF_INET, address)), 32
    number = int.from_bytes(inet_pton(AF_INET6, address))
    spelled = ipv4_spelled(number)
    return (6, number, 128) if spelled is None else (4, spelled, 32)


def ipv4_spelled(number: int) -> int | None:
    """The IPv4 address that the IPv6 address ``number`` spells; None where it is one of its own. What claims
    to be loopback or private by way of a tunnel came from somewhere else, and is left as it is."""
    spelled = _place(number)
    if spelled is None:
        return None
    inner, _ = spelled
    return inner if number >> 32 == MAPPED or ipaddress.IPv4Address(inner).is_global else None


def _place(number: int) -> tuple[int, int] | None:
    """An IPv4 address within an IPv6 one, and at which of its bits it begins."""
    if number >> 32 == MAPPED or number >> 32 in TRANSLATED:
        return number & LAST_32, 96
    if number >> 112 == SIX_TO_FOUR:
        return number >> 80 & LAST_32, 16
    if number >> 96 == TEREDO:
        return ~number & LAST_32, 96
    if number >> 80 == LOCAL_NAT64:
        return _local_nat64(number), 96
    return None


def _local_nat64(number: int) -> int:
    """RFC 6052, 2.2: with a prefix of 48 bits, 16 bits of it, a zero byte, 16 bits, and zeros; else the last 32 bits."""
    if number >> 56 & 0xFF == 0 and number & (1 << 40) - 1 == 0:
        return (number >> 64 & 0xFFFF) << 16 | number >> 40 & 0xFFFF
    return number & LAST_32


def ipv4_network_spelled(network: ipaddress.IPv6Network) -> ipaddress.IPv4Network | None:
    """The IPv4 network whose addresses those of ``network`` spell; None where they are its own. Raises NoNetworkOfItsOwn."""
    number, length = int(network.network_address), network.prefixlen
    place = _place(number)
    if place is None or (length == 128 and ipv4_spelled(number) is None):
        return None
    inner, begins = place
    if length < begins:
        raise NoNetworkOfItsOwn
    return ipaddress.IPv4Network((inner, min(32, length - begins)), strict=False)


def canonical(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """As all limits and bans know it: IPv4 where that is what it spells."""
    spelled = ipv4_spelled(int(address)) if address.version == 6 else None
    return str(address) if spelled is None else _dotted_quad(spelled)


def client_of(address: str) -> str:
    """One client, as a ban and every limit see it: an IPv4 address, or the first address of an IPv6 one's /64, such as
    "2a00:1450:4001:81b::"."""
    return _client_of_ipv6(address) if ":" in address else address


@lru_cache(maxsize=REMEMBERED)
def _client_of_ipv6(address: str) -> str:
    family, number, _ = parse_address(address)
    if family == 4:
        return _dotted_quad(number)
    return _first_address(number, CLIENT_PREFIX[6])


@lru_cache(maxsize=REMEMBERED)
def site_of(address: str) -> str:
    """The network that one customer of a provider has at least, in CIDR: "93.184.216.0/24", "2a00:1450:4001::/48"."""
    family, number, _ = parse_address(client_of(address))
    length = SITE_PREFIX[family]
    if family == 4:
        return f"{_dotted_quad(number >> 8 << 8)}/{length}"
    return f"{_first_address(number, length)}/{length}"


def _dotted_quad(number: int) -> str:
    return ".".join(str(number >> shift & 0xFF) for shift in (24, 16, 8, 0))


def _first_address(number: int, length: int) -> str:
    """As ipaddress writes it. By hand where it can be: a crowd of addresses costs this for each."""
    groups = [number >> (112 - 16 * place) & 0xFFFF for place in range(length // 16)]
    while groups and not groups[-1]:
        groups.pop()
    return ":".join(f"{group:x}" for group in groups) + "::"
