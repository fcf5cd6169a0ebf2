"""How wide the networks are that limits are counted by."""

import ipaddress
import random

import pytest

from makerlog.gate.networks import client_of, site_of


def test_one_client_is_an_ipv4_address_or_the_64_of_an_ipv6_one() -> None:
    assert client_of("2a00:1450:4001:81b::200e") == client_of("2a00:1450:4001:81b:1::") == "2a00:1450:4001:81b::"
    assert client_of("::ffff:8.8.8.8") == client_of("8.8.8.8") == "8.8.8.8"


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("93.184.216.34", "93.184.216.0/24"),
        ("::ffff:93.184.216.34", "93.184.216.0/24"),
        ("2a00:1450:4001:81b::200e", "2a00:1450:4001::/48"),
        ("2a00:1450:4001:ffff::", "2a00:1450:4001::/48"),
        ("2a00::1", "2a00::/48"),
        ("::1", "::/48"),
    ],
)
def test_one_customer_of_a_provider_has_an_ipv4_24_or_an_ipv6_48_at_least(address: str, site: str) -> None:
    assert site_of(address) == site == site_of(client_of(address))


def test_both_are_written_as_the_standard_library_writes_them() -> None:
    pick = random.Random(1)
    for _ in range(2_000):
        address = ipaddress.IPv6Address(pick.getrandbits(128) & ~(pick.getrandbits(8) * 0xFFFF << pick.randrange(112)))
        client, site = (ipaddress.ip_network((int(address) >> bits << bits, 128 - bits)) for bits in (64, 80))
        assert (client_of(str(address)), site_of(str(address))) == (str(client.network_address), str(site))
