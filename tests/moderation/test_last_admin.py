"""The last admin stays, whichever way somebody comes: by page, by command, by API, or two at once."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from makerlog.accounts import actions as accounts
from makerlog.accounts.models import Maker
from makerlog.api.exceptions import Conflict
from moderation import actions
from moderation.models import AuditEntry
from moderation.roles import Role
from tests.errors import assert_error
from tests.makers import just_logged_in, make_maker
from tests.moderation.test_people_admin import act, signed_in
from tests.products.test_races import in_thread, wait_until_somebody_waits

WAYS = [
    lambda maker, actor: actions.suspend(maker=maker, actor=actor),
    lambda maker, actor: actions.suspend(maker=maker, actor=actor, kind="out"),
    lambda maker, actor: actions.set_open(maker=maker, actor=actor, is_open=False),
    lambda maker, actor: actions.set_role(maker=maker, actor=actor, role=Role.MODERATOR),
    lambda maker, actor: accounts.delete_account(maker=maker),
]


def make_admin(name: str, **values: Any) -> Maker:
    return make_maker(name, is_staff=True, is_superuser=True, **values)


def admins() -> list[str]:
    able = Maker.objects.filter(is_superuser=True, is_active=True, suspended="")
    return list(able.order_by("username").values_list("username", flat=True))


@pytest.mark.django_db
@pytest.mark.parametrize("way", WAYS)
def test_the_last_admin_is_neither_suspended_nor_closed_nor_demoted_nor_deleted(way: Any) -> None:
    ada = make_admin("ada")
    actions.suspend(maker=make_admin("out"))
    actions.set_open(maker=make_admin("closed"), is_open=False)
    entries = AuditEntry.objects.count()
    with pytest.raises(Conflict, match="the last admin"):
        way(ada, None)
    assert (admins(), AuditEntry.objects.count()) == (["ada"], entries)


@pytest.mark.django_db
@pytest.mark.parametrize("way", WAYS)
def test_one_admin_of_two_can_go(way: Any) -> None:
    way(make_admin("ada"), make_admin("bea"))
    assert admins() == ["bea"]


@pytest.mark.django_db
def test_the_command_says_why_the_last_admin_cannot_be_suspended() -> None:
    make_admin("ada")
    with pytest.raises(CommandError, match="make somebody else an admin first"):
        call_command("suspend", "ada", "--for", "2h", stdout=StringIO())
    assert admins() == ["ada"]


@pytest.mark.django_db
def test_the_last_admin_cannot_delete_their_account_by_api() -> None:
    make_admin("ada")
    client = just_logged_in("ada")
    assert_error(client.post("/accounts/delete_account/", {"validation": "ada"}), 409, "last_admin")
    assert admins() == ["ada"]


@pytest.mark.django_db
def test_the_page_says_why_the_last_admin_stays() -> None:
    """Whose own rights were taken a moment ago, while the page was open."""
    ada, client = make_admin("ada"), signed_in(Role.ADMIN)
    other = Maker.objects.get(username="admin")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("moderation.people_admin.actions.set_open", racing(other, actions.set_open))
        assert "the last admin" in act(client, ada, "close")
    assert admins() == ["ada"]


def racing(other: Maker, step: Any) -> Any:
    def run(**values: Any) -> Any:
        actions.suspend(maker=other)
        return step(**values)

    return run


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("first", WAYS)
@pytest.mark.parametrize("second", WAYS)
def test_two_admins_who_put_each_other_out_at_once_leave_one(first: Any, second: Any) -> None:
    ada, bea = make_admin("ada"), make_admin("bea")
    with transaction.atomic():
        first(ada, bea)
        other = in_thread(quietly, way=second, maker=bea, actor=ada)
        wait_until_somebody_waits()
    other.join(5)
    assert admins() == ["bea"]


def quietly(way: Any, maker: Maker, actor: Maker) -> None:
    try:
        way(maker, actor)
    except Conflict as error:
        assert "the last admin" in str(error)  # noqa: PT017
