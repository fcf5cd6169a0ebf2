"""Every trick with forwarded headers, over a real socket: the ban of a client holds, and no bystander is hit."""

import contextlib
import ipaddress
from collections.abc import Iterator

import pytest

from makerlog.gate.banned import BanGuard
from makerlog.gate.bans import BanIndex, Standing, network_of
from makerlog.gate.door import FrontDoor
from makerlog.gate.notes import Notes
from tests.gate.serving import Service, mirror, serve

BANNED, BANNED_6 = "93.184.216.7", "2a00:1450:4001:81b::7"
BYSTANDER, BYSTANDER_6 = "93.184.216.8", "2a00:1450:4001:81c::7"
INNER, OUTER = "127.0.0.1", "94.1.1.1"  # proxies: the nearest to us, and one before it

# What a client may write before the address that the proxy adds.
FORGED = [
    "",
    BYSTANDER,
    BANNED,
    f"{BYSTANDER}:80",
    f"{BANNED}:80",
    f"[{BANNED_6}]:443",
    f"::ffff:{BANNED}",
    INNER,
    OUTER,
    f"{BANNED}, {OUTER}",
    f"{BYSTANDER}, {INNER}, {OUTER}",
    ", ".join(f"93.184.217.{hop}" for hop in range(50)),
    ", ".join([BANNED] * 50),
    ",,, ,",
    "unknown",
    "<script>alert(1)</script>",
    "999.1.1.1, [::1, 1.2.3.4:99999",
    "for=93.184.216.8;proto=https",
]
# How proxies write the client's address.
WRITTEN = ["{}", "{}:50123", " {} ", "::ffff:{}"]
WRITTEN_6 = ["{}", "[{}]", "[{}]:50123"]


@contextlib.contextmanager
def door(*trusted: str, banned: tuple[str, ...] = (BANNED, BANNED_6)) -> Iterator[Service]:
    bans = BanIndex()
    for number, text in enumerate(banned):
        bans.put(Standing(number, network_of(text), "everything", since=0.0))
    networks = [ipaddress.ip_network(each) for each in trusted]
    with serve(FrontDoor(mirror, trusted=networks, guard=BanGuard(bans, Notes()))) as service:
        yield service


def status(service: Service, *forwarded: str) -> int:
    """What a request with these header lines is answered, and that nobody below sees a forwarded header."""
    lines = "".join(f"X-Forwarded-For: {line}\r\n" for line in forwarded)
    more = f"Forwarded: for={BYSTANDER}\r\nX-Real-IP: {BYSTANDER}\r\nX_Forwarded_For: {BYSTANDER}\r\n"
    reply = service.raw(f"GET / HTTP/1.1\r\nHost: x\r\n{lines}{more}Connection: close\r\n\r\n".encode())
    if reply.status == 200:
        assert not [key for key in reply.json()["environ"] if "FORWARDED" in key or "REAL_IP" in key]
    return reply.status


def chain(forged: str, *hops: str) -> str:
    return ", ".join([forged, *hops] if forged else hops)


def test_a_direct_client_is_its_peer_whatever_it_writes() -> None:
    with door(banned=(INNER,)) as service:
        assert {status(service, forged) for forged in FORGED} == {403}


def test_a_direct_client_cannot_take_a_banned_address_upon_itself() -> None:
    with door() as service:
        assert {status(service, forged) for forged in FORGED} == {200}


def test_behind_a_proxy_the_ban_holds_and_no_bystander_is_hit() -> None:
    with door(INNER) as service:
        for forged in FORGED:
            for form in WRITTEN:
                assert status(service, chain(forged, form.format(BANNED))) == 403, (forged, form)
                assert status(service, chain(forged, form.format(BYSTANDER))) == 200, (forged, form)
            for form in WRITTEN_6:
                assert status(service, chain(forged, form.format(BANNED_6))) == 403, (forged, form)
                assert status(service, chain(forged, form.format(BYSTANDER_6))) == 200, (forged, form)


def test_behind_two_proxies_the_ban_holds_and_no_bystander_is_hit() -> None:
    with door(INNER, OUTER) as service:
        for forged in FORGED:
            for form in WRITTEN:
                assert status(service, chain(forged, form.format(BANNED), OUTER)) == 403, (forged, form)
                assert status(service, chain(forged, form.format(BYSTANDER), OUTER)) == 200, (forged, form)


def test_a_proxy_that_adds_a_line_of_its_own_is_read_like_one_that_appends() -> None:
    with door(INNER) as service:
        for forged in FORGED:
            assert status(service, forged, BANNED) == 403, forged
            assert status(service, forged, BYSTANDER) == 200, forged


def test_whoever_goes_round_the_outer_proxy_is_their_own_address() -> None:
    """The inner proxy saw them, not the outer one: what they say that the outer one said does not count."""
    with door(INNER, OUTER) as service:
        assert status(service, f"{BYSTANDER}, {BANNED}") == 403
        assert status(service, f"{BANNED}, {OUTER}, {BYSTANDER}") == 200


@pytest.mark.parametrize(
    "garbage", ["garbage", "93.184.216.7 garbage", "[::1", "1.2.3.4:99999", "fe80::1%eth0", "1.2.3.4:"]
)
def test_what_a_trusted_proxy_cannot_have_written_is_a_400(garbage: str) -> None:
    with door(INNER) as service:
        assert status(service, garbage) == 400
