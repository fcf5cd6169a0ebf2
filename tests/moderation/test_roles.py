"""The table of roles."""

import pytest

from makerlog.accounts.models import Maker
from moderation.roles import NEEDS, NotAllowed, Role, may, require, role_of

NOBODY = Maker(username="bob", is_moderator=True)
HELPER = Maker(username="helen", is_staff=True)
MODERATOR = Maker(username="mo", is_staff=True, is_moderator=True)
ADMIN = Maker(username="ada", is_staff=True, is_superuser=True)
GONE = Maker(username="gone", is_staff=True, is_superuser=True, is_active=False)


@pytest.mark.parametrize(
    ("actor", "role"),
    [
        (NOBODY, Role.NONE),
        (HELPER, Role.HELPER),
        (MODERATOR, Role.MODERATOR),
        (ADMIN, Role.ADMIN),
        (GONE, Role.NONE),
        (None, Role.ADMIN),
    ],
    ids=["maker", "helper", "moderator", "admin", "closed account", "command"],
)
def test_a_role_is_read_off_the_flags(actor: Maker | None, role: Role) -> None:
    assert role_of(actor) == role


def test_who_may_do_what() -> None:
    by_role = {
        actor.username: {act for act in NEEDS if may(actor, act)} for actor in (NOBODY, HELPER, MODERATOR, ADMIN)
    }
    helper = {"look", "ban.briefly", "lift.own", "warn"}
    moderator = helper | {"ban", "lift", "hide", "badge", "suspend", "revoke", "lockdown"}
    assert by_role == {"bob": set(), "helen": helper, "mo": moderator, "ada": set(NEEDS)}


def test_who_may_not_is_told_which_role_it_takes() -> None:
    require(ADMIN, "force")
    with pytest.raises(NotAllowed, match=r"This takes the role admin \(force\)\."):
        require(MODERATOR, "force")
