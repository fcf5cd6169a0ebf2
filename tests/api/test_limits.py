"""Limits as maker apps meet them: 429, the headers, what costs what, and GET /limits/."""

import re
import time
from typing import Any

import pytest
from django.test.utils import CaptureQueriesContext

from makerlog.accounts.models import AccessToken
from makerlog.api import throttling
from makerlog.api.exceptions import TooOften
from makerlog.api.limits import LIMITS, Limit
from makerlog.gate.networks import SITE_CLIENTS, client_of
from tests.errors import assert_error
from tests.makers import Caller, anonymous, caller
from tests.tasks.logs import log

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"


@pytest.fixture
def alice() -> Caller:
    return caller("alice")


def narrow(monkeypatch: pytest.MonkeyPatch, name: str, burst: int) -> None:
    """The limit ``name`` with room for ``burst``, one more a day."""
    old = LIMITS[name]
    monkeypatch.setitem(LIMITS, name, Limit(name, old.per, burst + 1, 86_400, burst, old.about))


def left(response: Any) -> dict[str, int]:
    """What ``RateLimit`` says is left, by the limit's name."""
    return {name: int(units) for name, units in re.findall(r'"([a-z-]+)";r=(\d+);t=\d+', response["RateLimit"])}


def used(response: Any, *names: str) -> list[int]:
    return [LIMITS[name].burst - left(response)[name] for name in names]


# --- 429 and the headers ---


def test_too_often_is_a_429_that_says_which_limit_and_when_to_come_back(
    alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow(monkeypatch, "token", 2)
    assert [alice.get("/me/").status_code for _ in range(3)] == [200, 200, 429]
    response = alice.get("/me/", HTTP_ORIGIN="https://app.example")
    body = assert_error(response, 429, "throttled")
    assert 'limit "token" is used up: 3 units in 86400 seconds' in body["detail"]
    assert f"Come back in {response['Retry-After']} seconds" in body["detail"]
    assert 86_000 < int(response["Retry-After"]) <= 86_400
    assert response["X-RateLimit-Remaining"] == "0"
    assert "Retry-After" in response["Access-Control-Expose-Headers"]


def test_it_is_a_problem_document_where_that_is_asked_for(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch, "token", 1)
    alice.get("/me/")
    response = alice.get("/me/", HTTP_ACCEPT="application/problem+json")
    assert (response.status_code, response.json()["status"], response.json()["code"]) == (429, 429, "throttled")


def test_the_headers_name_every_limit_and_the_older_ones_the_tightest(alice: Caller) -> None:
    response = alice.get("/me/")
    assert response["RateLimit-Policy"] == '"token";q=6000;w=60, "maker";q=9000;w=60'
    assert re.fullmatch(r'"token";r=3999;t=1, "maker";r=5999;t=1', response["RateLimit"])
    older = [response[f"X-RateLimit-{name}"] for name in ("Limit", "Remaining", "Reset")]
    assert older == ["6000", "3999", "1"]


def test_writes_name_the_limit_of_writes_as_well(alice: Caller) -> None:
    response = alice.post("/tasks/", {"content": "x"})
    assert used(response, "token", "maker", "write") == [5, 5, 1]


@pytest.mark.parametrize(
    ("path", "status"), [("/", 200), ("/docs/", 200), ("/schema/", 200), ("/tasks/", 200), ("/tasks/999999/", 404)]
)
def test_every_answer_carries_the_headers(path: str, status: int, settings: Any) -> None:
    files = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": files}
    response = anonymous().get(path)
    assert response.status_code == status
    assert response["RateLimit-Policy"].startswith('"address";q=1200;w=60')
    assert "X-RateLimit-Reset" in response


def test_a_refusal_inside_a_view_carries_them_too(alice: Caller) -> None:
    task = log(caller("bob").maker)
    response = alice.delete(f"/tasks/{task.pk}/")
    assert response.status_code == 403
    assert used(response, "write") == [1]


def test_options_and_readiness_are_free() -> None:
    assert "RateLimit" not in anonymous().options("/tasks/")
    assert "RateLimit" not in anonymous().get("/health/ready/")


@pytest.mark.parametrize(
    ("method", "path", "units"),
    [
        ("options", "/tasks/", 1),
        ("options", "/tasks/1/", 1),
        ("get", "/me/", 1),
        ("head", "/me/", 1),
        ("post", "/discussions/", 5),
        ("put", "/tasks/", 5),
        ("get", "/accounts/register/", 1),
        ("get", "/tasks/?limit=0", 1),
        ("get", "/tasks/999999/", 1),
        ("get", "/tasks/999999", 1),
    ],
)
def test_a_token_pays_whatever_comes_of_its_request(method: str, path: str, units: int) -> None:
    client = caller("alice", scopes=["tasks:read"])
    response = getattr(client, method)(path)
    assert response.status_code in (204, 400, 403, 404, 405)
    assert used(response, "token", "maker") == [units, units]


def test_a_scope_that_is_missing_is_a_429_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch, "token", 3)
    client = caller("alice", scopes=["tasks:read"])
    assert [client.get("/me/").status_code for _ in range(5)] == [403] * 3 + [429] * 2


# --- What took long ---


def test_what_takes_long_is_charged_by_the_time_that_it_took(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    assert used(alice.get("/tasks/"), "token", "maker") == [1, 1]
    monkeypatch.setattr(throttling, "UNIT_S", 0.0001)
    monkeypatch.setattr(throttling, "MARGIN_S", 0.0002)
    token, maker = used(alice.get("/tasks/"), "token", "maker")
    assert token == maker > 5
    more = used(alice.post("/tasks/", {"content": "x"}), "token", "write")
    assert (more[0] > token + 10, more[1]) == (True, 1)


def test_what_took_long_is_owed_also_where_it_does_not_fit(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch, "token", 3)
    monkeypatch.setattr(throttling, "UNIT_S", 0.0001)
    monkeypatch.setattr(throttling, "MARGIN_S", 0.0002)
    assert [alice.get("/tasks/").status_code for _ in range(3)] == [200, 429, 429]


def test_an_ordinary_request_is_decided_once(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluated, asked = throttling.limiter.evaluated, []
    monkeypatch.setattr(throttling.limiter, "evaluated", lambda given: asked.append(given) or evaluated(given))
    for _ in range(3):
        assert alice.get("/tasks/").status_code == 200
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("seconds", "units", "more"), [(0.0, 1, 0), (0.279, 1, 0), (0.29, 1, 9), (0.9, 5, 25), (1.49, 5, 45), (0.39, 5, 0)]
)
def test_so_many_seconds_of_work_are_so_many_units(seconds: float, units: int, more: int) -> None:
    assert throttling.units_over(seconds, units) == more


# --- Who pays ---


def test_all_tokens_of_a_maker_share_the_maker_s_limit(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch, "maker", 3)
    clients = [caller("alice") for _ in range(4)]
    assert [client.get("/me/").status_code for client in clients] == [200, 200, 200, 429]
    assert caller("bob").get("/me/").status_code == 200


def test_a_token_is_not_held_up_by_what_others_ask_from_its_address(
    alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow(monkeypatch, "address", 1)
    assert [anonymous().get("/tasks/").status_code for _ in range(2)] == [200, 429]
    assert alice.get("/tasks/").status_code == 200
    assert anonymous().get("/tasks/", REMOTE_ADDR="8.8.8.8").status_code == 200


def test_one_household_s_ipv6_addresses_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch, "address", 1)
    addresses = ["2a00:1:2:3::1", "2a00:1:2:3:ffff::2", "2a00:1:2:4::1"]
    assert [anonymous().get("/tasks/", REMOTE_ADDR=each).status_code for each in addresses] == [200, 429, 200]


def test_an_app_is_charged_beside_its_makers(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AccessToken, "app_id", 7, raising=False)
    assert set(left(alice.get("/me/"))) == {"token", "maker", "app"}


# --- What costs what ---


@pytest.mark.parametrize(
    ("path", "units"),
    [
        ("/users/alice/", 1),
        ("/tasks/", 1),
        ("/tasks/?limit=49", 1),
        ("/tasks/?limit=50", 2),
        ("/tasks/?limit=100", 3),
        ("/tasks/?limit=100000", 3),
        ("/tasks/?limit=nonsense", 1),
        ("/users/alice/recent_tasks/", 3),
        ("/tasks/?search=x", 5),
        ("/tasks/?search=x&limit=100", 7),
        ("/tasks/sync/", 3),
    ],
)
def test_a_read_costs_by_what_it_asks_for(alice: Caller, path: str, units: int) -> None:
    assert used(alice.get(path), "token", "maker") == [units, units]


@pytest.mark.parametrize(
    ("method", "path"), [("post", "/users/bob/follow/"), ("get", "/users/bob/follow/"), ("delete", "/tasks/1/")]
)
def test_a_write_costs_five_also_where_it_is_a_get(alice: Caller, method: str, path: str) -> None:
    caller("bob")
    assert used(getattr(alice, method)(path), "token", "write") == [5, 1]


def test_each_task_of_a_batch_is_one_write_and_none_is_posted_where_they_do_not_fit(
    alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow(monkeypatch, "write", 5)
    tasks = [{"content": f"task {number}"} for number in range(3)]
    response = alice.post("/tasks/batch/", tasks)
    assert response.status_code == 207
    assert used(response, "token", "write") == [5, 3]
    assert_error(alice.post("/tasks/batch/", tasks), 429, "throttled")
    assert used(alice.post("/tasks/batch/", tasks[:2]), "write") == [5]
    assert len(alice.get("/tasks/me/").json()) == 5


def test_a_batch_that_is_none_is_charged_no_writes(alice: Caller) -> None:
    response = alice.post("/tasks/batch/", {})
    assert response.status_code == 400
    assert set(left(response)) == {"token", "maker"}


def test_what_was_read_before_costs_a_tenth(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch, "token", 50)
    tag = alice.get("/tasks/")["ETag"]
    responses = [alice.get("/tasks/", HTTP_IF_NONE_MATCH=tag) for _ in range(20)]
    assert {response.status_code for response in responses} == {304}
    assert used(responses[-1], "token") == [3]
    assert "RateLimit-Policy" in responses[-1]


def test_what_was_read_before_costs_a_tenth_of_a_head_too(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch, "token", 50)
    tag = alice.get("/tasks/")["ETag"]
    responses = [alice.head("/tasks/", HTTP_IF_NONE_MATCH=tag) for _ in range(20)]
    assert {response.status_code for response in responses} == {304}
    assert used(responses[-1], "token") == [3]


@pytest.mark.parametrize(
    "condition",
    ["*", " * ", "", "*, *", "W/*", ", ".join(f'"{number:032x}"' for number in range(500)), 'W/"x"'],
    ids=["any", "any, spaced", "empty", "any twice", "weak any", "many made up", "weak"],
)
def test_a_condition_that_names_nothing_that_was_read_costs_the_whole(
    condition: str, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each such answer is made as any other; a tenth is for whoever has read it before."""
    narrow(monkeypatch, "token", 50)
    for _ in range(10):
        response = alice.get("/tasks/", HTTP_IF_NONE_MATCH=condition)
    assert used(response, "token") == [10]


def test_a_tag_among_many_costs_a_tenth_where_it_was_read_before(
    alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow(monkeypatch, "token", 50)
    condition = ", ".join(['"made-up"', f"W/{alice.get('/tasks/')['ETag']}"])
    for _ in range(10):
        response = alice.get("/tasks/", HTTP_IF_NONE_MATCH=condition)
    assert (response.status_code, used(response, "token")) == (304, [2])


def test_what_has_changed_since_costs_the_whole(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch, "token", 50)
    for _ in range(10):
        response = alice.get("/tasks/", HTTP_IF_NONE_MATCH='"no such"')
    assert (response.status_code, used(response, "token")) == (200, [10])
    assert used(alice.get("/tasks/999999999/", HTTP_IF_NONE_MATCH="*"), "token") == [11]


def test_who_has_nothing_left_is_refused_whatever_they_have_read(
    alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow(monkeypatch, "token", 1)
    statuses = [alice.get("/tasks/", HTTP_IF_NONE_MATCH='"x"').status_code for _ in range(3)]
    assert statuses == [200, 429, 429]
    response = alice.get("/tasks/", HTTP_IF_NONE_MATCH='"x"')
    assert int(response["Retry-After"]) <= 86_400 // 10  # being refused costs nothing


def test_it_asks_the_database_nothing(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import connection

    alice.get("/tasks/")
    with CaptureQueriesContext(connection) as charged:
        alice.get("/tasks/")
    monkeypatch.setattr(throttling.Throttle, "allow_request", lambda *args: True)
    with CaptureQueriesContext(connection) as free:
        alice.get("/tasks/")
    assert len(charged) == len(free)


# --- Getting in ---


def test_guessing_passwords_is_limited_by_address_and_never_by_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch, "log-in", 2)
    guess = {"username": "alice", "password": "wrong"}
    statuses = [anonymous().post("/api-token-auth/", guess, REMOTE_ADDR="8.8.8.8").status_code for _ in range(3)]
    assert statuses == [400, 400, 429]
    maker = caller("alice").maker
    maker.set_password(PASSWORD)
    maker.save()
    right = {"username": "alice", "password": PASSWORD}
    assert anonymous().post("/api-token-auth/", right, REMOTE_ADDR="9.9.9.9").status_code == 200


RESET = {"uidb64": "x", "token": "y", "password": PASSWORD, "repeat_password": PASSWORD}
REGISTER = {"email": "b@example.com", "username": "bob", "password": PASSWORD, "repeat_password": PASSWORD}


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("/accounts/register/", REGISTER, "registration"),
        ("/accounts/forgot/", {"email": "b@example.com"}, "forgot"),
        ("/accounts/reset/", RESET, "reset"),
        ("/accounts/email_activate/x/y/", {}, "activation"),
    ],
)
def test_each_way_in_has_a_limit_of_its_own(
    path: str, body: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow(monkeypatch, name, 1)
    first, second = anonymous().post(path, body), anonymous().post(path, body)
    assert first.status_code in (200, 201, 400, 404)
    assert f'"{name}"' in assert_error(second, 429, "throttled")["detail"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/accounts/register/", "registration"),
        ("/accounts/forgot/", "forgot"),
        ("/accounts/reset/", "reset"),
        ("/api-token-auth/", "log-in"),
    ],
)
def test_what_is_asked_wrongly_costs_nothing_of_a_small_budget(
    path: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow(monkeypatch, name, 1)
    for method in ("get", "put", "delete", "options", "head"):
        assert getattr(anonymous(), method)(path).status_code in (204, 401, 405)
    assert anonymous().post(path, {}).status_code == 400
    assert anonymous().post(path, "{", content_type="application/json").status_code == 400
    assert anonymous().post(path, "x", content_type="text/plain").status_code == 415
    found = {limit["name"]: limit for limit in anonymous().get("/limits/").json()["limits"]}
    assert (name, found[name]["remaining"]) == (name, 1)


def test_a_wrong_old_password_is_a_guess_and_a_weak_new_one_is_none(
    alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow(monkeypatch, "password", 2)
    wrong = {"old_password": "guess", "new_password": PASSWORD}
    weak = {"old_password": "guess", "new_password": "1"}
    statuses = [alice.put("/accounts/change_password/", body).status_code for body in (weak, weak, weak, wrong, wrong)]
    assert statuses == [400] * 5
    assert alice.put("/accounts/change_password/", wrong).status_code == 429


def test_a_mailbox_gets_few_mails_whoever_has_them_sent_and_however_it_is_written(mailoutbox: list[Any]) -> None:
    addresses = [f"8.8.8.{number}" for number in range(5)]
    boxes = ["alice@example.com", "Alice@Example.com"] * 3
    statuses = [
        anonymous().post("/accounts/forgot/", {"email": box}, REMOTE_ADDR=address).status_code
        for box, address in zip(boxes, addresses, strict=False)
    ]
    assert statuses == [200, 200, 200, 429, 429]
    assert anonymous().post("/accounts/forgot/", {"email": "bob@example.com"}).status_code == 200


# --- GET /limits/ ---


def test_the_table_is_whole_and_says_what_is_left(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch, "token", 50)
    narrow(monkeypatch, "write", 20)
    alice.post("/tasks/", {"content": "x"})
    response = alice.get("/limits/")
    body = response.json()
    assert [limit["name"] for limit in body["limits"]] == list(LIMITS)
    found = {limit["name"]: limit for limit in body["limits"]}
    assert found["token"]["remaining"] == 45
    assert found["write"] == {
        "name": "write", "per": "maker", "quota": 21, "window": 86_400, "burst": 20, "about": LIMITS["write"].about,
        "remaining": 19, "reset": 86_400,
    }  # fmt: skip
    assert (found["mail-reset"]["remaining"], found["address"]["remaining"], found["app"]["remaining"]) == (
        None,
        None,
        None,
    )
    assert found["log-in"]["remaining"] == 30
    assert set(body) == {"limits", "costs", "fallback"}
    assert response["Cache-Control"] == "no-store"


def test_who_has_no_token_sees_their_address_s(monkeypatch: pytest.MonkeyPatch) -> None:
    anonymous().get("/tasks/?limit=100")
    found = {limit["name"]: limit for limit in anonymous().get("/limits/").json()["limits"]}
    assert (found["address"]["remaining"], found["token"]["remaining"]) == (597, None)


def test_looking_costs_nothing_of_the_others_and_is_answered_when_they_are_used_up(
    alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow(monkeypatch, "token", 1)
    alice.get("/me/")
    assert alice.get("/me/").status_code == 429
    responses = [alice.get("/limits/") for _ in range(3)]
    assert [response.status_code for response in responses] == [200, 200, 200]
    assert left(responses[-1])["token"] == 0
    narrow(monkeypatch, "limits", 1)
    assert alice.get("/limits/", REMOTE_ADDR="8.8.8.8").status_code == 200
    assert_error(alice.get("/limits/", REMOTE_ADDR="8.8.8.8"), 429, "throttled")


# --- The documented number ---


def test_a_maker_with_a_hundred_tokens_gets_no_more_than_the_maker_s_limit(alice: Caller) -> None:
    """Counted by the client, against Redis's own clock. A search of 100 rows costs 7."""
    limit, price = LIMITS["maker"], 7
    clients = [alice, *(caller("alice") for _ in range(99))]
    paid: list[float] = []
    for number in range(limit.burst // price + 300):
        if clients[number % 100].get("/tasks/?search=x&limit=100").status_code == 200:
            paid.append(time.monotonic())
    windows = [sum(start <= each < start + limit.window for each in paid) for start in paid]
    assert max(windows) * price <= limit.quota
    seconds = paid[-1] - paid[0]
    assert limit.burst - price < len(paid) * price <= limit.burst + limit.units_in(int(seconds * 1_000_000)) + price


def test_without_redis_everything_goes_on_and_is_still_limited(
    alice: Caller, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    from makerlog.api.buckets import Limiter
    from makerlog.api.store import client

    nowhere = Limiter(client(f"unix://{tmp_path}/nobody.sock"), processes=2)
    monkeypatch.setattr(throttling, "limiter", nowhere)
    narrow(monkeypatch, "token", 10)
    begun = time.monotonic()
    assert [alice.get("/me/").status_code for _ in range(6)] == [200] * 5 + [429]
    assert time.monotonic() - begun < 1
    assert nowhere.fallbacks == 6


# --- Whoever owns a whole network ---


@pytest.mark.parametrize(
    ("network", "neighbour"),
    [("2a00:1450:4001:{:x}::7", "2a00:1450:4002::7"), ("93.184.216.{}", "93.184.217.7")],
)
@pytest.mark.parametrize("name", ["log-in", "registration", "forgot", "address"])
def test_the_owner_of_a_48_or_24_has_eight_times_what_one_address_has(
    monkeypatch: pytest.MonkeyPatch, name: str, network: str, neighbour: str
) -> None:
    narrow(monkeypatch, name, 2)
    limit = LIMITS[name]

    def take(address: str) -> bool:
        owners = {"address": client_of(address)}
        try:
            throttling.Account().charge([throttling.charge(limit, owners, 1)])
        except TooOften:
            return False
        return True

    allowed = [take(network.format(number)) for number in range(20) for _ in range(2)]
    assert sum(allowed) == 2 * SITE_CLIENTS
    assert [take(neighbour) for _ in range(3)] == [True, True, False]


def test_guesses_of_passwords_from_all_of_a_48_are_a_429(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch, "log-in", 1)
    guess = {"username": "alice", "password": "wrong"}

    def statuses(addresses: list[str]) -> list[int]:
        return [anonymous().post("/api-token-auth/", guess, REMOTE_ADDR=address).status_code for address in addresses]

    ours = [f"2a00:1450:4001:{number:x}::1" for number in range(SITE_CLIENTS + 2)]
    assert statuses(ours) == [400] * SITE_CLIENTS + [429] * 2
    assert statuses(["2a00:1450:4002::1"]) == [400]


def test_what_others_of_a_network_took_stands_in_no_header_until_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch, "address", 10)
    responses = [
        anonymous().get("/tasks/", REMOTE_ADDR=f"93.184.216.{number}") for number in range(10 * SITE_CLIENTS + 1)
    ]
    assert left(responses[0]) == {"address": 9}
    assert responses[-1].status_code == 429
    assert "All addresses of one IPv4 /24 or IPv6 /48 together." in responses[-1].json()["detail"]
