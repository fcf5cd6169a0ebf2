"""ban, unban, bans and check_ban, as an operator types them."""

import os
import socket
import time
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from makerlog.changes.journal import latest
from makerlog.changes.models import Process
from makerlog.gate.bans import network_of
from makerlog.gate.notes import FORWARDED
from moderation import traffic
from moderation.models import Ban, Lockdown, RouteSwitch

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_called():
    for key in traffic.store.scan_iter("traffic:*"):
        traffic.store.delete(key)


def run(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out, stderr=out)
    return out.getvalue()


def standing() -> list[str]:
    return list(Ban.objects.standing().order_by("pk").values_list("network", flat=True))


def process(pid: int, **values: Any) -> Process:
    now = timezone.now()
    given = {
        "host": "elsewhere",
        "started_at": now,
        "version": latest(),
        "reached": [[latest(), time.time()]],
        **values,
    }
    return Process.objects.create(id=uuid4(), pid=pid, **given)


# --- ban ---


def test_a_ban_says_whom_it_would_have_hit_and_stands() -> None:
    traffic.tell({int(time.time()) // 60: {"93.184.216.7": 12}})
    said = run("ban", "93.184.216.0/24", "--for", "2h", "--applies-to", "anonymous", "--reason", "flood", "--public")
    assert "would have hit at least 12 requests from 1 addresses; genuine tokens: 0." in said
    ban = Ban.objects.get()
    assert f"Ban {ban.pk}: 93.184.216.0/24 (anonymous) until" in said
    assert (ban.reason, ban.reason_is_public, ban.author) == ("flood", True, None)
    assert ban.expires_at is not None
    assert abs(ban.expires_at - timezone.now() - timedelta(hours=2)) < timedelta(seconds=10)


def test_a_preview_bans_nobody_and_names_the_guard_rails() -> None:
    said = run("ban", "10.0.0.1", "--preview")
    assert "would have hit at least 0 requests" in said
    assert "10.0.0.1/32 meets 10.0.0.0/8, which is private." in said
    assert "Nothing was banned" in said
    assert standing() == []


def test_the_guard_rails_refuse_with_their_sentences_unless_forced(monkeypatch) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "93.184.216.7 50000 94.0.0.1 22")
    with pytest.raises(CommandError, match=r"93.184.216.7 is your own address.*\n--force"):
        run("ban", "93.184.0.0/16")
    assert standing() == []
    run("ban", "93.184.0.0/16", "--force")
    assert standing() == ["93.184.0.0/16"]


def test_a_proxy_that_nobody_trusts_is_said_loudly() -> None:
    traffic.tell({int(time.time()) // 60: {FORWARDED: 7}})
    assert "7 requests of the last ten minutes say that a proxy forwarded them" in run("ban", "93.184.216.7")


def test_redis_away_is_said_and_the_ban_stands(monkeypatch) -> None:
    monkeypatch.setattr(traffic, "store", traffic.client("redis://127.0.0.1:1/0"))
    assert traffic.AWAY in run("ban", "93.184.216.7")
    assert standing() == ["93.184.216.7/32"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["example.com"], "'example.com' is no address or range"),
        (["93.184.216.7/24"], "has host bits set"),
        (["93.184.216.7", "--for", "soon"], "'soon' is no duration"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        run("ban", *arguments)


# --- unban ---


def test_bans_are_lifted_by_network_address_and_id() -> None:
    for text in ["93.184.216.7", "93.184.217.0/24", "2a00:1450::7"]:
        run("ban", text)
    number = str(Ban.objects.get(network="93.184.217.0/24").pk)
    said = run("unban", "93.184.216.7", number, "2a00:1450::8", "--reason", "a mistake")
    assert said.count("Lifted ban") == 3
    assert standing() == []


def test_where_one_is_not_found_none_is_lifted() -> None:
    run("ban", "93.184.216.0/24")
    with pytest.raises(
        CommandError, match=r"93.184.216.7/32 is not banned by itself; ban \d+ of 93.184.216.0/24 covers it"
    ):
        run("unban", "93.184.216.0/24", "93.184.216.7")
    for text in ["0", "99999999999999999999"]:
        with pytest.raises(CommandError, match=f"No ban {text} stands"):
            run("unban", text)
    assert standing() == ["93.184.216.0/24"]


# --- bans ---


def test_bans_are_listed_for_people_for_nginx_and_for_scripts() -> None:
    run("ban", "93.184.216.7", "--reason", "flood", "--applies-to", "everything", "--for", "good")
    run("ban", "93.184.217.0/24", "--applies-to", "anonymous")
    run("ban", "93.184.218.0/24")
    run("unban", "93.184.218.0/24")
    assert run("bans", "--format", "plain").split() == ["93.184.217.0/24", "93.184.216.7/32"]
    assert run("bans", "--format", "nginx") == "deny 93.184.216.7/32;\n"
    assert run("bans", "--format", "plain", "--expired").split() == ["93.184.218.0/24"]
    assert len(run("bans", "--all", "--limit", "2").splitlines()) == 3
    first, row, *_ = run("bans", "--all").splitlines()[0::3]
    assert "applies to" in first
    assert row.split()[1:4] == ["93.184.216.7/32", "everything", "-"]
    assert row.endswith("manual flood")


def test_the_table_is_streamed(django_assert_max_num_queries) -> None:
    for number in range(5):
        run("ban", f"93.184.216.{number}")
    with django_assert_max_num_queries(3):
        assert run("bans", "--format", "plain").count("\n") == 5


# --- check_ban ---


def check(address: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("check_ban", address, stdout=out, stderr=out)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    return 0, out.getvalue()


def test_a_ban_that_all_processes_enforce() -> None:
    run("ban", "93.184.216.0/24")
    process(101)
    process(102)
    code, said = check("93.184.216.7")
    assert code == 0
    assert said.count("in force since") == 2


def test_no_ban_and_those_that_are_over() -> None:
    run("ban", "93.184.216.7")
    run("unban", "93.184.216.7")
    Ban.objects.create(
        network="93.184.216.0/24", family=4, low=0, high=0, expires_at=timezone.now() - timedelta(seconds=1)
    )
    code, said = check("93.184.216.7")
    assert code == 1
    assert "; lifted 2" in said
    assert "; expired 2" in said
    assert "No ban of 93.184.216.7/32 stands." in said


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"version": 0, "reached": []}, "has not heard of it yet"),
        ({"seen_at": timezone.now() - timedelta(minutes=5)}, "lost; last heard of at"),
    ],
)
def test_a_process_that_does_not_enforce_it_is_named(values: dict[str, Any], sentence: str) -> None:
    run("ban", "93.184.216.7")
    process(101)
    process(102, **values)
    code, said = check("93.184.216.7")
    assert code == 2
    assert f"process 102 on elsewhere: {sentence}" in said


def test_a_process_that_died_on_this_machine_is_not_waited_for() -> None:
    run("ban", "93.184.216.7")
    ages_ago = timezone.now() - timedelta(minutes=5)
    process(101)
    process(2**22 + 1, host=socket.gethostname(), seen_at=ages_ago)
    assert check("93.184.216.7")[0] == 0
    process(os.getpid(), host=socket.gethostname(), seen_at=ages_ago)
    assert check("93.184.216.7")[0] == 2


def test_the_bans_of_an_address_are_looked_up_by_index() -> None:
    plan = Ban.objects.covering(network_of("2a00:1450:1::7")).explain()
    assert "Index Scan using ban_by_network" in plan or "one_standing_ban_per_network" in plan
    assert "Filter" not in plan


# --- One default everywhere ---


def lasts_an_hour(end: Any) -> bool:
    return abs(end - timezone.now() - timedelta(hours=1)) < timedelta(seconds=30)


def test_a_ban_a_switch_and_a_level_hold_for_an_hour_and_tokens_pass_unless_i_say_otherwise() -> None:
    run("ban", "93.184.216.7")
    run("route", "tasks/", "closed")
    run("lockdown", "guarded")
    ban = Ban.objects.get()
    assert ban.applies_to == "anonymous"
    assert lasts_an_hour(ban.expires_at)
    assert lasts_an_hour(RouteSwitch.objects.get().expires_at)
    assert lasts_an_hour(Lockdown.objects.get().expires_at)


def test_for_good_and_everything_are_choices() -> None:
    run("ban", "93.184.216.7", "--for", "good", "--applies-to", "everything")
    run("route", "tasks/", "closed", "--for", "good")
    run("lockdown", "guarded", "--for", "good")
    ban = Ban.objects.get()
    assert (ban.applies_to, ban.expires_at) == ("everything", None)
    assert RouteSwitch.objects.get().expires_at is None
    assert Lockdown.objects.get().expires_at is None
    run("route", "tasks/", "open")
    run("lockdown", "normal")
    assert RouteSwitch.objects.get().expires_at is None


# --- A proxy that TRUSTED_PROXIES does not name ---


def checked(address: str) -> tuple[str, int]:
    """What check_ban says, and its exit code."""
    out = StringIO()
    try:
        call_command("check_ban", address, stdout=out, stderr=out)
    except SystemExit as end:
        return out.getvalue(), int(str(end.code))
    return out.getvalue(), 0


def test_check_ban_does_not_certify_a_ban_while_a_proxy_that_nobody_trusts_forwards(settings: Any) -> None:
    settings.TRUSTED_PROXIES = [network_of("10.9.9.9")]
    run("ban", "93.184.216.7")
    ban = Ban.objects.get()
    process(1)
    assert checked("93.184.216.7")[1] == 0
    minute = int(time.time()) // 60
    counts = {FORWARDED: 7, f"{FORWARDED} 172.17.0.1": 7, f"{FORWARDED} ban:{ban.pk}": 5, "172.17.0.1": 7}
    traffic.tell({minute: counts})
    said, code = checked("93.184.216.7")
    assert code == 1
    assert "TRUSTED_PROXIES does not name it (172.17.0.1)" in said
    assert "It bites nowhere: it has refused nobody, and 5 requests" in said
    assert "at least 7 requests from 1 addresses" in run("ban", "172.17.0.1", "--preview"), "no peer counts as a caller"
