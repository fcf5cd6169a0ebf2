"""POST /tasks/batch/"""

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from products.models import Project
from tasks.models import DayCount, Task
from tests.errors import assert_error, assert_invalid
from tests.makers import Caller, anonymous, caller

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Caller:
    return caller("alice")


def sent(client: Caller, tasks: Any) -> list[dict[str, Any]]:
    response = client.post("/tasks/batch/", tasks)
    assert response.status_code == 207, response.content
    return response.json()


def test_tasks_are_answered_in_the_order_they_were_sent(alice: Caller) -> None:
    answers = sent(alice, [{"content": f"{number} #site", "done": True} for number in range(3)])
    assert [answer["status"] for answer in answers] == [201, 201, 201]
    assert [answer["task"]["content"] for answer in answers] == ["0 #site", "1 #site", "2 #site"]
    assert DayCount.objects.get().done == 3


def test_what_is_wrong_with_one_does_not_touch_the_others(alice: Caller) -> None:
    answers = sent(
        alice, [{"content": "a"}, {"content": ""}, 5, None, [], {"content": "b", "due_at": "x"}, {"content": "c"}]
    )
    assert [answer["status"] for answer in answers] == [201, 400, 400, 400, 400, 400, 201]
    assert set(answers[1]["errors"]) == {"content"}
    assert set(answers[2]["errors"]) == {"non_field_errors"}
    assert set(answers[5]["errors"]) == {"due_at"}
    assert sorted(Task.objects.values_list("content", flat=True)) == ["a", "c"]


def test_a_known_external_id_gives_the_first_task(alice: Caller) -> None:
    answers = sent(alice, [{"content": "a", "external_id": "1"}, {"content": "b", "external_id": "1"}])
    assert [answer["status"] for answer in answers] == [201, 200]
    assert answers[0]["task"] == answers[1]["task"]
    assert [answer["status"] for answer in sent(alice, [{"content": "c", "external_id": "1"}])] == [200]
    assert Task.objects.count() == 1


def test_fifty_are_the_most(alice: Caller) -> None:
    assert len(sent(alice, [{"content": "x"}] * 50)) == 50
    assert_invalid(alice.post("/tasks/batch/", [{"content": "x"}] * 51), "non_field_errors")
    assert Task.objects.count() == 50


@pytest.mark.parametrize("body", [[], {}, {"content": "x"}, "x", 5])
def test_what_is_no_list_of_tasks_is_refused(body: Any, alice: Caller) -> None:
    assert_invalid(alice.post("/tasks/batch/", body), "non_field_errors")


def test_a_form_is_no_list(alice: Caller) -> None:
    assert_invalid(alice.post("/tasks/batch/", {"content": "x"}, format="multipart"), "non_field_errors")


def test_nobody_posts_without_a_credential_and_nobody_reads() -> None:
    assert_error(anonymous().post("/tasks/batch/", [{"content": "x"}]), 401, "not_authenticated")
    assert_error(anonymous().get("/tasks/batch/"), 405, "method_not_allowed")
    assert_error(caller("alice", ["tasks:read"]).post("/tasks/batch/", [{"content": "x"}]), 403, "missing_scope")


def test_a_batch_under_a_key_is_done_once(alice: Caller) -> None:
    tasks = [{"content": "a"}, {"content": ""}]
    first = alice.post("/tasks/batch/", tasks, HTTP_IDEMPOTENCY_KEY="k")
    again = alice.post("/tasks/batch/", tasks, HTTP_IDEMPOTENCY_KEY="k")
    assert (first.status_code, again.status_code) == (207, 207)
    assert again.json() == first.json()
    assert Task.objects.count() == 1


def statements(client: Caller, content: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.post("/tasks/", {"content": content}).status_code == 201
    return len(captured)


def test_ten_new_hashtags_take_as_many_statements_as_one(alice: Caller) -> None:
    statements(alice, "#warm #up")
    one, ten = statements(alice, "#one"), statements(alice, " ".join(f"#ten{n}" for n in range(10)))
    assert ten == one
    assert Project.objects.filter(author=alice.maker).count() == 2 + 1 + 10


def test_a_name_that_somebody_creates_meanwhile_is_taken_as_it_is(alice: Caller) -> None:
    mine = Project.objects.create(author=alice.maker, name="Ten0")
    assert alice.post("/tasks/", {"content": "#TEN0 #ten1"}).status_code == 201
    assert mine in Task.objects.get().projects.all()


def test_a_batch_of_fifty_tasks_with_ten_new_hashtags_each_takes_no_second(
    alice: Caller, say: Callable[[str], None]
) -> None:
    sent(alice, [{"content": "#warm"}])
    tasks = [{"content": " ".join(f"#t{task}x{n}" for n in range(10))} for task in range(50)]
    began = time.process_time()
    assert {answer["status"] for answer in sent(alice, tasks)} == {201}
    took = time.process_time() - began
    say(f"50 tasks with 500 new projects: {took * 1000:.0f} ms of this process")
    assert Project.objects.filter(author=alice.maker).count() == 501
    assert took < 1.0
