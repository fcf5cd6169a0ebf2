"""``Idempotency-Key``"""

from datetime import timedelta
from queue import Queue
from threading import Thread
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction

from makerlog.api import idempotency
from makerlog.api.models import IdempotencyKey
from tasks.models import Task
from tests.errors import assert_error, assert_invalid
from tests.makers import Caller, anonymous, caller, just_logged_in
from tests.tasks.images import image_bytes, upload
from tests.tasks.logs import NOON
from tests.tasks.threads import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Caller:
    return caller("alice")


def post(client: Caller, content: str = "x", key: str = "k1", path: str = "/tasks/", **options: Any) -> Any:
    return client.post(path, {"content": content}, HTTP_IDEMPOTENCY_KEY=key, **options)


def test_the_same_key_and_body_do_their_work_once(alice: Caller) -> None:
    first, again = post(alice), post(alice)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert (again["Idempotency-Replayed"], "Idempotency-Replayed" in first) == ("true", False)
    assert Task.objects.count() == 1


def test_another_key_is_another_task(alice: Caller) -> None:
    post(alice, key="k1")
    post(alice, key="k2")
    alice.post("/tasks/", {"content": "x"})
    assert Task.objects.count() == 3


def test_the_same_key_with_another_body_is_a_conflict(alice: Caller) -> None:
    post(alice)
    assert_error(post(alice, "y"), 409, "idempotency_key_reused")
    assert_error(
        alice.post("/tasks/", {"content": "x", "done": True}, HTTP_IDEMPOTENCY_KEY="k1"), 409, "idempotency_key_reused"
    )
    assert Task.objects.count() == 1


def test_the_order_of_fields_and_the_spelling_of_json_make_no_other_body(alice: Caller) -> None:
    bodies = [b'{"content": "x", "done": true}', b'{"done":true,\n"content":"\\u0078"}']
    answers = [
        alice.generic("POST", "/tasks/", body, content_type="application/json", HTTP_IDEMPOTENCY_KEY="k")
        for body in bodies
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert Task.objects.count() == 1


def test_a_key_is_the_tokens_own(alice: Caller) -> None:
    ids = {post(client).json()["id"] for client in (alice, caller("alice"), caller("bob"))}
    assert len(ids) == 3


def test_a_key_is_the_routes_own(alice: Caller) -> None:
    task = post(alice).json()["id"]
    comment = post(alice, path=f"/tasks/{task}/comments/")
    assert comment.status_code == 201
    assert comment.json()["object_id"] == task


def test_a_missing_slash_is_the_same_route(alice: Caller) -> None:
    assert post(alice).json() == post(alice, path="/tasks").json()


def test_keys_of_those_without_a_token_are_passed_over() -> None:
    assert_error(post(anonymous()), 401, "not_authenticated")
    assert IdempotencyKey.objects.count() == 0


@pytest.mark.parametrize("method", ["put", "patch", "delete", "get"])
def test_only_posts_have_keys(method: str, alice: Caller) -> None:
    task = post(alice).json()["id"]
    for _ in range(2):
        getattr(alice, method)(f"/tasks/{task}/", {"content": "x"}, HTTP_IDEMPOTENCY_KEY="k9")
    assert IdempotencyKey.objects.filter(key="k9").count() == 0


@pytest.mark.parametrize("key", ["x" * 256, "a\tb", "a\x7fb", "\x01"])
def test_a_key_that_cannot_be_is_a_400(key: str, alice: Caller) -> None:
    assert_error(post(alice, key=key), 400, "bad_parameter")


@pytest.mark.parametrize("key", ["x" * 255, "é", "a b", '"quoted"', "' OR 1=1 --", "{}", "%00"])
def test_a_key_is_any_printable_text(key: str, alice: Caller) -> None:
    assert post(alice, key=key).json() == post(alice, key=key).json()


def test_an_error_is_not_kept(alice: Caller) -> None:
    assert_invalid(post(alice, ""), "content")
    assert IdempotencyKey.objects.count() == 0
    assert post(alice, "x").status_code == 201


def test_a_fault_leaves_neither_the_write_nor_its_answer(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def keep(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError

    alice.raise_request_exception = False
    with monkeypatch.context() as patch:
        patch.setattr(idempotency, "keep", keep)
        assert_error(post(alice), 500, "server_error")
    assert (Task.objects.count(), IdempotencyKey.objects.count()) == (0, 0)
    assert post(alice).status_code == 201


def test_after_a_day_a_key_is_new(alice: Caller) -> None:
    with time_machine.travel(NOON, tick=False):
        first = post(alice).json()["id"]
    with time_machine.travel(NOON + timedelta(hours=23, minutes=59), tick=False):
        assert post(alice).json()["id"] == first
        assert_error(post(alice, "y"), 409, "idempotency_key_reused")
    with time_machine.travel(NOON + timedelta(hours=24), tick=False):
        assert post(alice, "y").json()["id"] != first
        assert_error(post(alice), 409, "idempotency_key_reused")
    assert IdempotencyKey.objects.count() == 1


def test_a_multipart_boundary_drawn_anew_makes_no_other_body(alice: Caller, tmp_path: Any, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
    data = image_bytes()

    def multipart(boundary: str, image: bytes) -> Any:
        body = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="content"\r\n\r\nx\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="attachment"; filename="a.png"\r\n'
            "Content-Type: image/png\r\n\r\n"
        ).encode()
        body += image + f"\r\n--{boundary}--\r\n".encode()
        kind = f"multipart/form-data; boundary={boundary}"
        return alice.generic("POST", "/tasks/", body, content_type=kind, HTTP_IDEMPOTENCY_KEY="k")

    first = multipart("one", data)
    assert first.status_code == 201, first.content
    assert multipart("two", data).json() == first.json()
    assert_error(multipart("three", image_bytes()), 409, "idempotency_key_reused")
    assert first.json()["attachment"] is not None
    assert len(list((tmp_path / "attachments").iterdir())) == 1


def test_a_file_is_read_whole_after_its_fingerprint_was_taken(alice: Caller, tmp_path: Any, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
    values = {"content": "x", "attachment": upload()}
    response = alice.post("/tasks/", values, format="multipart", HTTP_IDEMPOTENCY_KEY="k")
    assert response.json()["attachment"].endswith(".webp")


def test_an_answer_that_holds_a_secret_is_not_kept(alice: Caller) -> None:
    alice = just_logged_in()
    first = alice.post("/tokens/", {"name": "mine"}, HTTP_IDEMPOTENCY_KEY="k")
    assert first.status_code == 201
    secret = first.json()["token"]
    assert_error(alice.post("/tokens/", {"name": "mine"}, HTTP_IDEMPOTENCY_KEY="k"), 409, "already_answered")
    assert IdempotencyKey.objects.get().body is None
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(k::text, '') FROM api_idempotencykey k")
        assert secret not in cursor.fetchone()[0]


def test_what_is_kept_of_a_body_cannot_be_guessed_without_our_key(alice: Caller) -> None:
    post(alice)
    kept = IdempotencyKey.objects.get()
    assert (kept.route, kept.key, len(kept.fingerprint)) == ("POST /tasks/", "k1", 64)
    assert kept.caller.startswith("token:")


@pytest.mark.django_db(transaction=True)
def test_a_repeat_while_the_first_is_running_is_a_conflict() -> None:
    alice, steps, told = caller("alice"), Queue[str](), Queue[str]()

    def hold() -> None:
        try:
            with transaction.atomic():
                token = alice.maker.tokens.get()
                idempotency.take_turn({"caller": f"token:{token.pk}", "route": "POST /tasks/", "key": "k1"})
                told.put("running")
                steps.get(timeout=20)
        finally:
            connection.close()

    thread = Thread(target=hold)
    thread.start()
    try:
        told.get(timeout=20)
        assert_error(post(alice), 409, "idempotency_key_in_use")
        assert post(alice, key="k2").status_code == 201
    finally:
        steps.put("end")
        thread.join(20)
    assert post(alice).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_one_key_at_eight_places_at_once_is_one_task() -> None:
    alice = caller("alice")
    clients = []
    for _ in range(8):
        client = Caller()
        client.credentials(HTTP_AUTHORIZATION=f"Token {alice.token}")
        clients.append(client)
    answers = at_once(*[lambda client=client: post(client) for client in clients])
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert Task.objects.count() == 1


def test_a_path_that_no_column_can_hold_is_a_404(alice: Caller) -> None:
    assert_error(post(alice, path="/users/%00/follow/"), 404, "not_found")
