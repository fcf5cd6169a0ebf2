"""Nobody is put on a team: they are invited, and accept.

GET POST /products/{slug}/invitations/, DELETE .../{id}/, GET /me/invitations/, POST /me/invitations/{id}/accept|decline/
"""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from makerlog.accounts.models import Maker
from makerlog.api.limits import LIMITS
from products import actions, models
from products.models import INVITED_FOR, Invitation, Membership, Product
from products.purges import purge_invitations
from tests.errors import assert_error, assert_invalid
from tests.lists.rows import hide
from tests.makers import Caller, anonymous, caller, make_maker
from tests.products.products import make_product

pytestmark = pytest.mark.django_db
INVITATIONS = "/products/honey/invitations/"


@pytest.fixture
def alice() -> Caller:
    return caller("alice")


@pytest.fixture
def honey(alice: Caller) -> Product:
    return make_product(alice.maker)


def invite(client: Caller, name: Any) -> Any:
    return client.post(INVITATIONS, {"user": name}, format="json")


def team() -> list[str]:
    places = Membership.objects.filter(product__slug="honey", owner=False).order_by("pk")
    return list(places.values_list("maker__username", flat=True))


def answer(client: Caller, word: str) -> Any:
    [invitation] = client.get("/me/invitations/").json()
    return client.post(f"/me/invitations/{invitation['id']}/{word}/")


def test_a_team_in_the_body_puts_nobody_on_it_who_has_not_agreed(alice: Caller) -> None:
    bob = caller("bob")
    made = alice.post("/products/", {"name": "Honey", "team": [bob.maker.pk]}, format="json").json()
    assert (made["team"], team()) == ([], [])
    assert bob.get("/products/me/").json() == []
    assert answer(bob, "accept").json() == {"success": True}
    assert alice.get("/products/honey/").json()["team"] == [bob.maker.pk]
    assert [each["slug"] for each in bob.get("/products/me/").json()] == ["honey"]
    assert bob.get("/me/invitations/").json() == []


def test_an_invitation_says_who_invites_and_to_what(alice: Caller, honey: Product) -> None:
    bob = caller("bob")
    made = invite(alice, "BOB")
    assert made.status_code == 201
    assert made.json().keys() == {"id", "user", "invited_by", "created_at", "expires_at"}
    assert (made.json()["user"]["username"], made.json()["invited_by"]) == ("bob", alice.maker.pk)
    [mine] = bob.get("/me/invitations/").json()
    assert (mine["id"], mine["product"]["slug"], mine["invited_by"]["username"]) == (
        made.json()["id"],
        "honey",
        "alice",
    )
    assert [each["id"] for each in alice.get(INVITATIONS).json()] == [mine["id"]]
    assert invite(alice, bob.maker.pk).json()["id"] == mine["id"]


def test_the_team_invites_too_and_nobody_else_reads_who_is_invited(alice: Caller) -> None:
    bob, charlie, dora = caller("bob"), caller("charlie"), make_maker("dora")
    make_product(alice.maker, team=[bob.maker.pk])
    assert invite(bob, "dora").status_code == 201
    for client in (charlie, caller("dora")):
        assert_error(client.get(INVITATIONS), 403, "not_yours")
        assert_error(invite(client, "charlie"), 403, "not_yours")
    assert_error(anonymous().get(INVITATIONS), 401, "not_authenticated")
    assert_error(invite(alice, "bob"), 409, "on_the_team")
    assert Invitation.objects.get().maker == dora


def test_one_who_declined_is_not_asked_again_for_a_month(alice: Caller, honey: Product) -> None:
    bob = caller("bob")
    invite(alice, "bob")
    assert answer(bob, "decline").status_code == 200
    assert_invalid(invite(alice, "bob"), "user")
    assert_invalid(alice.patch("/products/honey/", {"team": [bob.maker.pk]}, format="json"), "team")
    assert bob.get("/me/invitations/").json() == []
    Invitation.objects.update(expires_at=timezone.now())
    assert invite(alice, "bob").status_code == 201
    assert answer(bob, "accept").status_code == 200


def test_one_who_left_is_not_added_again(alice: Caller) -> None:
    bob = caller("bob")
    make_product(alice.maker, team=[bob.maker.pk])
    assert bob.post("/products/honey/leave/").status_code == 200
    assert_invalid(alice.patch("/products/honey/", {"team": [bob.maker.pk]}, format="json"), "team")
    assert_invalid(invite(alice, "bob"), "user")
    assert (team(), bob.get("/me/invitations/").json()) == ([], [])


def test_an_app_that_sends_the_team_as_it_read_it_asks_nobody_and_takes_nothing_back(alice: Caller) -> None:
    bob, charlie = caller("bob"), caller("charlie")
    make_product(alice.maker, team=[bob.maker.pk])
    invite(alice, "charlie")
    whole = alice.get("/products/honey/").json()
    assert alice.put("/products/honey/", {**whole, "name": "Honey!"}, format="json").status_code == 200
    assert (team(), len(charlie.get("/me/invitations/").json())) == (["bob"], 1)


def test_the_owner_still_removes_members(alice: Caller) -> None:
    bob, charlie = caller("bob"), caller("charlie")
    make_product(alice.maker, team=[bob.maker.pk, charlie.maker.pk])
    assert alice.patch("/products/honey/", {"team": [bob.maker.pk]}, format="json").json()["team"] == [bob.maker.pk]
    assert invite(alice, "charlie").status_code == 201  # was put out, and did not leave


def test_an_invitation_is_taken_back(alice: Caller, honey: Product) -> None:
    bob = caller("bob")
    made = invite(alice, "bob").json()
    assert alice.delete(f"{INVITATIONS}{made['id']}/").status_code == 204
    assert_error(bob.post(f"/me/invitations/{made['id']}/accept/"), 404, "not_found")
    assert_error(alice.delete(f"{INVITATIONS}{made['id']}/"), 404, "not_found")


def test_an_invitation_is_answered_by_the_one_it_is_for_and_once(alice: Caller, honey: Product) -> None:
    bob, charlie = caller("bob"), caller("charlie")
    made = invite(alice, "bob").json()
    for word in ("accept", "decline"):
        assert_error(charlie.post(f"/me/invitations/{made['id']}/{word}/"), 404, "not_found")
    assert bob.post(f"/me/invitations/{made['id']}/accept/").status_code == 200
    assert_error(bob.post(f"/me/invitations/{made['id']}/accept/"), 404, "not_found")
    assert team() == ["bob"]


def test_what_moderation_hid_invites_nobody(alice: Caller, honey: Product) -> None:
    bob = caller("bob")
    made = invite(alice, "bob").json()
    hide([honey])
    assert bob.get("/me/invitations/").json() == []
    assert_error(bob.post(f"/me/invitations/{made['id']}/accept/"), 404, "not_found")


def test_a_private_product_is_told_to_those_invited_and_read_by_them_once_they_accept(alice: Caller) -> None:
    bob = caller("bob")
    make_product(alice.maker, private=True)
    invite(alice, "bob")
    assert_error(bob.get("/products/honey/"), 404, "not_found")
    assert answer(bob, "accept").status_code == 200
    assert bob.get("/products/honey/").status_code == 200
    assert not Membership.objects.get(maker=bob.maker).listed


def test_a_team_with_those_invited_has_a_most(alice: Caller, honey: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "MAX_TEAM", 2)
    for name in ("bob", "charlie", "dora"):
        make_maker(name)
    assert [invite(alice, name).status_code for name in ("bob", "charlie")] == [201, 201]
    assert_invalid(invite(alice, "dora"), "user")


def test_a_maker_has_a_most_of_open_invitations(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "MAX_INVITATIONS", 1)
    bob = caller("bob")
    make_product(alice.maker)
    make_product(alice.maker, "Hive")
    assert invite(alice, "bob").status_code == 201
    sent = {"user": "bob"}
    assert_invalid(alice.post("/products/hive/invitations/", sent), "user")
    answer(bob, "decline")
    assert alice.post("/products/hive/invitations/", sent).status_code == 201


def test_so_many_are_invited_in_a_day_and_no_more(alice: Caller, honey: Product) -> None:
    limit, everybody = LIMITS["invitation"], [make_maker(f"maker{number}").pk for number in range(50)]
    first = alice.post("/products/", {"name": "One", "team": everybody}, format="json")
    assert f'"invitation";r={limit.burst - 50}' in first["RateLimit"]
    assert alice.post("/products/", {"name": "Two", "team": everybody}, format="json").status_code == 201
    assert_error(alice.post("/products/", {"name": "Three", "team": everybody}, format="json"), 429, "throttled")
    assert '"invitation"' not in alice.post("/products/", {"name": "Four"})["RateLimit"]
    assert '"invitation"' not in alice.patch("/products/one/", {"team": everybody}, format="json")["RateLimit"]


@pytest.mark.parametrize("name", ["nobody", "", None, 0, "a\x00b", "closed", [1], {"id": 1}])
def test_nobody_of_that_name_is_a_400(alice: Caller, honey: Product, name: Any) -> None:
    make_maker("closed", is_active=False)
    assert_invalid(invite(alice, name), "user")


def test_what_is_over_is_not_there_and_goes(alice: Caller, honey: Product) -> None:
    bob = caller("bob")
    made = invite(alice, "bob").json()
    assert purge_invitations() == 0
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert (bob.get("/me/invitations/").json(), alice.get(INVITATIONS).json()) == ([], [])
    assert_error(bob.post(f"/me/invitations/{made['id']}/accept/"), 404, "not_found")
    assert (purge_invitations(), Invitation.objects.count()) == (1, 0)


def test_it_goes_with_the_product_and_with_either_of_the_two(alice: Caller, honey: Product) -> None:
    bob = caller("bob")
    invite(alice, "bob")
    Invitation.objects.update(invited_by=make_maker("dora"))
    Maker.objects.get(username="dora").delete()
    assert bob.get("/me/invitations/").json()[0]["invited_by"] is None
    actions.delete_product(product=honey, maker=alice.maker)
    assert not Invitation.objects.exists()


def test_it_takes_a_token_that_may(alice: Caller, honey: Product) -> None:
    bob = caller("bob")
    made = invite(alice, "bob").json()
    reader = caller("bob", scopes=["products:read"])
    assert reader.get("/me/invitations/").status_code == 200
    assert_error(reader.post(f"/me/invitations/{made['id']}/accept/"), 403, "missing_scope")
    assert_error(caller("bob", scopes=["tasks:write"]).get("/me/invitations/"), 403, "missing_scope")
    assert_error(anonymous().get("/me/invitations/"), 401, "not_authenticated")
    assert bob.get("/me/invitations/").status_code == 200


def test_the_month_is_the_one_that_is_said() -> None:
    assert models.in_a_while() - timezone.now() <= INVITED_FOR == timedelta(days=30)
