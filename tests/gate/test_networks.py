"""How wide the networks are that limits are counted by."""

import ipaddress
import random

import pytest

from makerlog.gate.bans import network_of
from makerlog.gate.networks import client_of, site_of

# 93.184.216.34, as IPv6 addresses spell it.
SPELLINGS = {
    "mapped": "::ffff:93.184.216.34",
    "NAT64": "64:ff9b::5db8:d822",
    "NAT64 of one's own, 96 bits": "64:ff9b:1::5db8:d822",
    "NAT64 of one's own, another 96": "64:ff9b:1:7:8:9:5db8:d822",
    "NAT64 of one's own, 48 bits": "64:ff9b:1:5db8:d8:2200::",
    "stateless": "::ffff:0:93.184.216.34",
    "6to4": "2002:5db8:d822::1",
    "6to4, another host": "2002:5db8:d822:1:2:3:4:5",
    "Teredo": "2001:0:4136:e378:8000:63bf:a247:27dd",
}
each_spelling = pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)


@each_spelling
def test_an_ipv4_address_is_one_client_however_it_is_spelled(spelling: str) -> None:
    assert client_of(spelling) == "93.184.216.34"
    assert site_of(spelling) == "93.184.216.0/24"
    assert network_of(spelling) == ipaddress.ip_network("93.184.216.34/32")
    assert network_of(f"{spelling}/128") == ipaddress.ip_network("93.184.216.34/32")


@pytest.mark.parametrize(
    ("written", "network"),
    [
        ("64:ff9b::5db8:d800/120", "93.184.216.0/24"),
        ("::ffff:93.184.0.0/112", "93.184.0.0/16"),
        ("2002:5db8:d800::/40", "93.184.216.0/24"),
        ("2002:5db8:d822::/48", "93.184.216.34/32"),
        ("2002:5db8:d822:7::/64", "93.184.216.34/32"),
        ("2001:0:4136:e378:8000:63bf:a247:2700/120", "93.184.216.0/24"),
        ("2002::/16", "0.0.0.0/0"),
        ("2a00:1450::/32", "2a00:1450::/32"),
    ],
)
def test_a_range_of_spellings_is_the_ipv4_range(written: str, network: str) -> None:
    assert network_of(written) == ipaddress.ip_network(network)


@pytest.mark.parametrize("written", ["2001::/32", "2001:0:4136:e378::/64", "64:ff9b::/64", "64:ff9b:1::/48"])
def test_a_range_that_would_hit_nobody_is_said_to_be_none(written: str) -> None:
    with pytest.raises(ValueError, match="ban those"):
        network_of(written)


@pytest.mark.parametrize(
    "address", ["2002:7f00:1::1", "64:ff9b::a00:1", "64:ff9b::7f00:1", "2001:0:4136:e378:8000:63bf:80ff:fffe", "::1"]
)
def test_nobody_becomes_this_machine_or_its_neighbour_by_a_spelling(address: str) -> None:
    assert ":" in client_of(address)
    assert client_of(client_of(address)) == client_of(address)
    assert network_of(client_of(address)) == network_of(address)


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
