"""Lists and details are compiled (makerlog.api.compiled): they say what their serializers say, to every reader."""

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import islice
from typing import Any

import orjson
import pytest
import time_machine
from django.contrib.auth.models import AnonymousUser
from django.core.files.base import ContentFile
from django.db import connection, transaction
from django.db.models import Model, Prefetch, QuerySet
from django.test.utils import CaptureQueriesContext
from django.urls import resolve
from rest_framework import serializers

from discussions.models import Discussion, Reply
from makerlog.accounts.actions import change_username, update_profile
from makerlog.accounts.models import Maker
from makerlog.accounts.serializers import MakerSerializer, MeSerializer, PrivilegedSerializer
from makerlog.api.compiled import CannotCompile, compiled, kept_form
from products.models import Membership, Product, Project, parts
from tasks.models import Task, TaskComment
from tasks.serializers import TaskSerializer
from tests.held import held_by
from tests.lists import rows
from tests.lists.catalogue import LISTS, Listing
from tests.lists.reading import at_most, pages, rows_of
from tests.makers import Caller, anonymous, caller, refill
from tests.tasks.logs import NOON, log

pytestmark = pytest.mark.django_db

ROWS = 500
MINUTE = timedelta(minutes=1)
ZONES = ("UTC", "Asia/Kolkata", "America/Los_Angeles", "Pacific/Apia")
LETTERS = "abc XYZ 019 \"'\\/<>&%{}[],:\n\t\x01\x7fäß🐝\u2028"


def text(dice: random.Random, most: int) -> str:
    return "".join(dice.choices(LETTERS, k=dice.randrange(most)))


def scramble(dice: random.Random, queryset: QuerySet[Any], **makes: Callable[[], Any]) -> None:
    found = list(queryset)
    for row in found:
        for name, make in makes.items():
            setattr(row, name, make())
    queryset.model.objects.bulk_update(found, [*makes], batch_size=20)  # a row is looked for in its batch


def world(most: int = ROWS) -> dict[str, Caller]:
    """So many of everything that is alice's and is listed, saying anything; and who reads."""
    with connection.cursor() as cursor:  # a busy machine thinks longer between two statements here than a request may
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    dice = random.Random(20)
    readers = {who: caller(who) for who in ("alice", "bob", "moderator")}
    Maker.objects.filter(username="moderator").update(is_moderator=True)
    alice = readers["alice"].maker
    for add in dict.fromkeys(listing.add for listing in LISTS):
        add(alice, most, MINUTE)
    flags = ("gold", "donor", "tester", "is_live", "dark_mode", "digest", "email_notifications", "is_staff", "verified")
    scramble(
        dice,
        Maker.objects.exclude(username__in=readers),
        description=lambda: text(dice, 200),
        first_name=lambda: text(dice, 20),
        status=lambda: text(dice, 100),
        timezone=lambda: dice.choice(ZONES),
        run_length=lambda: dice.randrange(50),
        week_counts=lambda: [dice.randrange(9) for _ in range(7)],
        last_day=lambda: dice.choice([None, *(NOON.date() - timedelta(days=gone) for gone in range(9))]),
        public_run_length=lambda: dice.randrange(50),
        public_week_counts=lambda: [dice.randrange(9) for _ in range(7)],
        public_last_day=lambda: dice.choice([None, *(NOON.date() - timedelta(days=gone) for gone in range(9))]),
        header=lambda: dice.choice(["", "headers/ä b.png"]),
        private=lambda: dice.random() < 0.3,
        **{flag: lambda: dice.random() < 0.5 for flag in flags},
    )
    scramble(dice, Task.objects.all(), content=lambda: f"task {text(dice, 200)}", praise=lambda: dice.randrange(99))
    scramble(dice, Project.objects.all(), private=lambda: dice.random() < 0.5)
    scramble(dice, Product.objects.all(), description=lambda: text(dice, 200), website=lambda: text(dice, 99))
    scramble(dice, Discussion.objects.all(), body=lambda: text(dice, 200), gold=lambda: dice.random() < 0.5)
    scramble(dice, TaskComment.objects.all(), content=lambda: text(dice, 200))
    scramble(dice, Reply.objects.all(), body=lambda: text(dice, 200), praise=lambda: dice.randrange(99))
    return {**readers, "anonymous": anonymous()}


def rows_for(model: type[Model], reader: Any) -> QuerySet[Any]:
    """Instances with what their serializer shows to ``reader``."""
    if model is Product:
        return Product.objects.whole(reader)
    if model is Task:
        projects, products = Project.objects.visible_to(reader), Product.objects.visible_to(reader)
        return Task.objects.prefetch_related(Prefetch("projects", projects), Prefetch("products", products))
    return model._default_manager.prefetch_related(*(parts(reader, "product__") if model is Membership else ()))


class Said(dict[Any, Any]):
    """What the serializer of a list says of each row, by its id on the wire; said when it is first asked for."""

    def __init__(self, listing: Listing, reader: Any) -> None:
        self.serializer = serializer_of(listing.url)()
        self.rows = {listing.wire(row): row for row in rows_for(listing.model, reader)}  # type: ignore[arg-type]

    def __missing__(self, pk: Any) -> Any:
        said = self[pk] = plain(sorted_parts(self.serializer.to_representation(self.rows[pk])))
        return said


def serializer_of(url: str) -> Any:
    return resolve(url.partition("?")[0]).func.cls.serializer_class  # type: ignore[attr-defined]


def sorted_parts(row: dict[str, Any]) -> dict[str, Any]:
    """A task's projects and products have no order of their own."""
    return {name: by_id(value) if name.endswith("_set") else value for name, value in row.items()}


def by_id(found: Any) -> list[Any]:
    return sorted(found, key=lambda each: each["id"])


@time_machine.travel(NOON, tick=False)
def test_every_list_and_detail_says_what_its_serializer_says_to_every_reader() -> None:
    readers = world()
    for who, client in readers.items():
        reader = getattr(client, "maker", AnonymousUser())
        if reader.pk:
            reader.refresh_from_db()
        known: dict[Any, Said] = {}
        for listing in (each for each in LISTS if who == "alice" or not each.own):
            key = (listing.model, serializer_of(listing.url))
            first = key not in known
            if first:
                known[key] = Said(listing, reader)
            shown = list(walked(client, listing.url, most=9 if first else 1))
            assert len(shown) >= 30, (who, listing)
            for row in shown:
                assert sorted_parts(row) == known[key][row["id"]], (who, listing)
        details(client, reader)
    oneself()


def oneself() -> None:
    """What each of the makers would read of themselves."""
    makers = Maker.objects.order_by("id")
    for serializer_class in (MeSerializer, PrivilegedSerializer):
        said = compiled(serializer_class).of(makers, AnonymousUser())
        assert said == [plain(serializer_class(maker).data) for maker in makers]
        assert len(said) >= ROWS


def walked(client: Caller, url: str, most: int) -> Iterator[dict[str, Any]]:
    """The rows of the first ``most`` pages."""
    refill()
    for page in islice(pages(client, at_most(100, url), "next"), most):
        refill()
        yield from rows_of(page)


def plain(row: Any) -> Any:
    """Ordered dictionaries and the like, as JSON has them."""
    if isinstance(row, dict):
        return {name: plain(value) for name, value in row.items()}
    return [plain(each) for each in row] if isinstance(row, list | tuple) else row


DETAILS = [
    (Task, TaskSerializer, "/tasks/{0.pk}/"),
    (Product, None, "/products/{0.slug}/"),
    (Project, None, "/projects/{0.pk}/"),
    (Discussion, None, "/discussions/{0.slug}/"),
    (TaskComment, None, f"/tasks/{rows.HOST}/comments/{{0.pk}}/"),
    (Reply, None, f"/discussions/host-{rows.HOST}/replies/{{0.pk}}/"),
    (Maker, MakerSerializer, "/users/{0.username}/"),
]


def details(client: Caller, reader: Any) -> None:
    """Every fifth of each kind: by all readers together, nearly all."""
    for model, _, url in DETAILS:
        found = rows_for(model, reader)
        for row in list(found)[(reader.pk or 0) % 5 :: 5]:
            refill()
            response = client.get(url.format(row))
            if response.status_code == 404:
                assert not may_know(row, reader), row
                continue
            serializer_class = serializer_of(url.format(row))
            assert sorted_parts(response.json()) == sorted_parts(plain(serializer_class(row).data)), row


def may_know(row: Any, reader: Any) -> bool:
    if hasattr(type(row).objects, "visible_to"):
        return type(row).objects.visible_to(reader).filter(pk=row.pk).exists()
    return row.is_active if isinstance(row, Maker) else True


# --- What is kept ---


OWN_ONLY = {"email": "secret@example.com", "dark_mode": True, "digest": False, "weekends_off": True}


def test_what_an_owner_reads_first_shows_nobody_else_what_is_the_owner_s_alone() -> None:
    alice = caller("alice")
    Maker.objects.filter(pk=alice.maker.pk).update(**OWN_ONLY)
    project = Project.objects.create(author=alice.maker, name="secret", private=True)
    task = log(alice.maker, "Built #secret")
    for url in ("/me/privileged/", "/tasks/", f"/tasks/{task.pk}/", "/users/", "/users/alice/"):
        assert alice.get(url).status_code == 200
    assert [each["id"] for each in alice.get(f"/tasks/{task.pk}/").json()["project_set"]] == [project.pk]
    for client in (anonymous(), caller("bob")):
        for url in ("/tasks/", f"/tasks/{task.pk}/", "/users/", "/users/alice/"):
            body = client.get(url).content.decode()
            assert OWN_ONLY["email"] not in body
            assert '"dark_mode":true' not in body
            assert '"digest":false' not in body
            assert '"project_set":[{' not in body


def user(client: Caller, task: Task) -> dict[str, Any]:
    return client.get(f"/tasks/{task.pk}/").json()["user"]


def test_what_a_maker_changes_is_in_the_next_read() -> None:
    reader, maker = anonymous(), caller("alice").maker
    task = log(maker)
    for number in range(5):
        picture = ContentFile(b"picture", name=f"{number}.png")
        maker = update_profile(maker=maker, status=f"Status {number}", avatar=picture)
        found = user(reader, task)
        assert (found["status"], found["avatar"]) == (f"Status {number}", maker.avatar.url)
    change_username(maker=maker, username="alicia")
    assert user(reader, task)["username"] == "alicia"


def test_a_streak_ends_at_midnight_of_its_maker_wherever_that_is() -> None:
    maker = caller("alice", timezone="Asia/Kolkata").maker
    Maker.objects.filter(pk=maker.pk).update(public_run_length=3, public_last_day=NOON.date())
    task = log(maker)
    midnight = NOON.replace(hour=18, minute=30) + timedelta(days=1)  # of the day after the last, in Kolkata
    for moment, streak in ((midnight - timedelta(seconds=1), 3), (midnight, 0), (midnight - MINUTE, 3)):
        with time_machine.travel(moment, tick=False):
            assert user(anonymous(), task)["streak"] == streak


def test_two_versions_of_one_transaction_are_two() -> None:
    """What is read within a transaction that goes on to change the row is not what others read after it."""
    maker = caller("alice").maker
    task = log(maker)
    with transaction.atomic():
        for status in ("first", "second", "third"):
            Maker.objects.filter(pk=maker.pk).update(status=status)
            assert user(anonymous(), task)["status"] == status
        try:
            with transaction.atomic():
                Maker.objects.filter(pk=maker.pk).update(status="undone")
                assert user(anonymous(), task)["status"] == "undone"
                raise ValueError
        except ValueError:
            Maker.objects.filter(pk=maker.pk).update(status="fourth")
        assert user(anonymous(), task)["status"] == "fourth"


def test_makers_that_are_not_known_yet_take_one_query_more_for_all_of_them() -> None:
    for number in range(3):
        log(caller(f"maker{number}").maker, "Built #site")
    kept_form(MakerSerializer).shelf.clear()
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as captured:
            assert len(anonymous().get("/users/").json()["results"]) == 3
        counts.append(len(captured))
    assert counts == [2, 1]


def test_what_is_kept_of_a_maker_takes_as_much_memory_as_it_has_bytes() -> None:
    form, maker = kept_form(MakerSerializer), caller("alice").maker
    (said,) = form.fetched([maker.pk]).values()
    assert held_by(lambda: form.fetched([maker.pk])) < len(orjson.dumps(said)) + 2_500


# --- What is refused ---


class Method(serializers.ModelSerializer):
    size = serializers.SerializerMethodField()

    class Meta:
        model = Task
        fields = ["id", "size"]


class Undeclared(serializers.ModelSerializer):
    age = serializers.IntegerField(source="rhythm", read_only=True)

    class Meta:
        model = Maker
        fields = ["id", "age"]


class OfItsOwn(serializers.IntegerField):
    def to_representation(self, value: Any) -> Any:
        return value + 1


class Own(serializers.ModelSerializer):
    praise = OfItsOwn()

    class Meta:
        model = Task
        fields = ["id", "praise"]


class WithoutPart(serializers.ModelSerializer):
    projects: Any = serializers.ListSerializer(child=serializers.IntegerField(), max_length=3)

    class Meta:
        model = Task
        fields = ["id", "projects"]


class NotKept(serializers.ModelSerializer):
    author = MeSerializer()

    class Meta:
        model = Task
        fields = ["id", "author"]


@pytest.mark.parametrize(
    ("serializer_class", "field"),
    [(Method, "size"), (Undeclared, "age"), (Own, "praise"), (WithoutPart, "projects"), (NotKept, "author")],
)
def test_what_cannot_be_said_in_columns_is_refused_by_name(serializer_class: Any, field: str) -> None:
    with pytest.raises(CannotCompile, match=rf"{serializer_class.__name__}\.{field} cannot be compiled"):
        compiled(serializer_class)
