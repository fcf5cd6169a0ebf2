"""The index of bans, without a database."""

import ipaddress
import random

import pytest

from makerlog.gate.banned import BanGuard, Banned, Spared
from makerlog.gate.bans import BanIndex, Standing, network_of
from makerlog.gate.caller import Caller
from makerlog.gate.limits import Limits
from makerlog.gate.notes import Notes

NOW = 1_800_000_000.0


def standing(number: int, network: str, **values: object) -> Standing:
    settings = {"applies_to": "everything", "since": NOW, **values}
    return Standing(id=number, network=ipaddress.ip_network(network), **settings)  # type: ignore[arg-type]


def refused(index: BanIndex, address: str, genuine: bool = False, now: float = NOW) -> int | None:
    found = index.refusal(address, genuine=genuine, now=now)
    return None if found is None else found.id


def test_a_network_is_refused_to_its_last_address_and_no_further() -> None:
    index = BanIndex()
    index.put(standing(1, "93.184.216.0/24"))
    assert refused(index, "93.184.216.0") == refused(index, "93.184.216.255") == 1
    assert refused(index, "93.184.215.255") is refused(index, "93.184.217.0") is None


def test_the_families_do_not_meet() -> None:
    index = BanIndex()
    index.put(standing(1, "0.0.0.0/0"))
    assert refused(index, "::1") is None
    index.put(standing(2, "2a00::/12"))
    assert refused(index, "2a00:1450::1") == 2


def test_a_genuine_token_passes_a_ban_of_anonymous_only() -> None:
    index = BanIndex()
    index.put(standing(1, "93.184.216.0/24", applies_to="anonymous"))
    assert refused(index, "93.184.216.7") == 1
    assert refused(index, "93.184.216.7", genuine=True) is None


def test_a_narrow_ban_of_everything_holds_within_a_wide_one_of_anonymous() -> None:
    index = BanIndex()
    index.put(standing(1, "93.184.0.0/16", applies_to="anonymous"))
    index.put(standing(2, "93.184.216.7/32"))
    assert refused(index, "93.184.216.7", genuine=True) == 2


def test_a_ban_is_over_at_its_second() -> None:
    index = BanIndex()
    index.put(standing(1, "93.184.216.7/32", expires_at=NOW + 60))
    assert refused(index, "93.184.216.7", now=NOW + 59.999) == 1
    assert refused(index, "93.184.216.7", now=NOW + 60) is None


def test_sweeping_frees_what_has_expired_and_nothing_else() -> None:
    index = BanIndex()
    index.put(standing(1, "93.184.216.7/32", expires_at=NOW + 60))
    index.put(standing(2, "93.184.216.8/32", expires_at=NOW + 60))
    index.put(standing(2, "93.184.216.8/32", expires_at=NOW + 600))
    index.sweep(NOW + 61)
    assert len(index) == 1
    assert refused(index, "93.184.216.8", now=NOW + 61) == 2


def test_the_newer_ban_of_a_network_takes_the_place_of_the_older() -> None:
    index = BanIndex()
    index.put(standing(1, "93.184.216.7/32", applies_to="anonymous"))
    index.put(standing(2, "93.184.216.7/32"))
    index.drop(1)
    assert refused(index, "93.184.216.7", genuine=True) == 2
    assert len(index) == 1


def test_replacing_leaves_exactly_the_new_ones() -> None:
    index = BanIndex()
    for number in range(10):
        index.put(standing(number, f"93.184.216.{number}/32"))
    index.replace([standing(3, "93.184.216.3/32"), standing(11, "94.0.0.0/8")])
    assert refused(index, "93.184.216.3") == 3
    assert refused(index, "94.1.2.3") == 11
    assert refused(index, "93.184.216.4") is None
    index.replace([])
    assert (len(index), refused(index, "94.1.2.3")) == (0, None)


def test_it_agrees_with_a_plain_scan_of_all_networks() -> None:
    pick = random.Random(7)
    index, networks = BanIndex(), {}
    for number in range(3_000):
        bits = pick.choice([32, 32, 32, 24, 20, 16])
        network = ipaddress.ip_network((pick.getrandbits(12) << 20 | pick.getrandbits(20), bits), strict=False)
        networks[network] = number
        index.put(standing(number, str(network)))
    of_number = {number: network for network, number in networks.items()}
    for number in pick.sample(range(3_000), 1_500):
        index.drop(number)
        networks.pop(of_number.get(number), None)
    for _ in range(300):
        address = ipaddress.ip_address(pick.getrandbits(12) << 20 | pick.getrandbits(20))
        assert (refused(index, str(address)) is not None) == any(address in network for network in networks)


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("93.184.216.7", "93.184.216.7/32"),
        ("93.184.216.0/24", "93.184.216.0/24"),
        ("2a00:1450:4001:81b::200e", "2a00:1450:4001:81b::/64"),
        ("2a00:1450::/48", "2a00:1450::/48"),
        ("2a00:1450::1:0/112", "2a00:1450::/64"),
        ("::ffff:93.184.216.7", "93.184.216.7/32"),
        ("::ffff:93.184.216.0/120", "93.184.216.0/24"),
        (" 93.184.216.7 ", "93.184.216.7/32"),
    ],
)
def test_what_a_ban_of_an_address_or_cidr_is_of(text: str, network: str) -> None:
    assert str(network_of(text)) == network


@pytest.mark.parametrize(
    "text", ["", "93.184.216", "93.184.216.7/24", "93.184.216.0/33", "example.com", "::/129", "1.2.3.4-5"]
)
def test_what_is_no_network_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        network_of(text)


def test_a_banned_client_comes_to_where_staff_sign_in_but_not_without_end() -> None:
    now = [0.0]
    index = BanIndex()
    index.put(Standing(1, network_of("93.184.216.0/24"), "everything", since=0.0))
    spared = Spared(BanGuard(index, Notes()), Limits(spared=3, spared_back=0.1), lambda: now[0])
    banned, other, staff = (Caller(f"93.184.216.{n}", "https") for n in (7, 8, 9))
    for _ in range(3):
        spared.refuse_if_spent(banned, "/admin/login/", 5.0)
    with pytest.raises(Banned):
        spared.refuse_if_spent(banned, "/admin/login/", 5.0)
    spared.refuse_if_spent(other, "/admin/login", 5.0)
    spared.refuse_if_spent(banned._replace(address="8.8.8.8"), "/admin/login/", 5.0)
    for _ in range(9):
        spared.refuse_if_spent(staff._replace(ticket=True), "/admin/login/", 5.0)
    now[0] = 10.0
    spared.refuse_if_spent(banned, "/admin/login/", 5.0)


def test_a_banned_client_has_the_styles_of_where_staff_sign_in_and_no_other_file() -> None:
    index = BanIndex()
    index.put(Standing(1, network_of("93.184.216.0/24"), "everything", since=0.0))
    guard, limits = BanGuard(index, Notes()), Limits(spared=1, spared_files=3)
    spared = Spared(guard, limits, lambda: 0.0)
    banned = Caller("93.184.216.7", "https")
    for path in ("/static/admin/css/base.css", "/static/moderation/traffic.css", "/static/admin/js/theme.js"):
        guard.refuse(banned, "GET", path, 5.0)
        spared.refuse_if_spent(banned, path, 5.0)
    spared.refuse_if_spent(banned, "/admin/login/", 5.0)  # from a bucket of its own
    with pytest.raises(Banned):
        spared.refuse_if_spent(banned, "/static/moderation/traffic.js", 5.0)
    for path in ("/static/", "/static/docs.css", "/static/administration/a.css", "/media/a.png"):
        with pytest.raises(Banned):
            guard.refuse(banned, "GET", path, 5.0)


@pytest.mark.parametrize(
    "spelling", ["::ffff:93.184.216.7", "64:ff9b::5db8:d807", "64:ff9b:1::5db8:d807", "2002:5db8:d807::1"]
)
def test_a_ban_holds_for_every_spelling_of_its_address(spelling: str) -> None:
    index = BanIndex()
    index.put(standing(1, "93.184.216.0/24"))
    assert refused(index, spelling) == 1
    other = BanIndex()
    other.put(Standing(id=2, network=network_of(spelling), applies_to="everything", since=NOW))
    assert refused(other, "93.184.216.7") == 2
    assert refused(other, "93.184.216.8") is None


def test_a_banned_address_may_ask_for_a_browser_now_and_then_and_nothing_else() -> None:
    bans = BanIndex()
    bans.put(standing(1, "93.184.216.7/32", applies_to="anonymous"))
    guard = BanGuard(bans, Notes())
    spared = Spared(guard, Limits(spared_files=3, spared_files_back=0.001))
    browser = Caller("93.184.216.7", "https", asks=True)
    with pytest.raises(Banned):
        guard.refuse(browser._replace(asks=False), "OPTIONS", "/tasks/", NOW)
    for _ in range(3):
        guard.refuse(browser, "OPTIONS", "/tasks/", NOW)
        spared.refuse_if_spent(browser, "/tasks/", NOW)
    with pytest.raises(Banned):
        spared.refuse_if_spent(browser, "/tasks/", NOW)
    spared.refuse_if_spent(browser._replace(address="93.184.216.8"), "/tasks/", NOW)
