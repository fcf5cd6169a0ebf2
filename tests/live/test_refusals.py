"""Who is refused a socket, and whose open one is closed: each within a second, and nobody else's."""

import time
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.utils import timezone
from websockets.exceptions import ConnectionClosed, InvalidStatus

from makerlog.accounts.actions import create_token, revoke_token
from makerlog.gate.limits import Limits
from makerlog.gate.networks import SITE_CLIENTS
from moderation import actions
from moderation.actions import switch_route
from moderation.standing import route_switches
from products.actions import leave
from tasks.consumers import Followed, OwnTaskStream
from tests.gate.serving import until
from tests.live.serving import Live, Reader, live
from tests.makers import caller
from tests.products.products import make_product
from tests.tasks.logs import log

PROXY = [ip_network("127.0.0.1/32")]


def from_address(service: Live, address: str, token: str = "") -> Reader:
    return service.follows("/explore/stream/", token, X_Forwarded_For=address)


def test_a_token_is_taken_from_the_header_or_the_query(service: Live) -> None:
    alice = caller("alice")
    for reader in (service.follows("/stream/", alice.token), service.follows(f"/stream/?token={alice.token}")):
        log(alice.maker)
        assert reader.frame()["type"] == "task.created"


@pytest.mark.parametrize("path", ["/stream/", "/explore/stream/", "/discussions/"])
def test_a_bad_credential_is_4401_everywhere(service: Live, path: str) -> None:
    token = caller("alice").token
    forged = token[:-1] + ("0" if token[-1] != "0" else "1")
    assert service.follow(path, forged).closed()[0] == 4401
    assert service.follow(f"{path}?token={forged}").closed()[0] == 4401
    assert service.follow(f"{path}?token=").closed()[0] == 4401
    assert service.follow(path, Authorization="Basic abc").closed()[0] == 4401


def test_a_token_without_the_scope_is_4403(service: Live) -> None:
    alice = caller("alice", scopes=["discussions:read"])
    assert service.follow("/stream/", alice.token).closed()[0] == 4403
    service.follows("/discussions/", alice.token)


@pytest.mark.parametrize("origin", ["https://app.example", "null", "http://localhost:3000", "capacitor://localhost"])
def test_any_origin_may_read_public_streams(service: Live, origin: str) -> None:
    service.follows("/explore/stream/", Origin=origin)


@pytest.mark.parametrize("origin", ["", "example", "https://a/b", "https://a b", "<script>"])
def test_an_origin_that_is_none_is_4403(service: Live, origin: str) -> None:
    assert service.follow("/explore/stream/", Origin=origin).closed()[0] == 4403


def test_a_revoked_token_closes_its_sockets_and_no_others(service: Live) -> None:
    alice, bob = caller("alice"), caller("bob")
    ended = [service.follows("/stream/", alice.token), service.follows("/explore/stream/", alice.token)]
    other = service.follows("/stream/", bob.token)
    revoke_token(token=alice.maker.tokens.get())
    began = time.monotonic()
    assert [reader.closed()[0] for reader in ended] == [4403, 4403]
    assert time.monotonic() - began < 1
    assert other.hears_nothing()
    assert service.follow("/stream/", alice.token).closed()[0] == 4401


def test_a_token_that_is_revoked_while_its_socket_opens_closes_it(
    service: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = caller("alice")
    followed = OwnTaskStream.followed

    def revoked_meanwhile(stream: OwnTaskStream, reader: Any) -> Followed:
        found = followed(stream, reader)
        revoke_token(token=alice.maker.tokens.get())
        time.sleep(0.5)  # the watcher hears of it
        return found

    monkeypatch.setattr(OwnTaskStream, "followed", revoked_meanwhile)
    assert service.follow("/stream/", alice.token).closed()[0] == 4403


def test_a_suspended_maker_and_a_closed_account_are_out(service: Live) -> None:
    alice, bob, charlie = caller("alice"), caller("bob"), caller("charlie")
    readers = [service.follows("/explore/stream/", each.token) for each in (alice, bob, charlie)]
    actions.suspend(maker=alice.maker, kind="out")
    actions.set_open(maker=bob.maker, is_open=False)
    assert [reader.closed()[0] for reader in readers[:2]] == [4403, 4403]
    assert readers[2].hears_nothing()
    assert service.follow("/stream/", alice.token).closed()[0] == 4401


def test_a_read_only_maker_reads_on(service: Live) -> None:
    alice = caller("alice")
    reader = service.follows("/stream/", alice.token)
    actions.suspend(maker=alice.maker, kind="read_only")
    assert reader.hears_nothing()


def test_an_expired_token_closes_at_its_second(service: Live) -> None:
    alice = caller("alice")
    ends = timezone.now() + timedelta(seconds=2)
    _, token = create_token(maker=alice.maker, expires_at=ends)
    reader = service.follows("/stream/", token)
    assert reader.closed()[0] == 4401
    assert abs((timezone.now() - ends).total_seconds()) < 1.2  # a token holds whole seconds


def test_who_leaves_a_team_hears_its_tasks_no_longer(service: Live) -> None:
    alice, bob, charlie = caller("alice"), caller("bob"), caller("charlie")
    team = [bob.maker.pk, charlie.maker.pk]
    product = make_product(alice.maker, "Hive", team=team, private=True)
    left, stays = (service.follows("/products/hive/stream/", each.token) for each in (bob, charlie))
    leave(product=product, maker=bob.maker)
    assert left.closed() == (4403, "You are no longer on this team.")
    assert stays.hears_nothing()


def test_a_ban_of_a_network_closes_exactly_its_sockets_behind_a_proxy(transactional_db: None) -> None:
    with live(trusted=PROXY) as service:
        banned = [from_address(service, f"93.184.216.{last}") for last in (1, 128, 255)]
        spared = [from_address(service, address) for address in ("93.184.215.255", "93.184.217.0")]
        spared.append(service.follows("/explore/stream/"))  # the proxy's own
        actions.ban(network=ip_network("93.184.216.0/24"))
        began = time.monotonic()
        assert [reader.closed()[0] for reader in banned] == [4403] * 3
        assert time.monotonic() - began < 1
        assert service.follow("/explore/stream/", X_Forwarded_For="93.184.216.7").closed()[0] == 4403
        log(caller("alice").maker)
        assert {reader.frame()["type"] for reader in spared} == {"task.created"}


def test_a_ban_of_anonymous_spares_genuine_tokens(transactional_db: None) -> None:
    with live(trusted=PROXY) as service:
        alice = caller("alice")
        known, unknown = from_address(service, "93.184.216.1", alice.token), from_address(service, "93.184.216.1")
        actions.ban(network=ip_network("93.184.216.1/32"), applies_to="anonymous")
        assert unknown.closed()[0] == 4403
        assert known.hears_nothing()


# --- Too many ---


def test_one_client_has_so_many_sockets_and_others_their_own(transactional_db: None) -> None:
    with live(trusted=PROXY, limits=Limits(sockets_per_client=2)) as service:
        first, _ = from_address(service, "93.184.216.1"), from_address(service, "93.184.216.1")
        assert service.follow("/explore/stream/", X_Forwarded_For="93.184.216.1").closed()[0] == 4429
        from_address(service, "93.184.216.2")
        from_address(service, "93.184.216.1", caller("alice").token)
        first.socket.close()
        until(lambda: len(service.door.sockets) == 3)
        from_address(service, "93.184.216.1")


def test_one_maker_has_so_many_sockets_with_all_tokens(transactional_db: None) -> None:
    with live(limits=Limits(sockets_per_maker=2)) as service:
        alice = caller("alice")
        tokens = [create_token(maker=alice.maker)[1] for _ in range(3)]
        for token in tokens[:2]:
            service.follows("/stream/", token)
        assert service.follow("/stream/", tokens[2]).closed()[0] == 4429


def test_while_token_holders_are_about_few_others_may_come_and_go(transactional_db: None) -> None:
    with live(limits=Limits(brief=2, brief_back=0.001)) as service:
        token = caller("alice").token
        for _ in range(3):
            service.follows("/explore/stream/", token)
        staying = [service.follows("/explore/stream/") for _ in range(3)]
        for reader in staying[:2]:
            reader.socket.close()
        until(lambda: len(service.door.sockets) == 4)
        with pytest.raises(InvalidStatus) as refused:
            service.follow("/explore/stream/")
        assert refused.value.response.status_code == 503
        assert refused.value.response.headers["Retry-After"] == "1"
        service.follows(f"/explore/stream/?token={token}")


def test_a_process_full_of_tokens_says_4503(transactional_db: None) -> None:
    with live(limits=Limits(sockets=2)) as service:
        tokens = [caller(name).token for name in ("alice", "bob", "charlie")]
        for token in tokens[:2]:
            service.follows("/stream/", token)
        assert service.follow("/stream/", tokens[2]).closed()[0] == 4503
        assert service.follow("/explore/stream/").closed()[0] == 4503


def test_one_ipv6_48_cannot_take_the_places_of_others(transactional_db: None) -> None:
    with live(trusted=PROXY, limits=Limits(sockets=1_000, sockets_per_client=1)) as service:
        for number in range(SITE_CLIENTS):
            from_address(service, f"2a00:1450:4001:{number:x}::1")
        assert service.follow("/explore/stream/", X_Forwarded_For="2a00:1450:4001:ffff::1").closed()[0] == 4429
        from_address(service, "2a00:1450:4002::1")
        from_address(service, "2a00:1450:4001:ffff::1", caller("alice").token)


def test_one_ipv4_24_cannot_take_the_places_of_others(transactional_db: None) -> None:
    with live(trusted=PROXY, limits=Limits(sockets=1_000, sockets_per_client=1)) as service:
        first, *_ = [from_address(service, f"93.184.216.{number}") for number in range(SITE_CLIENTS)]
        assert service.follow("/explore/stream/", X_Forwarded_For="93.184.216.200").closed()[0] == 4429
        from_address(service, "93.184.217.1")
        first.socket.close()
        until(lambda: len(service.door.sockets) == SITE_CLIENTS)
        from_address(service, "93.184.216.200")


def test_a_makers_own_stream_has_a_place_however_many_read_without_a_token(transactional_db: None) -> None:
    with live(trusted=PROXY, limits=Limits(sockets=4)) as service:
        first, second, *_ = [from_address(service, f"93.184.{number}.1") for number in range(3)]
        assert first.closed()[0] == 4503
        own = [service.follows("/stream/", caller(name).token) for name in ("alice", "bob")]
        service.follows("/stream/", caller("charlie").token)
        assert second.closed()[0] == 4503
        assert all(reader.hears_nothing() for reader in own)


def test_of_the_sockets_without_a_token_the_oldest_makes_room(transactional_db: None) -> None:
    with live(trusted=PROXY, limits=Limits(sockets=4)) as service:
        oldest, older = [from_address(service, f"93.184.{number}.1") for number in range(2)]
        newest = from_address(service, "93.184.9.1")
        assert oldest.closed() == (4503, "The server has no room for another socket; try again in a moment.")
        assert older.hears_nothing()
        assert newest.hears_nothing()
        assert service.door.sockets.evicted == 1


def test_one_ipv6_48_cannot_connect_without_end(transactional_db: None) -> None:
    with live(trusted=PROXY, limits=Limits(connects=1, connects_back=0.001)) as service:
        codes = [
            service.follow("/users/nobody/stream/", X_Forwarded_For=f"2a00:1450:4001:{number:x}::1").closed()[0]
            for number in range(SITE_CLIENTS + 2)
        ]
        assert codes == [4404] * SITE_CLIENTS + [4429] * 2
        assert service.follow("/users/nobody/stream/", X_Forwarded_For="2a00:1450:4002::1").closed()[0] == 4404


def test_whoever_connects_too_often_is_refused_without_a_question_to_the_database(transactional_db: None) -> None:
    with live(limits=Limits(connects=3)) as service:
        codes = [service.follow("/users/nobody/stream/").closed()[0] for _ in range(5)]
        assert codes == [4404, 4404, 4404, 4429, 4429]


def test_whoever_says_too_much_is_closed(transactional_db: None) -> None:
    with live(limits=Limits(messages=5, messages_back=0.1)) as service:
        reader = service.follows("/explore/stream/")
        for _ in range(6):
            reader.socket.send("{}")
        assert reader.closed()[0] == 4429
        until(lambda: service.following == 0)
        pinging = service.follows("/explore/stream/")
        with pytest.raises(ConnectionClosed):  # noqa: PT012  (how many are taken before the close arrives is not said)
            for _ in range(100):
                pinging.socket.ping()
                time.sleep(0.01)
        assert pinging.socket.close_code == 4429


def test_a_message_that_is_too_large_is_1009(service: Live) -> None:
    reader = service.follows("/explore/stream/")
    reader.socket.send("x" * 5_000)
    assert reader.closed()[0] == 1009


def test_a_server_that_stops_says_1001(transactional_db: None) -> None:
    with live(limits=Limits(socket_stop_seconds=0.2)) as service:
        readers = [service.follows("/explore/stream/") for _ in range(5)]
        stack = service.stack.pop_all()  # the clients outlive the server
    with stack:
        assert [reader.closed()[0] for reader in readers] == [1001] * 5


# --- Streams that are switched ---


def test_a_stream_that_is_closed_refuses_and_ends_what_is_open(service: Live) -> None:
    token = caller("alice").token
    closed = [service.follows("/users/alice/stream/"), service.follows("/users/alice/stream/", token)]
    other = service.follows("/explore/stream/")
    switch_route(route="users/<str:maker>/stream/", state="closed", message="Under repair.")
    assert {reader.closed() for reader in closed} == {(4503, "Under repair.")}
    assert service.follow("/users/alice/stream").closed() == (4503, "Under repair.")
    assert other.hears_nothing()
    switch_route(route="users/<str:maker>/stream/", state="open")
    until(lambda: route_switches.of("users/<str:maker>/stream/", time.time()) is None)
    service.follows("/users/alice/stream/")


def test_a_stream_for_tokens_only_ends_the_sockets_of_all_others(service: Live) -> None:
    token = caller("alice").token
    genuine = service.follows("/explore/stream/", token), service.follows(f"/explore/stream/?token={token}")
    nobody = service.follows("/explore/stream/")
    switch_route(route="explore/stream/", state="tokens_only")
    assert nobody.closed()[0] == 4401
    assert service.follow("/explore/stream/").closed()[0] == 4401
    assert all(reader.hears_nothing() for reader in genuine)
    service.follows("/explore/stream/", token)
