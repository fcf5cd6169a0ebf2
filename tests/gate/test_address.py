from ipaddress import ip_network

import pytest

from makerlog.gate.address import MalformedForwarded, client_address

TRUSTED = [ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8"), ip_network("fd00::/8")]
FORGED = "1.1.1.1"
CLIENT = "93.184.216.34"


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        pytest.param(CLIENT, None, CLIENT, id="no proxy"),
        pytest.param(CLIENT, FORGED, CLIENT, id="untrusted peer's header is ignored"),
        pytest.param(CLIENT, "<script>", CLIENT, id="and not even parsed"),
        pytest.param("10.0.0.1", None, "10.0.0.1", id="a proxy speaking for itself"),
        pytest.param("10.0.0.1", "", "10.0.0.1", id="empty header"),
        pytest.param("10.0.0.1", CLIENT, CLIENT, id="one proxy"),
        pytest.param("10.0.0.1", f"{FORGED}, {CLIENT}", CLIENT, id="left-most forgery"),
        pytest.param("10.0.0.1", f"garbage, {CLIENT}", CLIENT, id="garbage that nobody vouches for"),
        pytest.param("10.0.0.1", f"{FORGED}, {CLIENT}, 10.0.0.2,127.0.0.1", CLIENT, id="several proxies"),
        pytest.param("10.0.0.1", [FORGED, CLIENT, "10.0.0.2"], CLIENT, id="several headers"),
        pytest.param("10.0.0.1", [f"{FORGED}, {CLIENT}", "10.0.0.2"], CLIENT, id="both"),
        pytest.param("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3", id="proxies only: the left-most"),
        pytest.param("10.0.0.1", f"{CLIENT}, , ,", CLIENT, id="empty entries"),
        pytest.param("10.0.0.1", f"{CLIENT}:50123", CLIENT, id="port"),
        pytest.param("10.0.0.1", "2606:4700::1111", "2606:4700::1111", id="IPv6"),
        pytest.param("10.0.0.1", "[2606:4700::1111]", "2606:4700::1111", id="brackets"),
        pytest.param("10.0.0.1", "[2606:4700::1111]:443", "2606:4700::1111", id="brackets and port"),
        pytest.param("10.0.0.1", "2606:4700:0::1111", "2606:4700::1111", id="one spelling comes out"),
        pytest.param("10.0.0.1", f"::ffff:{CLIENT}", CLIENT, id="mapped client"),
        pytest.param("::ffff:10.0.0.1", CLIENT, CLIENT, id="mapped peer is the trusted one"),
        pytest.param(f"::ffff:{CLIENT}", FORGED, CLIENT, id="mapped untrusted peer"),
        pytest.param("fd00::1", f"{FORGED}, {CLIENT}, ::ffff:10.1.2.3", CLIENT, id="mapped hop"),
        pytest.param("fe80::1%eth0", None, "fe80::1", id="zone of the peer"),
        pytest.param("", None, "127.0.0.1", id="Unix socket"),
        pytest.param("", f"{FORGED}, {CLIENT}", CLIENT, id="Unix socket behind a trusted loopback"),
        pytest.param("10.0.0.1", ", ".join([FORGED, CLIENT] + ["10.9.9.9"] * 50), CLIENT, id="50 hops"),
        pytest.param("10.0.0.1", ", ".join([FORGED] * 50 + [CLIENT]), CLIENT, id="50 forgeries"),
    ],
)
def test_the_client_is_the_nearest_hop_that_is_no_trusted_proxy(peer, forwarded, address):
    assert client_address(peer, forwarded, TRUSTED) == address


@pytest.mark.parametrize(
    "entry",
    [
        "unknown",
        "_hidden",
        "<script>alert(1)</script>",
        "999.1.1.1",
        "1.2.3",
        "01.2.3.4",
        "1.2.3.4:",
        "1.2.3.4:http",
        "1.2.3.4:65536",
        "1.2.3.4:１",
        "[1.2.3.4]:80",
        "[::1",
        "::1]",
        "[::1]443",
        "[]",
        "fe80::1%eth0",
        "1.2.3.4/24",
        "for=1.2.3.4",
        "\x00",
    ],
)
def test_what_a_trusted_hop_vouches_for_must_be_an_address(entry):
    with pytest.raises(MalformedForwarded):
        client_address("10.0.0.1", f"{CLIENT}, {entry}", TRUSTED)


def test_without_trusted_networks_a_unix_socket_cannot_name_a_client():
    assert client_address("", CLIENT, []) == "127.0.0.1"


@pytest.mark.parametrize(
    "spelling", ["64:ff9b::5db8:d822", "2002:5db8:d822::1", "::ffff:93.184.216.34", "[64:ff9b:1::5db8:d822]:443"]
)
def test_a_spelling_of_an_ipv4_client_is_that_client(spelling):
    assert client_address("127.0.0.1", spelling, TRUSTED) == CLIENT
    if "[" not in spelling:
        assert client_address(spelling, FORGED, TRUSTED) == CLIENT


@pytest.mark.parametrize("spelling", ["64:ff9b::a00:1", "2002:a00:1::1", "2002:7f00:1::1"])
def test_a_spelling_of_a_proxy_is_trusted_with_nothing(spelling):
    assert client_address(spelling, FORGED, TRUSTED) == spelling
    assert client_address("127.0.0.1", f"{FORGED}, {spelling}", TRUSTED) == spelling
