"""One post is hidden, shown, locked or deleted where one sees it in the admin, and each act is noted."""

from typing import Any

import pytest
from django.urls import reverse

from discussions.models import Discussion, Reply
from makerlog.accounts.models import Maker
from moderation import actions
from moderation.cleanups import Posts, work
from moderation.models import AuditEntry
from moderation.roles import Role
from products.models import Product
from tasks.models import Task, TaskComment
from tests.discussions.talks import make_discussion, make_reply
from tests.makers import caller
from tests.moderation.test_people_admin import signed_in
from tests.products.products import make_product

pytestmark = pytest.mark.django_db
KINDS = {Task: "task", TaskComment: "comment", Discussion: "discussion", Reply: "reply", Product: "product"}


@pytest.fixture
def posts() -> dict[Any, int]:
    alice = caller("alice")
    task = alice.post("/tasks/", {"content": "buy pills", "done": True}).json()["id"]
    comment = alice.post(f"/tasks/{task}/comments/", {"content": "buy"}).json()["id"]
    discussion = make_discussion(alice.maker)
    reply = make_reply(discussion, alice.maker)
    product = make_product(alice.maker)
    return {Task: task, TaskComment: comment, Discussion: discussion.pk, Reply: reply.pk, Product: product.pk}


def urls_of(model: Any, pk: int) -> tuple[str, str, str]:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    return reverse(f"{name}_changelist"), reverse(f"{name}_change", args=[pk]), reverse(f"{name}_moderate", args=[pk])


def said(page: Any) -> str:
    return " ".join(str(message) for message in page.context["messages"])


def is_hidden(model: Any, pk: int) -> bool:
    return bool(model._base_manager.get(pk=pk).hidden)


@pytest.mark.parametrize("role", [Role.MODERATOR, Role.ADMIN])
@pytest.mark.parametrize("model", KINDS)
def test_a_post_is_hidden_and_shown_on_its_page(posts: dict[Any, int], model: Any, role: Role) -> None:
    pk, staff = posts[model], signed_in(role)
    _, page, moderate = urls_of(model, pk)
    assert b'value="hide"' in staff.get(page).content
    answer = staff.post(moderate, {"act": "hide", "reason": "spam"}, follow=True)
    assert f"Hidden: {KINDS[model]} {pk}. To undo it: Show." in said(answer)
    assert is_hidden(model, pk)
    assert b'value="hide"' not in answer.content
    assert "somebody was faster" in said(staff.post(moderate, {"act": "hide"}, follow=True))
    assert "To undo it: Hide." in said(staff.post(moderate, {"act": "show"}, follow=True))
    assert not is_hidden(model, pk)
    noted = AuditEntry.objects.filter(subject=f"{KINDS[model]}:{pk}").order_by("pk")
    assert list(noted.values_list("act", "reason")) == [("post.hide", "spam"), ("post.show", "")]


@pytest.mark.parametrize("model", KINDS)
def test_a_post_is_hidden_shown_and_deleted_from_its_list(posts: dict[Any, int], model: Any) -> None:
    pk, staff = posts[model], signed_in(Role.MODERATOR)
    listed, _, _ = urls_of(model, pk)
    chosen = {"_selected_action": [pk], "index": 0}
    for act, hidden in (("hide", True), ("show", False)):
        staff.post(listed, {"action": act, **chosen})
        assert is_hidden(model, pk) is hidden
    asked = staff.post(listed, {"action": "delete", **chosen})
    assert "Nothing brings these back" in asked.content.decode()
    assert model._base_manager.filter(pk=pk).exists()
    assert "Deleted:" in said(staff.post(listed, {"action": "delete", "sure": "yes", **chosen}, follow=True))
    assert not model._base_manager.filter(pk=pk).exists()
    assert AuditEntry.objects.filter(act="post.delete", subject=f"{KINDS[model]}:{pk}").count() == 1


@pytest.mark.parametrize("model", KINDS)
def test_a_post_is_deleted_on_its_page_once_that_was_asked(posts: dict[Any, int], model: Any) -> None:
    pk, staff = posts[model], signed_in(Role.MODERATOR)
    moderate = urls_of(model, pk)[2]
    assert "Nothing brings these back" in staff.post(moderate, {"act": "delete"}).content.decode()
    assert model._base_manager.filter(pk=pk).exists()
    assert "Deleted:" in said(staff.post(moderate, {"act": "delete", "sure": "yes"}, follow=True))
    assert not model._base_manager.filter(pk=pk).exists()


def test_a_discussion_is_locked_and_unlocked(posts: dict[Any, int]) -> None:
    staff, pk = signed_in(Role.MODERATOR), posts[Discussion]
    listed, _, moderate = urls_of(Discussion, pk)
    staff.post(moderate, {"act": "lock"})
    assert Discussion.objects.get().locked
    staff.post(listed, {"action": "unlock", "_selected_action": [pk], "index": 0})
    assert not Discussion.objects.get().locked
    assert staff.post(urls_of(Task, posts[Task])[2], {"act": "lock"}).status_code == 403


@pytest.mark.parametrize("model", KINDS)
def test_a_helper_sees_no_button_and_changes_nothing(posts: dict[Any, int], model: Any) -> None:
    pk, helper = posts[model], signed_in(Role.HELPER)
    listed, page, moderate = urls_of(model, pk)
    assert b'value="hide"' not in helper.get(page).content
    assert helper.post(moderate, {"act": "hide"}).status_code == 403
    assert helper.post(moderate, {"act": "delete", "sure": "yes"}).status_code == 403
    helper.post(listed, {"action": "hide", "_selected_action": [pk], "index": 0})
    assert not is_hidden(model, pk)


@pytest.mark.parametrize("model", KINDS)
def test_what_a_clean_up_hid_is_shown_by_itself_and_stays_so(posts: dict[Any, int], model: Any) -> None:
    alice, staff = Maker.objects.get(username="alice"), signed_in(Role.MODERATOR)
    made = actions.hide_posts(posts=Posts(maker=alice.pk, until=Task.objects.get().created_at.replace(year=2999)))
    for _ in work(made.pk):
        pass
    pk = posts[model]
    assert is_hidden(model, pk)
    staff.post(urls_of(model, pk)[2], {"act": "show"})
    assert not is_hidden(model, pk)
    assert model._base_manager.get(pk=pk).cleanup is None


def test_counters_follow(posts: dict[Any, int]) -> None:
    staff = signed_in(Role.MODERATOR)
    for act, count in (("hide", 0), ("hide", 0), ("show", 1), ("show", 1)):
        for model in (TaskComment, Reply):
            staff.post(urls_of(model, posts[model])[2], {"act": act})
        assert (Task.objects.get().comment_count, Discussion.objects.get().reply_count) == (count, count)
