"""POST /accounts/delete_account/"""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from rest_framework.exceptions import AuthenticationFailed

from makerlog.accounts.actions import delete_account
from makerlog.accounts.models import AccessToken, Follow, Maker
from makerlog.api.models import IdempotencyKey
from tasks.models import Task, TaskComment, TaskPraise
from tests.accounts.test_me import picture
from tests.errors import assert_error, assert_invalid
from tests.makers import Caller, anonymous, caller, just_logged_in

pytestmark = pytest.mark.django_db

PATH = "/accounts/delete_account/"


def gone(maker: Caller, **headers: str) -> None:
    response = maker.post(PATH, {"validation": maker.maker.username}, **headers)
    assert (response.status_code, response.json()) == (200, {"success": True})


def log(maker: Caller, **values: Any) -> int:
    return int(maker.post("/tasks/", {"content": "done #project", "done": True, **values}).json()["id"])


def test_an_account_goes_with_all_it_posted() -> None:
    alice, bob = just_logged_in(), caller("bob")
    mine = log(alice)
    bob.post(f"/tasks/{mine}/praise/")
    bob.post(f"/tasks/{mine}/comments/", {"content": "nice"})
    bob.post("/users/alice/follow/")
    gone(alice)
    assert not Maker.objects.filter(username="alice").exists()
    counts = [model.objects.count() for model in (Task, TaskPraise, TaskComment, Follow)]
    assert counts == [0, 0, 0, 0]
    assert_error(alice.get("/me/"), 401, "token_revoked")
    assert_error(bob.get(f"/tasks/{mine}/"), 404, "not_found")
    assert bob.get("/me/").status_code == 200


def test_what_one_counted_for_elsewhere_is_taken_back() -> None:
    alice, bob, charlie = just_logged_in(), caller("bob"), caller("charlie")
    task, other = log(bob), log(bob)
    for maker in (alice, charlie):
        maker.post(f"/tasks/{task}/praise/")
        maker.post(f"/tasks/{task}/comments/", {"content": "nice"})
        maker.post("/users/bob/follow/")
    alice.post(f"/tasks/{task}/comments/", {"content": "once more"})
    alice.post(f"/tasks/{other}/praise/")
    before = Task.objects.get(pk=task).updated_at
    gone(alice)
    kept = Task.objects.get(pk=task)
    assert (kept.praise, kept.comment_count, kept.updated_at > before) == (1, 1, True)
    assert Task.objects.get(pk=other).praise == 0
    assert Maker.objects.get(username="bob").follower_count == 1
    assert (kept.praises.count(), kept.comments.count()) == (1, 1)


def test_a_task_nobody_counted_on_is_left_alone() -> None:
    bob = caller("bob")
    before = Task.objects.filter(pk=log(bob)).values().get()
    gone(just_logged_in())
    assert Task.objects.values().get() == before


def test_files_go_on_commit(committed: Any) -> None:
    alice = just_logged_in()
    alice.patch("/me/", {"avatar": picture()}, format="multipart")
    alice.post("/tasks/", {"content": "with a picture", "attachment": picture()}, format="multipart")
    with committed():
        gone(alice)
        assert len(list(Path(django_settings.MEDIA_ROOT).rglob("*.webp"))) == 2
    assert list(Path(django_settings.MEDIA_ROOT).rglob("*.webp")) == []


def test_answers_kept_for_ones_apps_go_too() -> None:
    alice, bob = just_logged_in(), caller("bob")
    for maker in (alice, bob):
        maker.post("/tasks/", {"content": "a secret plan"}, HTTP_IDEMPOTENCY_KEY="k")
    gone(alice)
    assert [key.caller for key in IdempotencyKey.objects.all()] == [f"token:{AccessToken.objects.get().pk}"]


def test_the_address_is_free_again_and_the_name_is_kept_back(mailoutbox: Any, committed: Any) -> None:
    gone(just_logged_in())
    sent = {
        "email": "alice@example.com",
        "username": "alice",
        "password": "correct horse",
        "repeat_password": "correct horse",
    }
    assert_invalid(anonymous().post("/accounts/register/", sent), "username")
    with committed():
        assert anonymous().post("/accounts/register/", {**sent, "username": "alice2"}).status_code == 201
    assert mailoutbox[0].subject == "Makerlog: Activate your account"


@pytest.mark.parametrize("validation", ["bob", "", None, "alic"])
def test_without_ones_username_nothing_happens(validation: Any) -> None:
    alice = caller()
    assert_invalid(alice.post(PATH, {"validation": validation}), "validation")
    assert_invalid(alice.post(PATH), "validation")
    assert alice.get("/me/").status_code == 200


def test_nobody_deletes_somebody_else() -> None:
    alice, bob = caller(), caller("bob")
    assert_invalid(bob.post(PATH, {"validation": "alice"}), "validation")
    assert alice.get("/me/").status_code == 200


def test_it_needs_a_token_that_may() -> None:
    assert_error(anonymous().post(PATH, {"validation": "alice"}), 401, "not_authenticated")
    assert_error(caller(scopes=["user:read"]).post(PATH, {"validation": "alice"}), 403, "missing_scope")


def test_a_second_request_that_waited_finds_nobody() -> None:
    alice = caller().maker
    delete_account(maker=alice)
    with pytest.raises(AuthenticationFailed):
        delete_account(maker=alice)
