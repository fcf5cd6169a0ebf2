"""What looks like a proxy that nobody told us to trust, and who only pretends to be one."""

import pytest

from makerlog.gate.forwarders import LATELY_S, MANY_MAKERS, MOST_CLIENTS, Forwarders

NOW = 1_800_000_000.0
PROXY, FORGER = "93.184.216.7", "93.184.217.7"


@pytest.fixture
def forwarders() -> Forwarders:
    return Forwarders()


def readers(forwarders: Forwarders, count: int, now: float = NOW) -> None:
    """Who come without anybody in between."""
    for number in range(count):
        forwarders.note_request(f"8.8.{number >> 8}.{number & 255}", "", now)


def test_one_proxy_before_everybody_looks_like_one(forwarders: Forwarders) -> None:
    forwarders.note_forwarded(PROXY, NOW)
    forwarders.note_request("172.17.0.1", "", NOW)  # a probe of our own network
    forwarders.note_request("10.0.0.3", "", NOW)
    assert forwarders.looks_like_proxy(PROXY, NOW)


def test_one_who_forges_a_header_among_readers_does_not(forwarders: Forwarders) -> None:
    forwarders.note_forwarded(FORGER, NOW)
    readers(forwarders, 3)
    assert not forwarders.looks_like_proxy(FORGER, NOW)
    assert not forwarders.looks_like_proxy("8.8.0.0", NOW)


def test_who_does_not_forward_never_looks_like_one_whatever_others_send(forwarders: Forwarders) -> None:
    for number in range(100):
        forwarders.note_forwarded(f"9.9.9.{number}", NOW)
    readers(forwarders, 3)
    assert not forwarders.looks_like_proxy("8.8.0.0", NOW)
    assert not forwarders.looks_like_proxy("8.8.200.1", NOW), "never seen"
    assert forwarders.looks_like_proxy("9.9.9.1", NOW), "as all of a CDN's do"


def test_who_brings_the_tokens_of_several_makers_looks_like_one_among_scanners(forwarders: Forwarders) -> None:
    forwarders.note_forwarded(PROXY, NOW)
    readers(forwarders, 20)
    for number in range(MANY_MAKERS):
        assert not forwarders.looks_like_proxy(PROXY, NOW)
        forwarders.note_request(PROXY, f"t{number}", NOW)
    assert forwarders.looks_like_proxy(PROXY, NOW)


def test_it_is_forgotten_after_ten_minutes(forwarders: Forwarders) -> None:
    forwarders.note_forwarded(PROXY, NOW)
    assert not forwarders.looks_like_proxy(PROXY, NOW + LATELY_S)


def test_a_crowd_is_remembered_within_bounds(forwarders: Forwarders) -> None:
    forwarders.note_forwarded(PROXY, NOW)
    readers(forwarders, MOST_CLIENTS + 10)
    assert len(forwarders._clients) == MOST_CLIENTS


def test_nothing_is_remembered_while_nobody_forwards(forwarders: Forwarders) -> None:
    readers(forwarders, 10)
    assert not forwarders._clients
