"""What the automatic rules count, and what they do not."""

from typing import Any

import pytest

from makerlog.gate.conduct import FAILED_LOG_IN, READ, SHED, THROTTLED, Conduct, Window
from makerlog.gate.seen import Seen
from makerlog.gate.strikes import GONE

NOW = 1_000_000.0
EVERY = {name: Window(60, 2) for name in (SHED, THROTTLED, READ, FAILED_LOG_IN)}


def seen(**values: Any) -> Seen:
    place = ("GET", "/tasks/", "tasks/", "", "anonymous")
    return Seen(NOW, "8.8.4.4", "8.8.4.4", "", None, *place, "served", 200, 0.0, 0.0, 0, 0, "")._replace(**values)


def conduct(*found: Seen, **options: Any) -> Conduct:
    made = Conduct(EVERY, **options)
    for each in found:
        made.observe(each)
    return made


def signals(*found: Seen, now: float = NOW) -> dict[str, Any]:
    """What was counted of 8.8.4.4."""
    counted = conduct(*found).counted(now)
    return {name: clients["8.8.4.4"] for name, clients in counted.items() if "8.8.4.4" in clients}


SHEDDED = seen(outcome="shed", status=503, route="")
OVER = seen(outcome="throttled", status=429, route="")
WRONG = seen(method="POST", path="/api-token-auth/", route="api-token-auth/", outcome="refused", status=400)


def test_each_signal_counts_its_own() -> None:
    assert signals(SHEDDED, SHEDDED, SHEDDED) == {SHED: 3}, "one endpoint, so no crawl"
    assert signals(OVER, OVER) == {THROTTLED: 2}
    assert signals(WRONG, WRONG) == {FAILED_LOG_IN: 2}
    reads = [seen(route=route) for route in ("tasks/", "users/", "tasks/", "products/")]
    assert signals(*reads) == {READ: {"tasks/", "users/", "products/"}}
    crawl = [SHEDDED._replace(path=path) for path in ("/tasks/", "/users/")]
    assert signals(*crawl) == {SHED: 2, READ: {"/tasks/", "/users/"}}, "asked for, though there was no room"


@pytest.mark.parametrize("path", ["/api-token-auth", "/admin/login/", "/accounts/login/"])
def test_a_form_says_with_a_page_that_the_password_was_wrong(path: str) -> None:
    status = 400 if "token" in path else 200
    wrong = seen(method="POST", path=path, route="", status=status)
    assert signals(wrong, wrong) == {FAILED_LOG_IN: 2}
    right = seen(method="POST", path=path, route="", status=302 if status == 200 else 200)
    assert signals(right, right) == {}


def test_less_than_the_least_is_not_told() -> None:
    assert signals(SHEDDED) == {}


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_any_web_page_can_make_its_visitors_send_counts_nothing(status: int) -> None:
    asked = [seen(route=f"route{number}/", outcome="refused", status=status) for number in range(100)]
    assert signals(*asked) == {}
    assert signals(*(seen(path=path, route="", outcome="refused", status=404) for path in GONE * 20)) == {}
    assert signals(*(seen(method="OPTIONS", route=f"route{number}/", status=204) for number in range(100))) == {}


def test_a_genuine_token_counts_nothing_against_its_address() -> None:
    for each in (SHEDDED, OVER, WRONG, seen()):
        assert signals(*[each._replace(token="abcdefghijk", route=f"{number}/") for number in range(100)]) == {}


def test_a_window_ends() -> None:
    assert signals(SHEDDED, SHEDDED._replace(at=NOW + 30), now=NOW + 59) == {}, "both are within 60 s no more: parts"
    assert signals(SHEDDED, SHEDDED._replace(at=NOW + 30), now=NOW + 50) == {SHED: 2}
    assert signals(seen(), seen(route="users/", at=NOW + 30), now=NOW + 70) == {}


def test_what_was_acted_upon_begins_anew() -> None:
    made = conduct(SHEDDED, SHEDDED, OVER, OVER)
    made.forget("8.8.4.4")
    made.forget("8.8.4.4")
    assert not any(made.counted(NOW).values())
    made.observe(SHEDDED)
    assert not any(made.counted(NOW).values())


def test_a_crowd_of_addresses_costs_bounded_memory() -> None:
    made = conduct(
        *(SHEDDED._replace(client=f"8.8.{n >> 8}.{n & 255}") for n in range(3_000) for _ in range(2)), most=500
    )
    assert len(made.counted(NOW)[SHED]) == 500
    many = conduct(*(SHEDDED._replace(at=NOW + second) for second in range(3_000)))
    assert [len(kept) for kept in many._signals[SHED].kept.values()] == [10]


def test_what_staff_do_counts_nothing() -> None:
    assert signals(*(seen(path=f"/admin/{number}/", route="", staff=True) for number in range(5))) == {}
