"""Tokens revoked by moderation: chosen, shown, revoked, noted and told."""

import ipaddress
import json
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO, TextIOWrapper
from typing import Any
from urllib.parse import quote

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from makerlog.accounts import actions as accounts
from makerlog.accounts import tokens
from makerlog.accounts.models import AccessToken
from makerlog.changes.models import Change
from makerlog.jobs.models import Job
from moderation import actions
from moderation.leaks import MOST_BYTES, TextTooLong, leak
from moderation.models import AuditEntry
from moderation.revocation import NothingChosen, Selection
from moderation.roles import NotAllowed, Role
from tests.errors import assert_error
from tests.jobs.queue import run_jobs
from tests.makers import Caller, caller, make_maker

pytestmark = pytest.mark.django_db


def used_from(client: Caller, address: str) -> None:
    client.get("/tasks/", REMOTE_ADDR=address)


def owners(selection: Selection) -> list[str]:
    pks = [row.pk for row in selection.chosen().rows]
    return sorted(AccessToken.objects.filter(pk__in=pks).values_list("maker__username", flat=True))


def network(text: str) -> Any:
    return ipaddress.ip_network(text)


# --- Choosing ---


def test_a_token_is_chosen_by_its_public_id_its_prefix_or_its_whole_text() -> None:
    alice, _ = caller("alice"), caller("bob")
    kept = alice.maker.tokens.get()
    for text in (kept.public_id, kept.prefix, str(kept), alice.token, f" {kept.prefix}_ "):
        assert owners(Selection(token=text)) == ["alice"]


@pytest.mark.parametrize("text", ["mkl_", "mkl_short", "x" * 60, "mkl_" + "0" * 11 + "_" + "0" * 45])
def test_what_is_no_token_of_ours_is_said_to_be_none(text: str) -> None:
    with pytest.raises(NothingChosen):
        Selection(token=text).chosen()


def test_tokens_are_chosen_by_where_they_were_last_used_from() -> None:
    for name, address in [("alice", "93.184.216.7"), ("bob", "93.184.217.7"), ("carl", "2a00:1450::7"), ("dora", "")]:
        client = caller(name)
        if address:
            used_from(client, address)
    assert owners(Selection(network=network("93.184.216.0/24"))) == ["alice"]
    assert owners(Selection(network=network("93.184.216.0/23"))) == ["alice", "bob"]
    assert owners(Selection(network=network("2a00:1450::/32"))) == ["carl"]
    assert owners(Selection(network=network("93.184.216.7/32"))) == ["alice"]


def test_everything_given_counts_at_once_and_what_has_ended_is_not_chosen() -> None:
    alice, bob = caller("alice"), caller("bob")
    accounts.log_in(maker=alice.maker)
    used_from(alice, "93.184.216.7")
    used_from(bob, "93.184.216.7")
    here = network("93.184.216.7/32")
    assert owners(Selection(maker=alice.maker)) == ["alice", "alice"]
    assert owners(Selection(maker=alice.maker, kinds=("login",))) == ["alice"]
    assert owners(Selection(maker=alice.maker, network=here)) == ["alice"]
    assert owners(Selection(maker=alice.maker, network=here, kinds=("login",))) == []
    now = timezone.now()
    assert owners(Selection(issued=(now - timedelta(hours=1), now))) == ["alice", "alice", "bob"]
    assert owners(Selection(issued=(now - timedelta(hours=2), now - timedelta(hours=1)))) == []
    accounts.revoke_token(token=bob.maker.tokens.get())
    assert owners(Selection(network=here)) == ["alice"]
    alice.maker.tokens.update(expires_at=now)
    assert owners(Selection(network=here)) == []


@pytest.mark.parametrize("kinds", [(), ("login",)])
def test_nothing_given_is_not_everything(kinds: tuple[str, ...]) -> None:
    caller()
    with pytest.raises(NothingChosen):
        Selection(kinds=kinds).chosen()


def test_an_act_takes_so_many_and_says_that_there_are_more() -> None:
    alice = caller()
    accounts.create_token(maker=alice.maker)
    assert [len(Selection(maker=alice.maker).chosen(most=n).rows) for n in (1, 2)] == [1, 2]
    assert [Selection(maker=alice.maker).chosen(most=n).more for n in (1, 2)] == [True, False]


def test_the_preview_counts_makers_and_late_uses_in_two_queries(django_assert_num_queries: Any) -> None:
    alice, bob = caller("alice"), caller("bob")
    used_from(bob, "93.184.216.7")
    AccessToken.objects.filter(maker=alice.maker).update(last_used_at=timezone.now() - timedelta(minutes=11))
    now = timezone.now()
    with django_assert_num_queries(2):
        chosen = Selection(issued=(now - timedelta(hours=1), now)).chosen()
        assert (len(chosen.rows), len(chosen.makers), chosen.used_lately) == (2, 2, 1)
        assert [token.maker.username for token in chosen.sample] == ["bob", "alice"]


# --- Revoking ---


def test_what_was_chosen_is_revoked_in_batches_noted_once_and_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "BATCH", 2)
    mo = actions.set_role(maker=make_maker("mo"), role=Role.MODERATOR)
    alice, bob = caller("alice"), caller("bob")
    for _ in range(4):
        accounts.create_token(maker=alice.maker, name="app")
    chosen = Selection(maker=alice.maker).chosen()
    done = actions.revoke_tokens(chosen=chosen, actor=mo, reason="it flooded the feed")
    assert (done.tokens, done.told, done.untold) == (5, 1, 0)
    assert set(alice.maker.tokens.values_list("revoked_because", flat=True)) == {"it flooded the feed"}
    assert set(Change.objects.filter(topic="token").values_list("key", flat=True)) == {
        row.public_id for row in chosen.rows
    }
    entry = AuditEntry.objects.get(act="revoke")
    assert (entry.subject, entry.actor_id, entry.reason) == (f"maker:{alice.maker.pk}", mo.pk, "it flooded the feed")
    assert entry.details == {"tokens": 5, "makers": 1}
    assert_error(alice.get("/tasks/"), 401, "token_revoked")
    assert bob.get("/tasks/").status_code == 200


def test_the_audit_log_names_nobody() -> None:
    alice = caller()
    used_from(alice, "93.184.216.7")
    actions.revoke_tokens(chosen=Selection(network=network("93.184.216.7/32")).chosen())
    entry = AuditEntry.objects.get(act="revoke")
    assert (entry.subject, entry.details) == ("tokens", {"tokens": 1, "makers": 1, "network": "an IPv4 /32"})


def test_a_helper_may_not() -> None:
    helper = actions.set_role(maker=make_maker("helen"), role=Role.HELPER)
    alice = caller()
    with pytest.raises(NotAllowed):
        actions.revoke_tokens(chosen=Selection(maker=alice.maker).chosen(), actor=helper)
    assert alice.get("/tasks/").status_code == 200


def test_an_owner_is_told_once_with_what_they_call_their_tokens_and_why(mailoutbox: Any) -> None:
    alice = caller()
    accounts.create_token(maker=alice.maker, name="my app")
    actions.revoke_tokens(chosen=Selection(maker=alice.maker).chosen(), reason="it flooded the feed")
    run_jobs()
    (mail,) = mailoutbox
    assert mail.to == ["alice@example.com"]
    assert "2 of your tokens were revoked" in mail.body
    assert f"{alice.maker.tokens.get(name='my app').prefix} my app" in mail.body
    assert "Why: it flooded the feed." in mail.body
    assert alice.token not in mail.body


def test_a_mail_names_ten_tokens_and_counts_the_others(mailoutbox: Any) -> None:
    alice = caller()
    for _ in range(11):
        accounts.create_token(maker=alice.maker)
    actions.revoke_tokens(chosen=Selection(maker=alice.maker).chosen())
    run_jobs()
    assert mailoutbox[0].body.count("mkl_") == 10
    assert "and 2 more" in mailoutbox[0].body


def test_those_without_an_address_are_counted(mailoutbox: Any) -> None:
    for name in ("alice", "bob", "carl", "dora"):
        used_from(caller(name), "93.184.216.7")
    type(caller("dora").maker).objects.filter(username="dora").update(email="")
    done = actions.revoke_tokens(chosen=Selection(network=network("93.184.216.7/32")).chosen())
    assert (done.tokens, done.told, done.untold) == (4, 3, 1)
    run_jobs()
    assert len(mailoutbox) == 3


def test_what_waits_to_be_told_holds_ids_alone() -> None:
    alice = caller()
    actions.revoke_tokens(chosen=Selection(maker=alice.maker).chosen(), reason="taken")
    assert Job.objects.get().args_kwargs["args"] == [alice.maker.pk, [alice.maker.tokens.get().pk]]


# --- In any text ---

WRAPPINGS = [
    "{}",
    "x{}x",
    "curl -H 'Authorization: Token {}' https://makerlog.example",
    '{{"token":"{}"}}',
    "?token={}&x=1",
    "mkl_{}mkl_",
    "mkl_00000000000_" + "A" * 42 + "{}",
    '2026-01-01 12:00:00 INFO GET /stream/?token={}" 200',
    "\\n{}\\n",
    "«{}»",
    "%22{}%22",
]


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_a_token_is_found_whatever_is_glued_to_it(wrapping: str) -> None:
    alice = caller()
    found = leak(wrapping.format(alice.token).encode())
    assert (found.genuine, [row.maker_id for row in found.chosen.rows]) == (1, [alice.maker.pk])


def test_a_token_is_found_in_json_in_an_address_and_in_bytes_that_are_no_text() -> None:
    alice = caller()
    for raw in (
        json.dumps({"a": [alice.token]}).encode(),
        quote(f"https://x.example/?t={alice.token}", safe="").encode(),
        alice.token.replace("_", "%5F").encode(),
        b"\xff\xfe\x00" + alice.token.encode() + b"\x00",
    ):
        assert leak(raw).genuine == 1


def test_only_genuine_tokens_count_and_each_once() -> None:
    alice, bob = caller("alice"), caller("bob")
    forged = alice.token[:-1] + ("A" if alice.token[-1] != "A" else "B")
    accounts.revoke_token(token=bob.maker.tokens.get())
    unknown = tokens.mint({1: b"somebody else's"}).text
    found = leak(" ".join([alice.token, alice.token, forged, bob.token, unknown]).encode())
    assert (found.genuine, found.over, len(found.chosen.rows)) == (2, 1, 1)


def test_a_text_is_read_up_to_a_size_and_quickly_whatever_it_holds() -> None:
    worst = ("mkl_" + "0" * 11 + "_" + "A" * 45).encode()
    assert leak(worst * (MOST_BYTES // len(worst))).genuine == 0
    with pytest.raises(TextTooLong):
        leak(b"x" * (MOST_BYTES + 1))


# --- The commands ---


def run(*args: str) -> str:
    out = StringIO()
    call_command(*args, stdout=out)
    return out.getvalue()


def test_the_command_shows_what_it_would_hit_and_then_does_it(mailoutbox: Any) -> None:
    alice = caller()
    used_from(alice, "93.184.216.7")
    select = ("revoke_tokens", "--from", "93.184.216.0/24", "--user", "alice", "--reason", "taken")
    shown = run(*select, "--dry-run")
    assert shown.startswith("1 tokens of 1 makers; 1 used in the last ten minutes.\n")
    assert alice.maker.tokens.get().prefix in shown
    assert alice.token not in shown
    assert alice.get("/tasks/").status_code == 200
    assert run(*select, "--yes").endswith("Revoked 1. Told by mail: 1 owners; could not be told: 0.\n")
    assert_error(alice.get("/tasks/"), 401, "token_revoked")
    run_jobs()
    assert "Why: taken." in mailoutbox[0].body


def test_the_command_asks_first(monkeypatch: pytest.MonkeyPatch) -> None:
    alice = caller()
    monkeypatch.setattr("sys.stdin", StringIO("y\n"))
    run("revoke_tokens", "--user", "alice")
    assert alice.get("/tasks/").status_code == 401


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [("\n", "Nothing was revoked."), ("", "Nothing was revoked: there is no terminal to ask on; add --yes.")],
)
def test_what_was_not_revoked_is_an_error(answer: str, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = caller()
    monkeypatch.setattr("sys.stdin", StringIO(answer))
    with pytest.raises(CommandError) as error:
        run("revoke_tokens", "--user", "alice")
    assert str(error.value) == sentence
    assert alice.get("/tasks/").status_code == 200
    with pytest.raises(CommandError, match="there is no such token"):
        run("revoke_tokens", "--token", "mkl_abcdefghijk", "--yes")


def test_the_command_reads_times_of_issue_in_utc() -> None:
    alice, bob = caller("alice"), caller("bob")
    AccessToken.objects.filter(maker=alice.maker).update(created_at=datetime(2026, 1, 5, 23, 30, tzinfo=UTC))
    run("revoke_tokens", "--issued-between", "2026-01-05", "2026-01-05T23:59", "--yes")
    assert (alice.get("/tasks/").status_code, bob.get("/tasks/").status_code) == (401, 200)


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("--kind", "login"),
        ("--user", "nobody"),
        ("--from", "93.184.216.7/8"),
        ("--token", "mkl_x"),
        ("--issued-between", "monday", "2026-01-01"),
    ],
)
def test_what_the_command_cannot_read_it_says_and_revokes_nothing(args: tuple[str, ...]) -> None:
    alice = caller()
    with pytest.raises(CommandError, match=r"\."):
        run("revoke_tokens", *args, "--yes")
    assert alice.get("/tasks/").status_code == 200


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda text: monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(text.encode())))


def test_leaked_tokens_are_revoked_from_a_file_and_from_a_pipe(piped: Any, tmp_path: Any, mailoutbox: Any) -> None:
    alice, bob = caller("alice"), caller("bob")
    piped(f"export TOKEN={alice.token}")
    said = run("revoke_leaked", "--yes", "--reason", "a public repository")
    (tmp_path / "page.html").write_text(f"<p>{bob.token}</p>")
    said += run("revoke_leaked", str(tmp_path / "page.html"), "--yes")
    for client in (alice, bob):
        assert_error(client.get("/tasks/"), 401, "token_revoked")
        assert client.token not in said
        assert client.maker.tokens.get().prefix in said
    run_jobs()
    assert "Why: a text that holds it was handed to us: a public repository." in mailoutbox[0].body
    assert "Why: a text that holds it was handed to us." in mailoutbox[1].body
    for entry in AuditEntry.objects.filter(act="revoke"):
        assert entry.details == {"by": "leaked text", "tokens": 1, "makers": 1}


def test_a_file_that_is_not_there_or_too_long_is_said(tmp_path: Any) -> None:
    (tmp_path / "long").write_bytes(b"x" * (MOST_BYTES + 1))
    for name in ("long", "absent"):
        with pytest.raises(CommandError):
            run("revoke_leaked", str(tmp_path / name), "--yes")
