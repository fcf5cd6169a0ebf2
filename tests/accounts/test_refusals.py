"""Why was I refused? What a maker is told of the refusals of their own tokens."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from makerlog.api import refusals as shared
from makerlog.gate.answers import error
from makerlog.gate.refusals import EACH, Refusals, Refused, refused
from makerlog.gate.refusals import refusals as own
from tests.errors import assert_error
from tests.makers import Caller, anonymous, caller

pytestmark = pytest.mark.django_db
URL = "/me/refusals/"


@pytest.fixture(autouse=True)
def nothing_told() -> Iterator[None]:
    """Public ids are random: what other tests left behind is nobody's here."""
    own.__init__()  # type: ignore[misc]
    yield
    own.__init__()  # type: ignore[misc]


def public_id(maker_app: Caller) -> str:
    return maker_app.maker.tokens.order_by("-pk").values_list("public_id", flat=True)[0]


def refusal(number: int = 1, **values: Any) -> Refused:
    usual = Refused(uuid4().hex, 1_600_000_000.0 + number, "GET", "tasks/", 429, "throttled", "token", 7)
    return usual._replace(**values)


def test_a_refusal_says_which_limit_and_when_to_come_back() -> None:
    said = 'The limit "token" is used up: 6000 units in 60 seconds.'
    answer = error(429, said, "throttled", "abc", [(b"retry-after", b"7")])
    found = refused(answer, request_id="abc", at=1.0, method="GET", route="tasks/")
    assert found == Refused("abc", 1.0, "GET", "tasks/", 429, "throttled", "token", 7)


@pytest.mark.parametrize(
    "body", [b"", b"not json", b"[]", b'{"code": 7}', b'{"content": ["Too long."]}', b"x" * 10_000]
)
def test_an_answer_of_another_shape_has_no_code(body: bytes) -> None:
    answer = error(400, "", "", "abc")._replace(body=body)
    found = refused(answer, request_id="abc", at=1.0, method="POST", route="tasks/")
    assert (found.status, found.code, found.limit, found.retry_after) == (400, None, None, None)


def test_the_newest_of_each_token_and_the_tokens_refused_last_are_kept() -> None:
    kept = Refusals(most=2, each=3, own=2)
    for token in ("a", "b", "a", "c"):
        for number in range(4):
            kept.note(token, refusal(number))
    assert [each.at for each in kept.of(["a"])] == [1_600_000_000.0 + number for number in (2, 3)]
    assert kept.of(["b"]) == []
    assert {token: len(each) for token, each in kept.take().items()} == {"a": 3, "c": 3}
    assert kept.take() == {}
    assert len(kept.of(["a", "c"])) == 4, "what was taken is still known here"


def test_one_sees_the_refusals_of_all_one_s_own_tokens_the_newest_first_and_nobody_else_s() -> None:
    alice, again, bob = caller("alice"), caller("alice"), caller("bob")
    first, second, third = refusal(1), refusal(2, status=403, code="missing_scope", limit=None), refusal(3)
    tokens = list(alice.maker.tokens.order_by("pk").values_list("public_id", flat=True))
    shared.tell({tokens[0]: [first], tokens[1]: [second], public_id(bob): [third]})
    own.note(tokens[0], first)  # known here and there: told once
    found = again.get(URL)
    assert found["Cache-Control"] == "no-store"
    assert [each["request_id"] for each in found.json()] == [second.request_id, first.request_id]
    assert found.json()[1] == {
        **{"request_id": first.request_id, "at": "2020-09-13T12:26:41.000+00:00", "method": "GET", "route": "tasks/"},
        **{"status": 429, "code": "throttled", "limit": "token", "retry_after": 7},
    }
    assert [each["request_id"] for each in bob.get(URL).json()] == [third.request_id]


def test_nobody_sees_any_without_a_token_of_theirs() -> None:
    assert_error(anonymous().get(URL), 401, "not_authenticated")
    assert_error(caller("alice", scopes=["tasks:read"]).get(URL), 403, "missing_scope")
    assert caller("carol").get(URL).json() == []


def test_no_more_than_so_many_are_kept_and_told() -> None:
    alice = caller("alice")
    for _ in range(3):
        caller("alice")
    for token in alice.maker.tokens.values_list("public_id", flat=True):
        shared.tell({token: [refusal(number) for number in range(EACH + 5)]})
        assert shared.store.llen(shared.key_of(token)) == EACH
        assert 0 < shared.store.ttl(shared.key_of(token)) <= shared.KEPT_S
    assert len(alice.get(URL).json()) == shared.MOST


def test_without_redis_one_sees_what_this_process_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "store", shared.client("redis://127.0.0.1:1"))
    monkeypatch.setattr(shared, "breaker", shared.Breaker("a test"))
    alice = caller("alice")
    own.note(public_id(alice), refusal())
    assert len(alice.get(URL).json()) == 1


def test_it_asks_the_database_no_more_for_more_refusals(django_assert_num_queries: Any) -> None:
    alice = caller("alice")
    alice.get(URL)  # notes the token's use, once a minute
    for number in (1, 3):
        shared.tell({public_id(alice): [refusal(each) for each in range(number)]})
        with django_assert_num_queries(2):  # the token and its maker; the maker's tokens
            assert alice.get(URL).status_code == 200
