"""The automatic rules: what they do about whom, and what they leave alone."""

import logging
from collections.abc import Iterator
from copy import copy
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from makerlog.gate.bans import network_of
from makerlog.gate.conduct import SHED, Conduct
from makerlog.gate.notes import Notes
from moderation import actions, purges, tally
from moderation.judge import WINDOWS, Judge
from moderation.models import AuditEntry, Ban, RuleAct
from moderation.posts import MANY, REPEATS, Posts, fingerprint
from moderation.roles import NotAllowed
from moderation.rules import RULES, SPANS, UNDONE_HOLDS, Offence, offences, sentence
from tasks.models import Task
from tests.errors import assert_error
from tests.gate.test_conduct import SHEDDED, seen
from tests.jobs.queue import run_jobs
from tests.makers import Caller, caller, make_maker
from tests.tasks.logs import NOON

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("nothing_stands")]
HERE = "8.8.4.4"
STORM = Offence(HERE, "shed-storm")
PAGE = reverse("admin:moderation_ruleact_changelist")


@pytest.fixture(autouse=True)
def nothing_told() -> None:
    for key in tally.store.keys("rules:*"):
        tally.store.delete(key)


@pytest.fixture
def judge() -> Judge:
    return Judge(Conduct(WINDOWS), Posts(600), Notes())


@pytest.fixture
def admin() -> Client:
    client = Client(REMOTE_ADDR="8.8.8.8")
    client.force_login(make_maker("root", is_staff=True, is_superuser=True))
    return client


def storm(judge: Judge, client: str = HERE, count: int | None = None) -> None:
    now = timezone.now().timestamp()
    for _ in range(RULES[SHED].threshold if count is None else count):
        judge.conduct.observe(SHEDDED._replace(client=client, address=client, at=now))


def act(offence: Offence = STORM, *, dry_run: bool = False) -> RuleAct | None:
    return actions.act_by_rule(offence=offence, dry_run=dry_run)


# --- Deciding ---


def test_whoever_passes_a_threshold_offends_by_the_first_rule_of_the_table() -> None:
    counted = {"sustained-429": {"b": 100, "a": 99}, "shed-storm": {"b": 60, "c": 61}, "enumeration": {"a": 20}}
    assert offences(counted) == [Offence("a", "enumeration"), Offence("b", "shed-storm"), Offence("c", "shed-storm")]
    assert offences({}) == []


def test_no_rule_bans_everything_or_for_long() -> None:
    assert {rule.acts for rule in RULES.values()} == {"ban", "pause"}
    assert (timedelta(minutes=10), timedelta(hours=1), timedelta(hours=24)) == SPANS
    made = act()
    assert made is not None
    assert (made.ban.applies_to, made.ban.origin, made.ban.network) == ("anonymous", "rule", "8.8.4.4/32")
    assert made.ban.expires_at == made.until


def test_what_all_processes_saw_is_counted_together_and_each_endpoint_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally.os, "getpid", lambda: 1)
    now = 1_000_000.0
    assert tally.together("shed-storm", 10, {"a": 30}, now) == {"a": 30}
    assert tally.together("enumeration", 60, {"a": frozenset({"x/", "y/"})}, now) == {"a": 2}
    monkeypatch.setattr(tally.os, "getpid", lambda: 2)
    assert tally.together("shed-storm", 10, {"a": 31, "b": 7}, now + 1) == {"a": 61, "b": 7}
    assert tally.together("enumeration", 60, {"a": frozenset({"y/", "z/"})}, now + 1) == {"a": 3}
    assert tally.together("shed-storm", 10, {"a": 31}, now + 8) == {"a": 31}, "what was told long ago counts no more"


def test_without_redis_a_process_goes_by_what_it_saw(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "store", tally.client("redis://127.0.0.1:1"))
    monkeypatch.setattr(tally, "breaker", tally.Breaker("a test"))
    storm(judge, "8.8.4.5", count=RULES[SHED].threshold - 1)
    storm(judge)
    judge.judge()
    assert [made.subject for made in RuleAct.objects.all()] == [HERE]


# --- Acting ---


def test_acts_are_forgotten_after_a_month_unless_they_still_hold() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        made = act()
        act(Offence("8.8.4.5", "shed-storm"))
        assert made is not None
        RuleAct.objects.filter(pk=made.pk).update(until=NOON + timedelta(days=40))
        clock.shift(timedelta(days=29))
        assert purges.purge_rule_acts() == 0
        clock.shift(timedelta(days=2))
        assert purges.purge_rule_acts() == 1
    assert list(RuleAct.objects.all()) == [made]
    assert AuditEntry.objects.count() == 2


def test_an_act_is_noted_logged_and_told_in_one_sentence(judge: Judge, caplog: pytest.LogCaptureFixture) -> None:
    storm(judge)
    judge.judge()
    made = RuleAct.objects.get()
    why = (
        "was turned away for want of room 60 times within 10 s and went on asking:"
        " it is banned from asking without a token for 10 minutes (rule shed-storm)."
    )
    said = f"8.8.4.4 {why}"
    assert (made.sentence, made.ban.reason) == (said, why)
    assert made.ban.reason_is_public
    entry = AuditEntry.objects.get()
    assert (entry.act, entry.subject, entry.actor_id, entry.reason) == (
        "rule.shed-storm",
        f"ban:{made.ban_id}",
        None,
        why,
    )
    assert [(each.name, each.getMessage()) for each in caplog.records] == [("makerlog.rules", said)]


def test_bans_grow_and_two_processes_do_not_ban_twice() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        for span in (*SPANS, SPANS[-1]):
            made = act()
            assert made is not None
            assert made.until - made.at == span
            assert act() is None, "another process comes too late"
            assert act(Offence(HERE, "enumeration")) is None
            clock.shift(span)
    assert Ban.objects.count() == 4


def test_a_ban_that_somebody_set_is_not_replaced() -> None:
    made = actions.ban(network=network_of("8.8.4.0/24"))
    assert act() is None
    assert list(Ban.objects.standing()) == [made]


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "203.0.113.7", "fe80::1", "9.9.9.9", "104.16.0.1"])
def test_what_is_not_global_or_stands_in_front_of_us_is_never_banned(judge: Judge, settings: Any, address: str) -> None:
    settings.TRUSTED_PROXIES = [ip_network("9.9.9.9/32")]
    settings.CDN_RANGES = [ip_network("104.16.0.0/13")]
    storm(judge, address)
    judge.judge()
    assert not RuleAct.objects.exists()
    assert not Ban.objects.exists()


def test_with_forwarded_headers_and_no_trusted_proxies_nothing_is_done_and_it_is_said(
    judge: Judge, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.TRUSTED_PROXIES = []
    judge.notes.forwarded("8.8.4.4", timezone.now().timestamp())
    caplog.clear()
    storm(judge)
    judge.judge()
    judge.judge()
    assert not RuleAct.objects.exists()
    assert [each.levelno for each in caplog.records] == [logging.ERROR]
    assert "Set TRUSTED_PROXIES" in caplog.text


def test_one_forged_header_turns_no_rule_off_for_anybody(judge: Judge, settings: Any) -> None:
    """It did for ten minutes, for all addresses, where no proxy was trusted."""
    settings.TRUSTED_PROXIES = []
    now = timezone.now().timestamp()
    forger = "9.9.9.9"
    judge.notes.forwarded(forger, now)
    for number in range(3):
        judge.notes.observe(SHEDDED._replace(client=f"8.8.{number}.1", at=now))
    storm(judge)
    storm(judge, forger)
    judge.judge()
    assert {str(each.network) for each in Ban.objects.standing()} == {"8.8.4.4/32", "9.9.9.9/32"}


# --- Dry runs ---


def night(judge: Judge) -> Iterator[None]:
    """Two floods and a crawl; they come again when their bans are over."""
    for _ in range(4):
        storm(judge)
        storm(judge, "8.8.4.5")
        now = timezone.now().timestamp()
        for number in range(RULES["enumeration"].threshold):
            judge.conduct.observe(seen(client="9.9.9.9", address="9.9.9.9", route=f"r{number}/", at=now))
        judge.judge()
        judge.judge()
        yield


def test_the_log_of_a_dry_run_equals_that_of_the_acts_line_by_line(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    logs = []
    for dry in ([*RULES], []):
        settings.RULES_DRY_RUN = dry
        caplog.clear()
        with time_machine.travel(NOON, tick=False) as clock:
            for _ in night(Judge(Conduct(WINDOWS), Posts(600), Notes())):
                clock.shift(timedelta(minutes=30))
        logs.append([each.getMessage() for each in caplog.records])
        assert {each.name for each in caplog.records} == {"makerlog.rules.dry_run" if dry else "makerlog.rules"}
        assert Ban.objects.exists() is not bool(dry)
        assert AuditEntry.objects.exists() is not bool(dry)
    assert logs[0] == logs[1]
    assert len(logs[0]) == 9, "at 0 for 10 minutes, at 30 for an hour, at 90 for a day"
    rows = RuleAct.objects.order_by("pk").values_list("sentence", flat=True)
    assert list(rows.filter(dry_run=True)) == list(rows.filter(dry_run=False)) == logs[0]


# --- Undoing ---


def test_one_tap_undoes_it_and_the_rule_does_not_do_it_again_at_once(admin: Client) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        made = act()
        assert made is not None
        page = admin.get(PAGE).content.decode()
        assert made.sentence in page
        said = admin.post(PAGE, {"undo": made.pk}, follow=True).content.decode()
        assert "Undone" in said
        made.ban.refresh_from_db()
        assert not made.ban.stands
        assert AuditEntry.objects.filter(act="lift").exists()
        assert act() is None
        assert act(Offence(HERE, "enumeration")) is not None, "another cause is another matter"
        clock.shift(UNDONE_HOLDS + timedelta(seconds=1))
        again = act()
        assert again is not None


def test_whoever_lifts_the_ban_undoes_the_act() -> None:
    made = act()
    assert made is not None
    actions.lift(bans=[made.ban_id])
    assert act() is None
    made.refresh_from_db()
    assert made.undone_at is not None


def test_a_helper_sees_the_acts_and_undoes_none() -> None:
    made = act()
    assert made is not None
    holly = make_maker("holly", is_staff=True)
    client = Client(REMOTE_ADDR="8.8.8.8")
    client.force_login(holly)
    page = client.get(PAGE).content.decode()
    assert made.sentence in page
    assert 'name="undo"' not in page
    assert client.post(PAGE, {"undo": made.pk}).status_code == 403
    with pytest.raises(NotAllowed):
        actions.undo_rule_act(made=made, actor=holly)


# --- Spam ---


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Buy PILLS now!!! https://a.example/1", "buy pills... now 77 https://b.example/2", True),
        ("Ship the login page", "Ship the logout page", False),
        ("fix  typo", "Fix typo.", True),
    ],
)
def test_near_identical_texts_have_one_fingerprint(one: str, other: str, same: bool) -> None:
    assert (fingerprint(one) == fingerprint(other)) is same
    assert fingerprint("123 !!! https://a.example") == b""


PLACES = [
    ("/tasks/", "content"),
    ("/tasks/{task}/comments/", "content"),
    ("/products/", "name"),
    ("/discussions/", "title"),
    ("/discussions/{slug}/replies/", "body"),
]


def posted(alice: Caller, count: int, content: str, **values: Any) -> None:
    """The first ten as an app posts them; the others are rows like the tenth."""
    tasks = [{"content": content.format(number), **values} for number in range(10)]
    assert alice.post("/tasks/batch/", tasks).status_code == 207
    tenth = Task.objects.latest("pk")
    like = [copy(tenth) for _ in range(10, count)]
    for number, task in enumerate(like, 10):
        task.pk, task.content = None, content.format(number)
    Task.objects.bulk_create(like)


def token_of(alice: Caller) -> str:
    return f"token:{alice.maker.tokens.get().pk}"


def test_repeats_pause_the_token_that_posts_them_and_its_owner_is_told(judge: Judge, mailoutbox: Any) -> None:
    alice, bob = caller("alice"), caller("bob")
    other = caller("alice")
    judge.judge()
    posted(bob, RULES["spam-repeats"].threshold - 1, "Buy pills {}")
    posted(other, RULES["spam-repeats"].threshold, "Buy pills {}")
    judge.judge()
    made = RuleAct.objects.get()
    token = alice.maker.tokens.order_by("-pk").first()
    assert made.subject == f"token:{token.pk}"
    assert "it may read but not write for 10 minutes (rule spam-repeats)" in made.sentence
    assert (
        "may read but not write until"
        in assert_error(other.post("/tasks/", {"content": "x"}), 403, "token_paused")["detail"]
    )
    assert other.get("/tasks/").status_code == 200
    assert alice.post("/tasks/", {"content": "x"}).status_code == 201, "her other token writes on"
    entry = AuditEntry.objects.get()
    assert (entry.act, entry.subject) == ("rule.spam-repeats", made.subject)
    run_jobs()
    (told,) = mailoutbox
    assert told.to == ["alice@example.com"]
    assert made.sentence.removeprefix(f"{made.subject} ") in told.body
    actions.undo_rule_act(made=made)
    assert other.post("/tasks/", {"content": "x"}).status_code == 201


def test_the_same_words_count_wherever_they_are_posted(judge: Judge) -> None:
    alice, bob = caller("alice"), caller("bob")
    task = bob.post("/tasks/", {"content": "Ship"}).json()["id"]
    slug = bob.post("/discussions/", {"type": "TEXT", "title": "What do you ship?", "body": "Tell."}).json()["slug"]
    judge.judge()
    rounds = RULES["spam-repeats"].threshold // len(PLACES)
    for number in range(rounds):
        for path, text in PLACES:
            body = {"type": "TEXT", "body": "x", **{text: f"Buy pills {number}"}}
            made = alice.post(path.format(task=task, slug=slug), body)
            assert made.status_code == 201, made.content
    judge.judge()
    assert RuleAct.objects.get().subject == token_of(alice)
    assert [counts[token_of(alice)] for counts in judge.posts.counted().values()] == [rounds * len(PLACES)] * 2


def test_a_pause_is_over_at_its_second() -> None:
    alice = caller("alice")
    with time_machine.travel(NOON, tick=False) as clock:
        actions.pause_token(token=alice.maker.tokens.get(), until=timezone.now() + timedelta(minutes=10))
        clock.shift(599)
        assert alice.post("/tasks/", {"content": "x"}).status_code == 403
        clock.shift(1)
        assert alice.post("/tasks/", {"content": "x"}).status_code == 201


def test_many_tasks_of_today_are_spam_and_an_import_onto_its_own_days_is_none() -> None:
    posts, alice, git = Posts(600), caller("alice"), caller("git")
    now = timezone.now().timestamp()
    posts.read(now)
    posted(git, 150, "fix typo {}", done=True, done_at="2020-03-01T12:00:00Z")
    posted(alice, 60, "task {} of a kind")
    posts.read(now)
    assert posts.counted() == {MANY: {token_of(alice): 60}, REPEATS: {token_of(alice): 60}}
    posts.read(now + 700)
    assert posts.counted() == {MANY: {}, REPEATS: {}}


def test_a_sentence_names_what_was_done_for_how_long_and_by_which_rule() -> None:
    for rule in RULES.values():
        said = sentence(Offence("token:4", rule.name), SPANS[2])
        assert len(said) <= 300
        assert said.endswith(f"for 24 hours (rule {rule.name}).")
        assert str(rule.threshold) in said
