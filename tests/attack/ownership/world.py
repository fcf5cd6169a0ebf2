"""Who and what the matrix is about: alice's things, bob's, a team, what is hidden, private, closed, or not there.

Everything that a caller could reach for is really in the database, so that a leak would show.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.contrib.auth.hashers import make_password
from django.utils import timezone

from discussions.actions import change_discussion, change_reply
from makerlog.accounts import actions, links
from makerlog.accounts.models import AccessToken, Maker
from makerlog.accounts.scopes import RESOURCES, SCOPES
from products.actions import invite
from products.models import Product
from tasks.actions import comment, praise
from tests.attack.ownership.snapshot import Snapshot, taken
from tests.discussions.talks import make_discussion, make_reply
from tests.lists.rows import hide
from tests.makers import Caller, anonymous, caller, just_logged_in, make_maker
from tests.products.products import make_product, make_project
from tests.tasks.logs import log

PASSWORD = "kept by all of them"
MISSING = 987_654_321

# alice owns what the table aims at unless it says otherwise; charlie is on the team of her products.
ROLES = {
    "maker": "bob",
    "team": "charlie",
    "moderator": "mona",
    "admin": "ada",
}


@dataclass
class World:
    """``names``: what ``$name`` means in the table. ``callers``: by role; ``narrow``: alice's, by the resource that they may
    not write; ``closed``: with credentials that are good no more, by what is wrong with them. ``rows``: all there is."""

    names: dict[str, Any] = field(default_factory=dict)
    callers: dict[str, Caller] = field(default_factory=dict)
    narrow: dict[str, Caller] = field(default_factory=dict)
    closed: dict[str, Caller] = field(default_factory=dict)
    rows: Snapshot = frozenset()

    def keep(self, **rows: Any) -> None:
        """Names rows by their ids, discussions and products by their slugs."""
        for name, row in rows.items():
            self.names[name] = getattr(row, "slug", row.pk)
            self.names[f"{name}_id"] = row.pk


def build() -> World:
    world = World({"missing": MISSING, "password": PASSWORD})
    people(world)
    log_of_tasks(world)
    shelf(world)
    talk(world)
    tokens_and_links(world)
    make_private(world)
    # Else the first use of a token would be written down, and a refused request would seem to have written.
    AccessToken.objects.update(last_used_at=timezone.now() + timedelta(days=1))
    world.rows = taken()
    return world


def people(world: World) -> None:
    hashed = make_password(PASSWORD)
    for name in ("alice", "bob", "charlie", "pia", "clo"):
        make_maker(name, password=hashed)
    make_maker("mona", password=hashed, is_staff=True, is_moderator=True)
    make_maker("ada", password=hashed, is_staff=True, is_superuser=True)
    make_maker("wanda", password=hashed, is_active=False, awaiting_activation=True)
    for name in ("alice", "bob", "charlie", "pia", "clo", "mona", "ada", "wanda"):
        world.names[name] = maker(name).pk
    for follower, followed in (("alice", "charlie"), ("bob", "alice"), ("pia", "alice"), ("alice", "pia")):
        actions.follow(follower=maker(follower), followed=maker(followed))


def maker(name: str) -> Maker:
    return Maker.objects.get(username=name)


def log_of_tasks(world: World) -> None:
    alice, bob, pia = maker("alice"), maker("bob"), maker("pia")
    task, bobs, hidden, private = (
        log(alice, "Planted", done=True, external_id="x1"),
        log(bob, "Watered", done=True, external_id="x1"),
        log(alice, "Hidden"),
        log(pia, "Private"),
    )
    world.keep(task=task, bobs_task=bobs, hidden_task=hidden, private_task=private)
    world.keep(
        comment=comment(task=task, author=alice, content="Mine"),
        bobs_comment=comment(task=task, author=bob, content="His"),
        far_comment=comment(task=bobs, author=alice, content="Mine, elsewhere"),
        lost_comment=comment(task=private, author=alice, content="Mine, before it was private"),
        comment_in_hiding=comment(task=hidden, author=alice, content="Mine, under what is hidden"),
    )
    hidden_comment = comment(task=task, author=alice, content="Hidden")
    world.keep(hidden_comment=hidden_comment)
    praise(task=task, maker=bob)
    hidden.refresh_from_db()
    hide([hidden, hidden_comment])


def shelf(world: World) -> None:
    """``honey`` is public and ``den`` private, both with charlie on the team; the cellar's tasks are the team's alone."""
    alice, bob, charlie, pia, clo = (maker(name) for name in ("alice", "bob", "charlie", "pia", "clo"))
    attic, cellar = make_project(alice, "attic"), make_project(alice, "cellar", private=True)
    bobs, charlies = make_project(bob, "barn"), make_project(charlie, "shed")
    world.keep(attic=attic, cellar=cellar, bobs_project=bobs, charlies_project=charlies)
    world.keep(secret_project=make_project(bob, "secret", private=True), private_project=make_project(pia, "vault"))
    honey = make_product(alice, "Honey", team=[charlie.pk], projects=[attic.pk, cellar.pk])
    den = make_product(alice, "Den", team=[charlie.pk], private=True)
    hidden = make_product(alice, "Hidden", team=[charlie.pk])
    world.keep(honey=honey, den=den, hidden_product=hidden, bobs_product=make_product(bob, "Barn"))
    world.keep(private_product=make_product(pia, "Vault"), clos_product=make_product(clo, "Closed"))
    hide([hidden])
    invited = invite(product=honey, maker=bob.pk, by=alice)
    asks_alice = invite(product=Product.objects.get(slug="barn"), maker=alice.pk, by=bob)
    world.keep(invitation=invited, my_invitation=asks_alice)
    world.keep(team_task=log(alice, "For the team #cellar"), clos_task=log(clo, "Closed"))


def talk(world: World) -> None:
    alice, bob, pia = maker("alice"), maker("bob"), maker("pia")
    bees, elsewhere, locked = (
        make_discussion(alice, "Bees"),
        make_discussion(bob, "Elsewhere"),
        make_discussion(alice, "Locked"),
    )
    hidden, private = make_discussion(alice, "Hidden"), make_discussion(pia, "Private")
    world.keep(bees=bees, elsewhere=elsewhere, locked=locked, hidden_talk=hidden, private_talk=private)
    world.keep(
        reply=make_reply(bees, alice),
        bobs_reply=make_reply(bees, bob),
        far_reply=make_reply(elsewhere, alice),
        lost_reply=make_reply(private, alice),
        reply_in_hiding=make_reply(hidden, alice),
    )
    hidden_reply = make_reply(bees, alice, "Hidden")
    world.keep(hidden_reply=hidden_reply)
    change_discussion(discussion=locked, locked=True)
    change_discussion(discussion=hidden, hidden=True)
    change_reply(reply=hidden_reply, hidden=True)


def tokens_and_links(world: World) -> None:
    alice, bob, wanda = maker("alice"), maker("bob"), maker("wanda")
    world.keep(token=actions.create_token(maker=alice)[0], bobs_token=actions.create_token(maker=bob)[0])
    actions.log_in(maker=alice)
    world.keep(login=alice.tokens.get(kind=AccessToken.Kind.LOGIN))
    world.names |= {"alice_uid": links.uid_of(alice), "bob_uid": links.uid_of(bob), "wanda_uid": links.uid_of(wanda)}
    world.names["reset"] = links.reset_tokens.make_token(alice)
    world.names["activation"] = links.activation_tokens.make_token(wanda)
    wish = actions.request_email_change(maker=alice, email="wish@example.com")
    world.names["wish"] = links.email_tokens.make_token(wish)
    world.callers = {"owner": just_logged_in("alice"), "app": caller("alice"), "anonymous": anonymous()}
    world.callers |= {role: just_logged_in(name) for role, name in ROLES.items()}
    AccessToken.objects.filter(maker__is_staff=True).update(second_factor=True)
    world.narrow = {
        resource: caller("alice", scopes=[scope for scope in SCOPES if scope != f"{resource}:write"])
        for resource in RESOURCES
    }


def make_private(world: World) -> None:
    """Last of all, so that pia and clo could be met before."""
    actions.update_profile(maker=maker("pia"), private=True)
    world.closed = {"account_closed": caller("clo"), "expired": caller(), "revoked": caller(), "made up": caller()}
    newest = AccessToken.objects.filter(maker=world.names["alice"]).order_by("-id")
    expired, revoked, made_up = reversed(newest[:3])
    AccessToken.objects.filter(pk=expired.pk).update(expires_at=timezone.now())
    actions.revoke_token(token=revoked)
    made_up.delete()
    Maker.objects.filter(username="clo").update(is_active=False)
