"""POST /tasks/"""

import json
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings
from PIL import Image

from products.models import Project
from tasks.actions import change_task
from tasks.models import DayCount, Task
from tests.errors import assert_error, assert_invalid
from tests.makers import Caller, anonymous, caller
from tests.tasks.images import giant_png, image_bytes, upload
from tests.tasks.logs import NOON, log
from tests.tasks.threads import at_once

pytestmark = pytest.mark.django_db

BOUNDARY = "----go"


@pytest.fixture
def alice() -> Caller:
    return caller("alice")


@pytest.fixture(autouse=True)
def _media(tmp_path: Path, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def posted(client: Caller, values: Any, status: int = 201, **options: Any) -> dict[str, Any]:
    response = client.post("/tasks/", values, **options)
    assert response.status_code == status, response.content
    return response.json()


def raw(client: Caller, body: bytes, kind: str = "application/json", **headers: Any) -> Any:
    client.raise_request_exception = False
    return client.generic("POST", "/tasks/", body, content_type=kind, **headers)


def part(name: str, value: str) -> bytes:
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


def test_a_task_is_logged_with_its_content_alone(alice: Caller) -> None:
    task = posted(alice, {"content": "Wrote a test"})
    assert (task["content"], task["done"], task["in_progress"], task["done_at"]) == ("Wrote a test", False, False, None)
    assert task["user"]["id"] == alice.maker.pk
    assert Task.objects.get().author == alice.maker


def test_nobody_logs_without_a_credential() -> None:
    response = anonymous().post("/tasks/", {"content": "x"})
    assert_error(response, 401, "not_authenticated")
    assert response["WWW-Authenticate"] == "Token"
    assert Task.objects.count() == 0


def test_a_token_that_may_only_read_logs_nothing() -> None:
    assert_error(caller("alice", ["tasks:read"]).post("/tasks/", {"content": "x"}), 403, "missing_scope")
    assert_error(caller("alice", ["products:write"]).post("/tasks/", {"content": "x"}), 403, "missing_scope")


def test_what_only_the_service_says_is_not_taken_from_a_client(alice: Caller) -> None:
    bob = caller("bob").maker
    said = {"id": 7, "user": bob.pk, "author": bob.pk, "praise": 99, "comment_count": 9, "event": "github"}
    kept = {"hidden": True, "listed": False, "created_at": "2001-01-01T00:00:00Z", "project_set": [1]}
    task = posted(alice, {"content": "x", **said, **kept})
    assert (task["user"]["id"], task["praise"], task["comment_count"], task["event"]) == (alice.maker.pk, 0, 0, None)
    assert task["created_at"] > "2020"
    assert Task.objects.values_list("listed", "hidden").get() == (True, False)


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_json_is_understood(kind: str, alice: Caller) -> None:
    assert raw(alice, b'{"content": "x", "done": true}', kind).json()["done"] is True


def test_a_chunked_body_whose_length_the_front_door_has_set_is_read(alice: Caller) -> None:
    response = raw(alice, b'{"content": "x"}', HTTP_TRANSFER_ENCODING="chunked")
    assert response.status_code == 201


def test_a_form_is_understood(alice: Caller) -> None:
    body = b"content=Wrote+%23tests&done=True&due_at=&description=null&in_progress=undefined&external_id="
    task = raw(alice, body, "application/x-www-form-urlencoded").json()
    assert (task["content"], task["done"], task["due_at"], task["description"]) == ("Wrote #tests", True, None, None)
    assert (task["in_progress"], task["external_id"]) == (False, None)


def test_a_multipart_form_is_understood(alice: Caller) -> None:
    task = posted(alice, {"content": "x", "done": "1", "due_at": "null", "attachment": ""}, format="multipart")
    assert (task["done"], task["due_at"], task["attachment"]) == (True, None, None)


def test_a_multipart_form_without_its_end_is_understood(alice: Caller) -> None:
    """A client written in Go sends no closing boundary."""
    body = part("content", "from Go") + part("done", "true") + part("due_at", "2026-05-20 12:00:00 +0200 CEST")
    task = raw(alice, body, MULTIPART).json()
    assert (task["content"], task["done"], task["due_at"]) == ("from Go", True, "2026-05-20T10:00:00.000000Z")


def test_a_boolean_may_stand_at_the_end_of_a_form_without_its_end(alice: Caller) -> None:
    task = raw(alice, part("content", "from Go") + part("done", "true"), MULTIPART).json()
    assert (task["content"], task["done"]) == ("from Go", True)


@pytest.mark.parametrize(
    "said",
    [
        "2026-05-20T12:00:00Z",
        "2026-05-20T14:00:00+02:00",
        "2026-05-20T12:00:00",
        "2026-05-20 12:00",
        "2026-05-20T12:00:00.000000000Z",
        "2026-05-20 14:00:00 +0200 CEST",
        "2026-05-20 14:00:00.000000000 +0200 CEST",
        "2026-05-20 15:00:00 +0300 +03",
        "2026-05-20 14:00:00.000000000 +0200 CEST m=+0.014000021",
        " 2026-05-20T12:00:00Z ",
    ],
)
def test_a_moment_is_understood_in_all_its_spellings(said: str, alice: Caller) -> None:
    assert posted(alice, {"content": "x", "due_at": said})["due_at"] == "2026-05-20T12:00:00.000000Z"


def test_a_bare_moment_is_in_the_zone_of_the_request(alice: Caller) -> None:
    task = posted(alice, {"content": "x", "due_at": "2026-05-20 14:00"}, HTTP_X_APP_TIMEZONE="Europe/Madrid")
    assert task["due_at"] == "2026-05-20T12:00:00.000000Z"


def test_a_moment_that_the_clocks_skip_is_taken(alice: Caller) -> None:
    task = posted(alice, {"content": "x", "due_at": "2026-04-24T00:00"}, HTTP_X_APP_TIMEZONE="Africa/Cairo")
    assert task["due_at"] == "2026-04-23T22:00:00.000000Z"


@pytest.mark.parametrize("said", [None, "", "null", "undefined", " "])
def test_words_for_nothing_are_nothing(said: Any, alice: Caller) -> None:
    values = {"content": "x", "due_at": said, "done_at": said, "description": said, "external_id": said}
    task = posted(alice, values)
    assert [task[name] for name in ("due_at", "done_at", "description", "external_id")] == [None] * 4
    assert task["done"] is False
    assert posted(alice, values)["id"] != task["id"]


@pytest.mark.parametrize(
    ("said", "done", "in_progress", "has_done_at"),
    [
        ({"done": True}, True, False, True),
        ({"done": True, "in_progress": True}, True, False, True),
        ({"done": False, "in_progress": True}, False, True, False),
        ({"done": None}, False, False, False),
        ({"done_at": "2026-01-01T00:00:00Z"}, True, False, True),
        ({"done": True, "done_at": None}, True, False, True),
        ({"done": False, "done_at": "2026-01-01T00:00:00Z"}, False, False, False),
        ({"done_at": "2026-01-01T00:00:00Z", "in_progress": True}, True, False, True),
    ],
)
def test_done_done_at_and_in_progress_agree(
    said: dict[str, Any], done: bool, in_progress: bool, has_done_at: bool, alice: Caller
) -> None:
    task = posted(alice, {"content": "x", **said})
    assert (task["done"], task["in_progress"], task["done_at"] is not None) == (done, in_progress, has_done_at)


def test_an_imported_history_keeps_its_days(alice: Caller) -> None:
    task = posted(alice, {"content": "x", "done_at": "2019-05-05T10:00:00Z"})
    assert task["done_at"] == "2019-05-05T10:00:00.000000Z"
    assert [str(day) for day in DayCount.objects.values_list("day", flat=True)] == ["2019-05-05"]


@pytest.mark.parametrize(("ahead", "status"), [(timedelta(minutes=14), 201), (timedelta(minutes=16), 400)])
def test_nothing_is_done_in_the_future_beyond_a_clock_that_goes_ahead(
    ahead: timedelta, status: int, alice: Caller
) -> None:
    with time_machine.travel(NOON, tick=False):
        response = alice.post("/tasks/", {"content": "x", "done_at": (NOON + ahead).isoformat()})
    assert response.status_code == status


def test_a_known_external_id_gives_the_first_task(alice: Caller) -> None:
    first = posted(alice, {"content": "first", "external_id": "abc"})
    again = posted(alice, {"content": "second", "external_id": "abc", "done": True}, 200)
    assert again == first
    assert posted(caller("bob"), {"content": "his", "external_id": "abc"})["id"] != first["id"]


def test_an_external_id_is_free_again_once_its_task_is_deleted(alice: Caller) -> None:
    first = posted(alice, {"content": "first", "external_id": "abc"})
    alice.delete(f"/tasks/{first['id']}/")
    assert posted(alice, {"content": "second", "external_id": "abc"})["content"] == "second"


def test_a_known_external_id_of_a_hidden_task_gives_the_first_task(alice: Caller) -> None:
    first = posted(alice, {"content": "first", "external_id": "abc"})
    Task.objects.update(hidden=True, listed=False)
    assert posted(alice, {"content": "second", "external_id": "abc"}, 200)["id"] == first["id"]


@pytest.mark.django_db(transaction=True)
def test_one_external_id_at_eight_places_at_once_is_one_task(alice: Caller) -> None:
    callers = [caller("alice") for _ in range(8)]
    values = {"content": "x #site", "external_id": "abc", "done": True}
    answers = at_once(*[lambda client=client: client.post("/tasks/", values) for client in callers])
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert DayCount.objects.get().done == 1


@pytest.mark.django_db(transaction=True)
def test_eight_tasks_at_once_are_all_counted(alice: Caller) -> None:
    callers = [caller("alice") for _ in range(8)]
    values = {"content": "x #site", "done": True}
    answers = at_once(*[lambda client=client: client.post("/tasks/", values) for client in callers])
    assert [answer.status_code for answer in answers] == [201] * 8
    assert DayCount.objects.get().done == 8
    assert Project.objects.count() == 1


def test_hashtags_make_projects_and_link_them_whatever_their_case(alice: Caller) -> None:
    first = posted(alice, {"content": "Began #MakerLog and #site"})
    second = posted(alice, {"content": "Went on with #makerlog #MAKERLOG, #42 a#b &#39; #"})
    assert [project["name"] for project in first["project_set"]] == ["MakerLog", "site"]
    assert second["project_set"] == first["project_set"][:1]
    assert Project.objects.count() == 2


@pytest.mark.parametrize("name", ["İstanbul", "ΣΟΦΟΣ", "straße", "ǅ", "日本語", "café-2"])
def test_hashtags_of_all_alphabets_are_found_again(name: str, alice: Caller) -> None:
    first = posted(alice, {"content": f"#{name}"})
    second = posted(alice, {"content": f"#{name} again"})
    assert first["project_set"] == second["project_set"]
    assert [project["name"] for project in first["project_set"]] == [name]


def test_ten_projects_are_the_most(alice: Caller) -> None:
    task = posted(alice, {"content": " ".join(f"#p{number}" for number in range(30))})
    assert len(task["project_set"]) == 10


def test_a_task_of_a_private_project_is_in_no_public_list(alice: Caller) -> None:
    alice.maker.projects.create(name="secret", private=True)
    task = posted(alice, {"content": "x #Secret"})
    assert task["project_set"][0]["private"] is True
    assert anonymous().get("/tasks/").json()["results"] == []
    assert_error(anonymous().get(f"/tasks/{task['id']}/"), 404, "not_found")


@pytest.mark.parametrize("content", ["", " ", "\n", None, [], {}, True, "x" * 501])
def test_content_that_cannot_be_is_refused(content: Any, alice: Caller) -> None:
    assert_invalid(alice.post("/tasks/", {"content": content}), "content")
    assert Task.objects.count() == 0


def test_content_is_required(alice: Caller) -> None:
    assert_invalid(alice.post("/tasks/", {}), "content")
    assert_invalid(raw(alice, b""), "content")


def test_content_of_the_length_allowed_is_kept_as_it_is(alice: Caller) -> None:
    content = "<script>alert(1)</script> 🧪" + "é" * 472
    assert posted(alice, {"content": content})["content"] == content


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("content", "a\x00b"),
        ("description", "a\x00b"),
        ("external_id", "a\x00b"),
        ("description", "x" * 5001),
        ("external_id", "x" * 201),
        ("external_id", ["a"]),
        ("done", "maybe"),
        ("done", [True]),
        ("in_progress", {"a": 1}),
        ("due_at", "soon"),
        ("due_at", 1700000000),
        ("due_at", ["2026-05-20"]),
        ("due_at", "9999-12-31T23:59:59-14:00"),
        ("due_at", "0001-01-01T00:00:00+14:00"),
        ("due_at", "0001-01-01T00:00:00"),
        ("done_at", "1969-12-31T00:00:00Z"),
        ("done_at", "2026-02-30T00:00:00Z"),
        ("attachment", "https://example.com/a.png"),
        ("attachment", 7),
    ],
)
def test_a_value_that_cannot_be_is_named(field: str, value: Any, alice: Caller) -> None:
    alice.raise_request_exception = False
    response = alice.post("/tasks/", {"content": "x", field: value}, HTTP_X_APP_TIMEZONE="Asia/Tokyo")
    assert_invalid(response, field)


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"5", b"true", b'[{"content": "x"}]', b"null"])
def test_json_that_is_no_object_is_refused(body: bytes, alice: Caller) -> None:
    response = raw(alice, body)
    assert response.status_code == 400
    assert set(response.json()) in ({"non_field_errors"}, {"content"})


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{'content': 'x'}",
        b'{"content": "x",}',
        b'{"content": 1e999}',
        b'{"content": NaN}',
        b'{"content": Infinity}',
        b'{"content": "\\ud800"}',
        b'{"content": "\xff"}',
        b'\xef\xbb\xbf{"content": "x"}',
        b'{"content": ' + b"9" * 5000 + b"}",
        b"[" * 100_000 + b"]" * 100_000,
        b'{"content": ' * 50_000,
        b"\x00",
        b"content=x",
    ],
)
def test_a_body_that_is_no_json_is_a_400(body: bytes, alice: Caller) -> None:
    assert_error(raw(alice, body), 400, "parse_error")


@pytest.mark.parametrize("number", [2**63, 2**64 - 1, -(2**63), 10**30])
def test_huge_numbers_are_text_or_nothing(number: int, alice: Caller) -> None:
    response = raw(alice, json.dumps({"content": number, "external_id": number, "id": number}).encode())
    assert response.status_code == 201


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "text/html; charset=utf-8", "nonsense", "*/*"])
def test_another_media_type_is_a_415(kind: str, alice: Caller) -> None:
    assert_error(raw(alice, b"x", kind), 415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=", b"x"),
        (f"multipart/form-data; boundary={'x' * 5000}", b"x"),
        ("application/x-www-form-urlencoded", b"&".join(b"a=1" for _ in range(2000))),
        (MULTIPART, b"".join(part(f"f{number}", "x") for number in range(2000))),
    ],
)
def test_a_form_that_cannot_be_read_is_a_400(kind: str, body: bytes, alice: Caller) -> None:
    response = raw(alice, body, kind)
    assert response.status_code == 400


def test_a_body_over_a_mebibyte_is_a_413(alice: Caller) -> None:
    body = b'{"content": "' + b"x" * settings.BODY_LIMIT + b'"}'
    assert_error(raw(alice, body), 413, "body_too_large")


def test_an_image_is_written_anew_under_a_name_of_ours(alice: Caller) -> None:
    noted = image_bytes("JPEG", 16, comment=b"<?php evil ?>")
    task = posted(alice, {"content": "x", "attachment": upload(noted, "../../evil.php")}, format="multipart")
    url = task["attachment"]
    assert url.startswith(f"{settings.PUBLIC_URL}/media/attachments/")
    assert url.endswith(".jpg")
    kept = Path(Task.objects.get().attachment.path).read_bytes()
    assert b"php" not in kept
    assert Image.open(BytesIO(kept)).size == (16, 16)


@pytest.mark.parametrize(
    "data",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"<html><script>alert(1)</script></html>",
        b"GIF89a<script>alert(1)</script>",
        b"PK\x03\x04" + bytes(200),
        image_bytes()[:60],
        giant_png(),
        b"",
        bytes(1000),
        image_bytes("BMP"),
        image_bytes("TIFF"),
    ],
    ids=["svg", "html", "gif that is html", "zip", "truncated", "bomb", "empty", "zeros", "bmp", "tiff"],
)
def test_what_is_no_image_is_refused(data: bytes, alice: Caller) -> None:
    response = alice.post("/tasks/", {"content": "x", "attachment": upload(data)}, format="multipart")
    assert_invalid(response, "attachment")
    assert Task.objects.count() == 0


def test_a_task_costs_the_same_with_one_hashtag_seen_before_and_with_none_new(
    alice: Caller, django_assert_max_num_queries: Any
) -> None:
    posted(alice, {"content": "x #site", "done": True})
    with django_assert_max_num_queries(16):
        posted(alice, {"content": "y #site", "done": True})


@pytest.mark.django_db(transaction=True)
def test_a_task_posted_while_its_maker_goes_private_is_private(alice: Caller) -> None:
    """The change waits for the task, or the task for the change: either way it ends unlisted."""
    for number in range(10):
        alice.patch("/me/", {"private": False})
        client = caller("alice")
        at_once(
            lambda: alice.patch("/me/", {"private": True}),
            lambda client=client, number=number: client.post("/tasks/", {"content": str(number)}),
        )
        assert Task.objects.filter(listed=True).count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_task_changed_while_its_project_goes_private_is_private(alice: Caller) -> None:
    project = alice.maker.projects.create(name="site")
    task = log(alice.maker, "x")
    for number in range(10):
        alice.patch(f"/projects/{project.pk}/", {"private": False})
        change_task(task=task, content="x")
        at_once(
            lambda: alice.patch(f"/projects/{project.pk}/", {"private": True}),
            lambda number=number: change_task(task=task, content=f"x #site {number}"),
        )
        assert Task.objects.get().listed is False
