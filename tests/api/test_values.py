"""What parameters and fields take, and what they refuse: days, numbers, truths, addresses, text that nobody sees."""

from datetime import UTC, datetime
from typing import Any

import pytest
from rest_framework import serializers

from makerlog.api.fields import ComposedField
from makerlog.api.timezones import zone
from tests.api.test_linear import serializer_classes
from tests.makers import anonymous, caller
from tests.tasks.logs import contents, log

pytestmark = pytest.mark.django_db

UNSEEN = ["\u200b", "\u2060\ufeff", "\u00ad", " \u00a0\u3000", "\u202e", "\u3164"]


def test_an_end_date_is_all_of_that_day_in_the_time_zone_of_the_request() -> None:
    alice = caller("alice")
    for hour, minute, second, micro in [(0, 0, 0, 0), (21, 59, 59, 999_999), (22, 0, 0, 0), (23, 59, 59, 999_999)]:
        log(alice.maker, f"{hour}", created_at=datetime(2026, 5, 20, hour, minute, second, micro, tzinfo=UTC))
    log(alice.maker, "next", created_at=datetime(2026, 5, 21, tzinfo=UTC))

    def until(text: str, zone: str = "UTC") -> list[str]:
        return contents(anonymous().get("/tasks/", {"end_date": text}, HTTP_X_APP_TIMEZONE=zone))

    for day in ("2026-05-20", " 2026-05-20 ", "20260520"):
        assert until(day) == ["23", "22", "21", "0"]
    assert until("2026-05-20", "Europe/Madrid") == ["21", "0"]
    assert until("2026-05-20T22:00:00Z") == ["22", "21", "0"]
    assert until("2026-05-20 0:00") == ["0"]
    one_day = {"start_date": "2026-05-21", "end_date": "2026-05-21", "user": "alice"}
    assert contents(anonymous().get("/tasks/", one_day)) == ["next"]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_an_end_date_holds_a_day_that_is_shorter_or_longer(day: str, hours: int) -> None:
    alice = caller("alice", timezone="Europe/Madrid")
    start = datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=zone("Europe/Madrid"))
    for hour in range(hours + 1):
        log(alice.maker, f"{hour}", created_at=datetime.fromtimestamp(start.timestamp() + hour * 3600, UTC))
    found = contents(alice.get("/tasks/", {"start_date": day, "end_date": day, "limit": 100}))
    assert len(found) == hours


@pytest.mark.parametrize(
    "number", ["1.5", "1.0", "1e3", "٣", "+1", "-1", "0", "1_0", "0x1", "x", "1 2", "²", "NaN", "\x00"]
)
def test_a_project_is_named_by_plain_digits(number: str) -> None:
    response = anonymous().get("/tasks/", {"project": number})
    assert (response.status_code, [*response.json()]) == (400, ["project"])


@pytest.mark.parametrize("number", ["1", "9" * 30, "9" * 5000, "", "007"])
def test_a_project_that_is_not_there_has_no_tasks(number: str) -> None:
    assert contents(anonymous().get("/tasks/", {"project": number})) == []


@pytest.mark.parametrize("number", ["1.5", "٣", "1_0", "+1", "1e3"])
def test_ids_in_a_body_are_plain_digits(number: str) -> None:
    assert caller("alice").post("/products/", {"name": "x", "projects": [number]}).status_code == 400


@pytest.mark.parametrize("path", ["/tasks/?done={}", "/products/?launched={}", "/tasks/?in_progress={}"])
@pytest.mark.parametrize("word", ["true", "TRUE", "True", "tRuE", "false", "FALSE", "1", "0"])
def test_a_truth_is_taken_in_any_case(path: str, word: str) -> None:
    assert anonymous().get(path.format(word)).status_code == 200
    assert anonymous().get(path.format("perhaps")).status_code == 400


@pytest.mark.parametrize("text", UNSEEN)
def test_text_that_nobody_sees_is_empty(text: str) -> None:
    alice = caller("alice")
    task = log(alice.maker)
    alice.post("/discussions/", {"title": "x"})
    required: list[tuple[str, dict[str, Any]]] = [
        ("/tasks/", {"content": text}),
        (f"/tasks/{task.pk}/comments/", {"content": text}),
        ("/projects/", {"name": text}),
        ("/projects/", {"name": f"#{text}"}),
        ("/products/", {"name": text}),
        ("/discussions/", {"title": text}),
        ("/discussions/x/replies/", {"body": text}),
    ]
    for path, body in required:
        assert alice.post(path, body, format="json").status_code == 400, path
    assert alice.patch("/me/", {"status": text}, format="json").json()["status"] == ""
    assert alice.post("/products/", {"name": "x", "tags": [text, "#a"]}, format="json").json()["tags"] == ["a"]
    assert len(contents(alice.get("/tasks/", {"search": text}))) == 1


GOOD = [
    "https://my_app.example.com",
    "http://a_b.example.com:8080/x?y=1#z",
    "https://example.com/@me",
    "https://[2606:4700::1]/",
]
BAD = [
    *("ftp://example.com", "javascript:alert(1)", "javascript://example.com/%0aalert(1)", "https://user@example.com"),
    *(
        "https://good.com@evil.com",
        "https://user:word@example.com/",
        "data:text/html,x",
        "mailto:a@b.co",
        "//",
        "https://",
    ),
    *(
        "https://a b.com",
        "https://exa\nmple.com",
        "https://good.com\\@evil.com",
        "file:///etc/passwd",
        "https://" + "a" * 200 + ".com",
    ),
]


@pytest.mark.parametrize(
    ("method", "path", "field"),
    [("post", "/products/", "website"), ("patch", "/me/", "website"), ("post", "/products/", "product_hunt"),
     ("post", "/products/", "twitter"), ("patch", "/me/", "twitter_handle")],
)  # fmt: skip
def test_every_field_of_an_address_takes_and_refuses_the_same(method: str, path: str, field: str) -> None:
    alice = caller("alice")
    for address in GOOD:
        body = getattr(alice, method)(path, {"name": "x", field: address}, format="json").json()
        assert body[field] == address
    for address in BAD:
        response = getattr(alice, method)(path, {"name": "x", field: address}, format="json")
        assert (response.status_code, [*response.json()]) == (400, [field]), address


def test_a_handle_stays_a_handle() -> None:
    alice = caller("alice")
    assert alice.patch("/me/", {"twitter_handle": "@alice"}, format="json").json()["twitter_handle"] == "@alice"
    assert alice.post("/products/", {"name": "x", "twitter": "alice"}, format="json").json()["twitter"] == "alice"


def test_a_tag_that_grows_when_it_is_made_small_is_refused_and_no_fault() -> None:
    alice = caller("alice")
    assert alice.post("/products/", {"name": "x", "tags": ["İ" * 40]}, format="json").status_code == 400
    body = alice.post("/products/", {"name": "x", "tags": ["Straße", "STRASSE", "ΛΌΓΟΣ"]}, format="json").json()
    assert body["tags"] == ["straße", "λόγος"]


# Text that is compared as it was sent, or has a rule of its own that knows plain letters only.
AS_SENT = {
    "CharField": "names, addresses, codes and words of ASCII",
    "MailAddressField": "see accounts.mailboxes",
    "URLField": "of answers",
    "PasswordField": "as typed",
    "NullableField": "a key of an app's own",
}


ANSWERS: set[str] = {"LimitSerializer.name"}  # never sent


def test_every_field_for_what_people_read_takes_one_spelling_and_refuses_what_nobody_sees() -> None:
    """A new field of text is a ComposedField, or stands here."""
    other = {
        (f"{each.__qualname__}.{name}", type(field).__name__)
        for each in serializer_classes()
        for name, field in each().fields.items()
        if isinstance(field, serializers.CharField) and not field.read_only and not isinstance(field, ComposedField)
    }
    assert {kind for _, kind in other} <= set(AS_SENT), other
    named = {name for name, _ in other if name.rpartition(".")[2] in {"content", "title", "body", "name", "status"}}
    assert named <= ANSWERS
