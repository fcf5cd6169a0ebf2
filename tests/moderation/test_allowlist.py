"""The allowlist: what no rule and no ban of a range touches, unless it is forced."""

from datetime import timedelta
from io import StringIO
from time import time

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from makerlog.gate.bans import network_of
from moderation import actions
from moderation.guards import Guarded
from moderation.models import AllowlistEntry, AuditEntry, Ban
from moderation.roles import NotAllowed
from moderation.rules import Offence
from moderation.standing import bans, watcher
from tests.makers import make_maker

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("nothing_stands")]
OFFICE, RANGE = "93.184.216.7", "93.184.216.0/24"


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=out)
    watcher.catch_up()
    return out.getvalue()


def is_refused(address: str) -> bool:
    return bans.refusal(address, genuine=False, now=time()) is not None


def test_my_office_passes_a_ban_of_its_range_and_its_neighbours_do_not() -> None:
    run("ban", RANGE)
    assert is_refused(OFFICE)
    run("allowlist", "add", OFFICE, "--note", "our office")
    assert (is_refused(OFFICE), is_refused("93.184.216.8")) == (False, True)
    assert "by a command: our office" in run("allowlist")
    run("allowlist", "remove", OFFICE)
    assert is_refused(OFFICE)
    assert [each.act for each in AuditEntry.objects.order_by("pk")] == ["ban", "allowlist.add", "allowlist.remove"]


def test_only_a_forced_ban_touches_it() -> None:
    run("allowlist", "add", OFFICE, "--note", "our office")
    with pytest.raises(CommandError, match="is on the allowlist"):
        run("ban", OFFICE)
    with pytest.raises(Guarded):
        actions.ban(network=network_of(OFFICE))
    run("ban", RANGE, "--force")
    assert is_refused(OFFICE)


def test_no_rule_bans_it() -> None:
    run("allowlist", "add", OFFICE, "--note", "our office")
    assert actions.act_by_rule(offence=Offence(OFFICE, "enumeration"), dry_run=False) is None
    assert not Ban.objects.exists()


def test_it_ends_at_its_second(time_machine) -> None:
    run("ban", RANGE, "--for", "7d")
    run("allowlist", "add", OFFICE, "--note", "our office", "--for", "1h")
    assert not is_refused(OFFICE)
    time_machine.move_to(timezone.now() + timedelta(hours=1, seconds=1))
    assert is_refused(OFFICE)
    assert run("allowlist") == ""


@pytest.mark.parametrize(("network", "note"), [("93.0.0.0/8", "half of the world"), (OFFICE, ""), ("office", "ours")])
def test_a_mistake_is_one_sentence(network: str, note: str) -> None:
    with pytest.raises(CommandError):
        run("allowlist", "add", network, "--note", note)
    assert not AllowlistEntry.objects.exists()


def test_a_helper_looks_and_changes_nothing() -> None:
    helper = make_maker("hal", is_staff=True)
    with pytest.raises(NotAllowed):
        actions.allow(network=network_of(OFFICE), note_of_it="mine", actor=helper)
    client = Client()
    client.force_login(helper)
    assert client.get("/admin/moderation/allowlistentry/").status_code == 200
    assert client.post("/admin/moderation/allowlistentry/", {"remove": "1"}).status_code == 403


def test_check_ban_does_not_say_that_it_is_banned() -> None:
    run("allowlist", "add", OFFICE, "--note", "our office")
    run("ban", RANGE)
    out = StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("check_ban", OFFICE, stdout=out, stderr=out)
    assert end.value.code == 1
    assert "On the allowlist, by 93.184.216.7/32 (our office)" in out.getvalue()
