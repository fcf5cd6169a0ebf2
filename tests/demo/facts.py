"""Every value that is kept beside a fact, compared with the fact: counted anew, row by row, in plain Python."""

from collections import Counter, defaultdict
from datetime import date, timedelta
from itertools import count, takewhile

from discussions.models import Discussion, Participant, Reply, ReplyPraise
from makerlog.accounts.models import Follow, Maker
from makerlog.accounts.rhythm import local_day
from products.models import Membership, Product
from tasks.hashtags import project_names
from tasks.models import DayCount, Task, TaskComment, TaskPraise, TaskProduct, TaskProject


def assert_all_kept_values_are_facts() -> None:
    check_makers()
    check_products()
    check_tasks()
    check_filings()
    check_days()
    check_discussions()


def check_makers() -> None:
    followers = Counter(Follow.objects.values_list("followed", flat=True))
    assert {maker.pk: maker.follower_count for maker in Maker.objects.all()} == {
        maker.pk: followers[maker.pk] for maker in Maker.objects.all()
    }


def check_products() -> None:
    for product in Product.objects.select_related("author"):
        assert product.listed == (not product.private and not product.author.private)
        places = Membership.objects.filter(product=product)
        assert {place.listed for place in places} == {product.listed}
        assert [place.maker_id for place in places if place.owner] == [product.author_id]


def check_tasks() -> None:
    praise = Counter(TaskPraise.objects.values_list("task", flat=True))
    comments = Counter(TaskComment.objects.values_list("task", flat=True))
    for task in Task.objects.select_related("author").prefetch_related("projects", "products"):
        belongs_to = [task.author, *task.projects.all(), *task.products.all()]
        assert task.listed == (not any(each.private for each in belongs_to))
        assert (task.praise, task.comment_count) == (praise[task.pk], comments[task.pk])


def check_filings() -> None:
    for task in Task.objects.prefetch_related("projects__products"):
        assert {project.name for project in task.projects.all()} == set(project_names(task.content))
        above = {product.pk for project in task.projects.all() for product in project.products.all()}
        assert set(TaskProduct.objects.filter(task=task).values_list("product", flat=True)) == above
    for filing in (TaskProject, TaskProduct):
        for each in filing.objects.select_related("task"):
            assert (each.created_at, each.listed) == (each.task.created_at, each.task.listed)


def check_days() -> None:
    facts = Counter(
        (task.author_id, local_day(task.done_at, task.author.timezone))
        for task in Task.objects.filter(done=True).select_related("author")
        if task.done_at
    )
    kept = {(each.author_id, each.day): each.done for each in DayCount.objects.filter(done__gt=0)}
    assert kept == dict(facts)
    for maker in Maker.objects.all():
        days = {day: done for (author, day), done in kept.items() if author == maker.pk}
        assert (maker.last_day, maker.run_length, maker.week_counts) == rhythm_of(days)


def rhythm_of(days: dict[date, int]) -> tuple[date | None, int, list[int]]:
    """The last day of ``days``, how many follow each other up to it, and what was done in the week that it ends."""
    if not days:
        return None, 0, [0] * 7
    last_day = max(days)
    back = (last_day - timedelta(days=number) for number in count())
    run = sum(1 for _ in takewhile(days.__contains__, back))
    return last_day, run, [days.get(last_day - timedelta(days=number), 0) for number in range(6, -1, -1)]


def check_discussions() -> None:
    praise = Counter(ReplyPraise.objects.values_list("reply", flat=True))
    replies = defaultdict(list)
    for reply in Reply.objects.select_related("parent_reply"):
        assert reply.praise == praise[reply.pk]
        assert reply.parent_reply is None or reply.parent_reply.discussion_id == reply.discussion_id
        replies[reply.discussion_id].append(reply.author_id)
    for discussion in Discussion.objects.select_related("author"):
        assert discussion.listed == (not discussion.author.private)
        assert discussion.reply_count == len(replies[discussion.pk])
        took_part = Participant.objects.filter(discussion=discussion).values_list("maker", flat=True)
        assert sorted(took_part) == sorted(set(replies[discussion.pk]))
