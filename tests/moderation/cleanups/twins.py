"""Two communities of equal makers, who write the same at the same moments: one of them is cleaned up and shown again.

Both live in one database and meet nowhere. Whoever writes is drawn once and acts in both; so does what is written, named by
its place in the order of writing, which is the same in both.
"""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from discussions import actions as discussions
from discussions.models import Discussion, Participant, Reply, ReplyPraise
from makerlog.accounts import actions as accounts
from makerlog.accounts.models import Maker
from products import actions as products
from products.models import Membership, Product, Project
from tasks import actions as tasks
from tasks.models import DayCount, DeletedTask, Task, TaskComment, TaskPraise, TaskProduct, TaskProject
from tests.makers import make_maker

NAMES = ("spammer", "alice", "bob", "charlie")
ZONES = ("UTC", "Asia/Tokyo", "America/Los_Angeles")
NOON = datetime(2026, 5, 20, 12, tzinfo=UTC)


class Community:
    def __init__(self, place: str) -> None:
        self.place = place
        self.makers = {name: make_maker(f"{name}_{place}") for name in NAMES}
        # By the order of writing; what is deleted leaves a gap that no write fits.
        self.rows: dict[str, list[Any]] = {"task": [], "comment": [], "discussion": [], "reply": [], "product": []}
        self.posted = {"posted_with": 1 if place == "left" else 2}

    def maker(self, name: str) -> Maker:
        return Maker.objects.get(pk=self.makers[name].pk)

    def now(self, kind: str, number: int) -> Any:
        """The row as it is; None where it is gone."""
        row = self.rows[kind][number]
        return type(row).objects.filter(pk=row.pk).first()

    def write(self, act: str, dice: random.Random) -> None:
        getattr(self, act)(dice)

    def drawn(self, kind: str, dice: random.Random) -> Any:
        count = len(self.rows[kind])
        return self.now(kind, dice.randrange(count)) if count else None

    # --- What may happen: each draws the same from equal dice ---

    def log(self, dice: random.Random) -> None:
        author = self.maker(dice.choice(NAMES))
        content = f"Task {len(self.rows['task'])} {dice.choice(['', '#honey', '#wax'])}"
        done_at = NOON - timedelta(hours=dice.randrange(200)) if dice.random() < 0.7 else None
        self.rows["task"].append(tasks.log_task(author=author, content=content, done_at=done_at, **self.posted)[0])

    def edit(self, dice: random.Random) -> None:
        task, done_at = self.drawn("task", dice), NOON - timedelta(hours=dice.randrange(200))
        values: dict[str, Any] = dice.choice(
            [{"done": False}, {"done_at": done_at}, {"content": f"New {dice.choice(['#honey', '#wax', ''])}"}]
        )
        if task:
            tasks.change_task(task=task, **values)

    def delete(self, dice: random.Random) -> None:
        if task := self.drawn("task", dice):
            tasks.delete_task(task=task)

    def praise(self, dice: random.Random) -> None:
        task, maker, gives = self.drawn("task", dice), self.maker(dice.choice(NAMES)), dice.random() < 0.7
        if task:
            (tasks.praise if gives else tasks.withdraw_praise)(task=task, maker=maker)

    def comment(self, dice: random.Random) -> None:
        task, author = self.drawn("task", dice), self.maker(dice.choice(NAMES))
        if task:
            self.rows["comment"].append(tasks.comment(task=task, author=author, content="Nice", **self.posted))

    def uncomment(self, dice: random.Random) -> None:
        if comment := self.drawn("comment", dice):
            tasks.delete_comment(comment=comment)

    def open(self, dice: random.Random) -> None:
        author, title = self.maker(dice.choice(NAMES)), f"{self.place} {len(self.rows['discussion'])}"
        self.rows["discussion"].append(discussions.open_discussion(author=author, title=title, **self.posted))

    def reply(self, dice: random.Random) -> None:
        discussion, author = self.drawn("discussion", dice), self.maker(dice.choice(NAMES))
        if discussion:
            made = discussions.reply(discussion=discussion, author=author, body="Yes", **self.posted)
            self.rows["reply"].append(made)

    def change_reply(self, dice: random.Random) -> None:
        reply = self.drawn("reply", dice)
        values = dice.choice([{"body": "No"}, {"hidden": True}, {"hidden": False}])
        if reply:
            discussions.change_reply(reply=reply, **values)

    def delete_reply(self, dice: random.Random) -> None:
        if reply := self.drawn("reply", dice):
            discussions.delete_reply(reply=reply)

    def praise_reply(self, dice: random.Random) -> None:
        reply, maker, gives = self.drawn("reply", dice), self.maker(dice.choice(NAMES)), dice.random() < 0.7
        if reply:
            (discussions.praise if gives else discussions.withdraw_praise)(reply=reply, maker=maker)

    def moderate(self, dice: random.Random) -> None:
        discussion, hidden = self.drawn("discussion", dice), dice.random() < 0.5
        if discussion:
            discussions.change_discussion(discussion=discussion, hidden=hidden)

    def launch(self, dice: random.Random) -> None:
        author = self.maker(dice.choice(NAMES))
        name, private = f"{self.place} {len(self.rows['product'])}", dice.random() < 0.3
        project = products.get_or_create_project(author=author, name=dice.choice(["honey", "wax"]))
        held = [project.pk] if project.products.count() < 5 else []
        made = products.create_product(author=author, name=name, private=private, projects=held, **self.posted)
        self.rows["product"].append(made)

    def change_product(self, dice: random.Random) -> None:
        product, private = self.drawn("product", dice), dice.random() < 0.5
        if product:
            products.change_product(product=product, maker=product.author, private=private)

    def change_maker(self, dice: random.Random) -> None:
        values = dice.choice([{"private": True}, {"private": False}, {"timezone": dice.choice(ZONES)}])
        accounts.update_profile(maker=self.maker(dice.choice(NAMES)), **values)


WRITES: list[tuple[str, int]] = [
    ("log", 12), ("edit", 8), ("delete", 2), ("praise", 8), ("comment", 6), ("uncomment", 2), ("open", 3), ("reply", 9),
    ("change_reply", 3), ("delete_reply", 2), ("praise_reply", 5), ("moderate", 2), ("launch", 2), ("change_product", 2),
    ("change_maker", 1),
]  # fmt: skip


def write(communities: list[Community], count: int, dice: random.Random, between: Callable[[], None]) -> None:
    """``count`` writes, the same to all; ``between`` each of them and the next."""
    acts, weights = zip(*WRITES, strict=True)
    for act in dice.choices(acts, weights, k=count):
        seed = dice.random()
        for community in communities:
            community.write(act, random.Random(seed))
        between()


# --- What there is ---

CLOCKS = {
    "updated_at",
    "created_at",
    "deleted_at",
    "worked_at",
    "date_joined",
}  # of the wall: equal in no two communities
OWN = {"id", "username", "folded_username", "email", "mailbox", "slug", "name", "title", "posted_with"}


def picture(community: Community) -> dict[str, Any]:
    """Every row that the community wrote and every value of it; rows are named by their place in the order of ids."""
    makers = [maker.pk for maker in community.makers.values()]
    of_author: dict[str, Any] = {"author__in": makers}
    found: dict[str, list[Any]] = {
        "makers": list(Maker.objects.filter(pk__in=makers).order_by("pk")),
        "days": list(DayCount.objects.filter(**of_author, done__gt=0).order_by("author", "day")),
        "deleted": list(DeletedTask.objects.filter(**of_author).order_by("pk")),
        "projects": list(Project.objects.filter(**of_author).order_by("pk")),
    }
    for model in (Task, TaskComment, Discussion, Reply, Product):
        found[model.__name__] = list(model._base_manager.filter(**of_author).order_by("pk"))
    for link in (TaskPraise, ReplyPraise, Participant, Membership):
        found[link.__name__] = list(link._base_manager.filter(maker__in=makers).order_by("pk"))
    for filing in (TaskProject, TaskProduct):
        found[filing.__name__] = list(filing._base_manager.filter(task__author__in=makers))
    places = {(type(row), row.pk): place for rows in found.values() for place, row in enumerate(rows)}
    gone = {task.pk: ("task", number) for number, task in enumerate(community.rows["task"])}
    return {
        name: sorted((described(row, places, gone) for row in rows), key=str)
        if name.startswith("TaskPro")
        else [described(row, places, gone) for row in rows]
        for name, rows in found.items()
    }


def described(row: Any, places: dict[Any, int], gone: dict[int, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for field in row._meta.concrete_fields:
        value = getattr(row, field.attname)
        if field.name in CLOCKS | OWN or (field.name == "id"):
            continue
        if field.related_model:
            value = places.get((field.related_model, value), value)
        said[field.name] = gone.get(value, value) if field.name == "task_id" else value
    return said
