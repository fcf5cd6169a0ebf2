"""The networks that limits are counted by: one place for how wide each of them is. Pure.

A limit for one client counts a `client`: an IPv4 address, or the /64 of an IPv6 address. Whoever rents an IPv6 /48 owns
65,536 of those, so what must hold for one customer of a provider counts a `site` as well: the /48 of an IPv6 address, the
/24 of an IPv4 address. deploy/decisions/0024-widths-of-networks.md says what each limit gives to either.
"""

from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_pton

CLIENT_PREFIX = {4: 32, 6: 64}
SITE_PREFIX = {4: 24, 6: 48}
SITE_CLIENTS = 8  # a site has as much of every limit as so many clients; each of its clients still has no more than one
REMEMBERED = 512  # results of each function: a flood is the same few again and again
MAPPED = 0xFFFF  # ::ffff:0:0/96, an IPv4 address written as IPv6


@lru_cache(maxsize=REMEMBERED)
def parsed(address: str) -> tuple[int, int, int]:
    """Family (4 or 6), number and bits of an address."""
    if ":" in address:
        return 6, int.from_bytes(inet_pton(AF_INET6, address)), 128
    return 4, int.from_bytes(inet_pton(AF_INET, address)), 32


def client_of(address: str) -> str:
    """One client, as a ban and every limit see it: an IPv4 address, or the first address of an IPv6 one's /64, such as
    "2a00:1450:4001:81b::"."""
    return _client_of_ipv6(address) if ":" in address else address


@lru_cache(maxsize=REMEMBERED)
def _client_of_ipv6(address: str) -> str:
    number = parsed(address)[1]
    if number >> 32 == MAPPED:
        return _dotted(number & 0xFFFF_FFFF)
    return _first_address(number, CLIENT_PREFIX[6])


@lru_cache(maxsize=REMEMBERED)
def site_of(address: str) -> str:
    """The network that one customer of a provider has at least, in CIDR: "93.184.216.0/24", "2a00:1450:4001::/48"."""
    family, number, _ = parsed(client_of(address))
    length = SITE_PREFIX[family]
    if family == 4:
        return f"{_dotted(number >> 8 << 8)}/{length}"
    return f"{_first_address(number, length)}/{length}"


def _dotted(number: int) -> str:
    return ".".join(str(number >> shift & 0xFF) for shift in (24, 16, 8, 0))


def _first_address(number: int, length: int) -> str:
    """As ipaddress writes it. By hand where it can be: a crowd of addresses costs this for each."""
    groups = [number >> (112 - 16 * place) & 0xFFFF for place in range(length // 16)]
    while groups and not groups[-1]:
        groups.pop()
    return ":".join(f"{group:x}" for group in groups) + "::"
